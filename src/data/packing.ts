import { QkvError } from "../util/errors.ts";
import type { TokenArray, TokenColumn, TokenRows } from "./token-column.ts";

/** How documents are put into blocks. */
export interface PackingOptions {
  /** The tokens of a block; marks that are put around blocks afterwards are not counted. */
  readonly blockLength: number;
  /** The id that stands between documents. Default: nothing. */
  readonly separator?: number;
  /**
   * `continuous`: each example is a document; they stand one behind another, each followed by the separator, and are
   * cut every `blockLength` tokens (GPT-2). What is left at the end is dropped.
   * `whole-sentences`: each example is a sentence, and an empty one stands between two documents; a block has as many
   * whole sentences as fit, also of several documents, with the separator between those (RoBERTa, FULL-SENTENCES). A
   * sentence longer than a block is cut. Blocks may be shorter than `blockLength`; nothing is dropped.
   */
  readonly mode: "continuous" | "whole-sentences";
}

/** A part of a block: tokens of one example, and perhaps a separator. */
export interface Piece {
  readonly example: number;
  /** The first token of the example, and the one before which the piece ends. */
  readonly from: number;
  readonly to: number;
  /** Whether a separator stands behind these tokens. */
  readonly separated: boolean;
}

/** Blocks as views of the examples that they are made of. */
export interface PackedBlocks extends TokenRows {
  /** The number of blocks. */
  readonly length: number;
  /** How many tokens, separators included, stand in no block. */
  readonly dropped: number;
  /** What a block is made of, in order; also to read other columns of the same examples. */
  pieces(block: number): readonly Piece[];
  /** The tokens of a block; a view, unless there is a separator among them. */
  values(block: number): TokenArray;
}

/**
 * Packs tokenized documents into blocks; copies nothing until a block is asked for.
 * @param documents - ids, one example a document or a sentence, as `mode` says
 * @throws QkvError "option" where the length is not a whole number of 1 or more, "data" where not even one block is full
 */
export function packDocuments(documents: TokenColumn, options: PackingOptions): PackedBlocks {
  const { blockLength } = options;
  if (!Number.isSafeInteger(blockLength) || blockLength < 1) {
    throw new QkvError(
      "option",
      `packing: blockLength must be a whole number, 1 or more; got ${blockLength}`,
    );
  }
  const packed =
    options.mode === "continuous" ? packContinuously(documents, options) : packSentences(documents, options);
  if (packed.length > 0) return packed;
  throw new QkvError(
    "data",
    `packing: at least one block of ${blockLength} tokens must be full; got ${documents.total} tokens; ` +
      "take shorter blocks or more text",
  );
}

function packContinuously(documents: TokenColumn, { blockLength, separator }: PackingOptions): PackedBlocks {
  const marks = separator === undefined ? 0 : 1;
  const total = documents.total + marks * documents.length;
  const length = Math.floor(total / blockLength);
  const startOf = (document: number): number => documents.offsetOf(document) + marks * document;
  const pieces = (block: number): Piece[] => {
    const start = block * blockLength;
    const found: Piece[] = [];
    let at = start;
    for (let example = lastStartUpTo(start, documents.length, startOf); at < start + blockLength; example++) {
      const from = at - startOf(example);
      const to = Math.min(documents.lengthOf(example), from + start + blockLength - at);
      const separated = marks === 1 && at + to - from < start + blockLength;
      if (to > from || separated) found.push({ example, from, to, separated });
      at += to - from + (separated ? 1 : 0);
    }
    return found;
  };
  return {
    length,
    dropped: total - length * blockLength,
    lengthOf: () => blockLength,
    pieces,
    values: (block) => joined(documents, pieces(block), blockLength, separator),
  };
}

/** The last document that begins at a position of the stream or before it (binary search). */
function lastStartUpTo(position: number, count: number, startOf: (document: number) => number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (startOf(middle) <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

function packSentences(sentences: TokenColumn, { blockLength, separator }: PackingOptions): PackedBlocks {
  const marks = separator === undefined ? 0 : 1;
  /** The sentence and the token of it that each block begins with, and how many tokens the block has. */
  const starts: number[] = [];
  const offsets: number[] = [];
  const lengths: number[] = [];
  let used = blockLength;
  const begin = (sentence: number, from: number): void => {
    starts.push(sentence);
    offsets.push(from);
    lengths.push(0);
    used = 0;
  };
  /** Whether a document ended since the last sentence, so that the next is separated from it. */
  let isBoundary = false;
  for (let sentence = 0; sentence < sentences.length; sentence++) {
    const length = sentences.lengthOf(sentence);
    if (length === 0) {
      isBoundary = starts.length > 0;
      continue;
    }
    const mark = isBoundary ? marks : 0;
    isBoundary = false;
    if (used + mark + length <= blockLength) used += mark + length;
    else {
      for (let from = 0; from < length; from += blockLength) {
        begin(sentence, from);
        used = Math.min(length - from, blockLength);
        lengths[lengths.length - 1] = used;
      }
    }
    lengths[lengths.length - 1] = used;
  }
  const pieces = (block: number): Piece[] => {
    const found: Piece[] = [];
    let left = lengths[block]!;
    let from = offsets[block]!;
    for (let example = starts[block]!; left > 0; example++) {
      const to = Math.min(sentences.lengthOf(example), from + left);
      left -= to - from;
      if (to > from) found.push({ example, from, to, separated: false });
      else if (left > 0 && marks === 1 && !found.at(-1)!.separated) {
        found.push({ ...found.pop()!, separated: true });
        left -= 1;
      }
      from = 0;
    }
    return found;
  };
  return {
    length: starts.length,
    dropped: 0,
    lengthOf: (block) => lengths[block]!,
    pieces,
    values: (block) => joined(sentences, pieces(block), lengths[block]!, separator),
  };
}

/** The tokens of some pieces, one behind another. */
function joined(
  examples: TokenColumn,
  pieces: readonly Piece[],
  length: number,
  separator: number | undefined,
): TokenArray {
  // Without a separator among them the pieces stand side by side.
  if (pieces.every((piece) => !piece.separated)) {
    const { example, from } = pieces[0]!;
    const start = examples.offsetOf(example) + from;
    return examples.range(start, start + length);
  }
  const tokens = new Int32Array(length);
  let at = 0;
  for (const { example, from, to, separated } of pieces) {
    tokens.set(examples.values(example, from, to), at);
    at += to - from;
    if (separated) tokens[at++] = separator!;
  }
  return tokens;
}
