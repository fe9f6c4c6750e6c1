import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { QkvError } from "../../util/errors.ts";
import { RandomStream, randomKey } from "../../util/random.ts";
import type { Draw, Example, ExampleStore, TaskContext, TrainingRecord } from "./training-task.ts";

/** The tokens of all texts one after another, an end token behind each. */
export interface TokenStream {
  readonly length: number;
  /** The tokens from `start` up to, not including, `end`. */
  slice(start: number, end: number): Int32Array;
}

/** How many tokens of a text are kept together; long texts lie in several pieces, so that each is soon read. */
const pieceLength = 4096;

/**
 * A text's tokens without special ones around, and the end token behind, in pieces. Texts follow one another and are
 * cut wherever a block is full, so a block may begin and end within a sentence and go on into the next text, with the
 * end token between: what RoBERTa's paper calls FULL-SENTENCES, but for the whole sentences, which it fills blocks
 * with as long as they fit.
 * Source: Liu et al., 2019, 4.2.
 */
export function encodePieces(record: TrainingRecord, context: TaskContext): Generator<Example> {
  return piecesOf(record, context, endOfText(context.tokenizers.source, context.model.config.eosTokenId));
}

/** @param end - the token behind each text, where there shall be one */
export function* piecesOf(
  { fields }: TrainingRecord,
  { tokenizers }: TaskContext,
  end: number | undefined,
): Generator<Example> {
  const text = fields.text as string;
  // An empty line would be nothing but an end.
  if (text.trim() === "") return;
  const ids = tokenizers.source.encodeIds(text, { addSpecialTokens: false });
  if (end !== undefined) ids.push(end);
  for (let start = 0; start < ids.length; start += pieceLength)
    yield { ids: ids.slice(start, start + pieceLength) };
}

/** The token between texts: the model's end, or what stands behind every text. */
export function endOfText(tokenizer: Tokenizer, eosTokenId: number | undefined): number | undefined {
  return eosTokenId ?? framesOf(tokenizer).after.at(-1);
}

/** The texts of a store as one stream. */
export function tokenStream(store: ExampleStore): TokenStream {
  /** Where each piece begins, and at the end the whole length. */
  const starts = new Float64Array(store.length + 1);
  for (let piece = 0; piece < store.length; piece++) {
    starts[piece + 1] = starts[piece]! + store.lengthOf("ids", piece);
  }
  const length = starts[store.length]!;
  return {
    length,
    slice(start, end) {
      const tokens = new Int32Array(Math.max(0, Math.min(end, length) - start));
      for (let piece = pieceAt(starts, start); piece < store.length && starts[piece]! < end; piece++) {
        const own = store.values("ids", piece);
        const offset = starts[piece]!;
        const last = Math.min(own.length, end - offset);
        for (let place = Math.max(0, start - offset); place < last; place++) {
          tokens[offset + place - start] = own[place]!;
        }
      }
      return tokens;
    },
  };
}

/** The piece in which a position lies. */
function pieceAt(starts: Float64Array, position: number): number {
  let low = 0;
  let high = starts.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A stream cut into blocks of equal length, the last of which may be shorter. */
export function blocksOf(stream: TokenStream, blockLength: number) {
  const count = Math.ceil(stream.length / blockLength);
  const lengthOf = (index: number) => Math.min(blockLength, stream.length - index * blockLength);
  return {
    length: count,
    lengthOf,
    block: (index: number) => stream.slice(index * blockLength, index * blockLength + lengthOf(index)),
  };
}

/** The special tokens that a tokenizer puts before and behind a text. */
export function framesOf(tokenizer: Tokenizer): { before: number[]; after: number[] } {
  const { ids, specialTokensMask } = tokenizer.encode("a");
  const first = specialTokensMask.indexOf(0);
  const last = specialTokensMask.lastIndexOf(0);
  return { before: ids.slice(0, Math.max(0, first)), after: ids.slice(last + 1) };
}

/** Whether a sentence ends with a token, told by its last character. */
export function endsSentence(tokenizer: Tokenizer): (id: number) => boolean {
  return (id) => /[.!?]$/.test(tokenizer.idToToken(id) ?? "");
}

/** What a block is drawn with in an epoch: a pure function of seed, epoch and the block's number. */
export function randomOfBlock(what: string, { seed, epoch }: Draw, index: number): RandomStream {
  return new RandomStream(randomKey(seed, `${what}:${epoch}`, index));
}

/**
 * How many tokens a block has.
 * @param special - tokens that are put around each
 * @throws QkvError "config" where the model has no limit and the recipe names none, or one that the model cannot read
 */
export function blockLengthOf(
  { longest, model }: TaskContext,
  wanted: number | undefined,
  special: number,
): number {
  if (wanted === undefined && !Number.isFinite(longest)) {
    throw new QkvError(
      "config",
      `recipe: objective.block_size is needed, since ${model.architecture} has no limit`,
    );
  }
  const size = wanted ?? longest;
  if (size > longest) {
    throw new QkvError(
      "config",
      `recipe: objective.block_size can be ${longest} at most in this model; got ${size}`,
    );
  }
  if (size <= special) {
    throw new QkvError("config", `recipe: objective.block_size must be above ${special}; got ${size}`);
  }
  return size - special;
}
