import { QkvError } from "../../util/errors.ts";
import { isSurrogatePair } from "../aligned-text.ts";
import { type JsonObject, readBoolean, readList, readString, wrongKind } from "../json.ts";
import { mergeLongWord, mergeShortWord, type Symbols } from "./merge-symbols.ts";
import { type MergeTable, makeMergeTable } from "./merge-table.ts";
import type { Model, WordTokens } from "./model.ts";
import { readVocabulary, requireToken, type Vocabulary } from "./vocabulary.ts";

/** The id of the token for each byte, where there is one. */
export type ByteIds = readonly (number | undefined)[];

/** How a byte-pair encoding treats the ends of words and what it does not know. */
interface BytePairOptions {
  readonly unknownId: number | undefined;
  /** Put before every symbol of a word but the first. */
  readonly continuingPrefix: string;
  /** Put behind the last symbol of a word. */
  readonly wordSuffix: string;
  /** Whether unknown symbols side by side become one unknown token. */
  readonly fuseUnknown: boolean;
  /** The ids of the tokens <0x00> ... <0xFF>, where unknown symbols become bytes. */
  readonly byteIds: ByteIds | undefined;
  /** Whether a word that is a token is taken whole, whatever the merges say. */
  readonly ignoreMerges: boolean;
}

const longWord = 64;
const encoder = new TextEncoder();

/**
 * Byte-pair encoding: a word starts as characters; again and again, the pair of neighbours that was learned
 * first becomes one token, until no pair is left that was learned.
 *
 * Source: Sennrich, Haddow and Birch 2016, "Neural Machine Translation of Rare Words with Subword Units".
 */
class BytePairEncoding implements Model {
  readonly #vocabulary: Vocabulary;
  readonly #merges: MergeTable;
  readonly #options: BytePairOptions;

  constructor(vocabulary: Vocabulary, merges: MergeTable, options: BytePairOptions) {
    this.#vocabulary = vocabulary;
    this.#merges = merges;
    this.#options = options;
  }

  get vocabSize(): number {
    return this.#vocabulary.size;
  }

  get idLimit(): number {
    return this.#vocabulary.idLimit;
  }

  tokenToId(token: string): number | undefined {
    return this.#vocabulary.idOf(token);
  }

  idToToken(id: number): string | undefined {
    return this.#vocabulary.tokenOf(id);
  }

  encodeWord(word: string, output: WordTokens): void {
    if (this.#options.ignoreMerges) {
      const id = this.#vocabulary.idOf(word);
      if (id !== undefined) {
        output.ids.push(id);
        output.starts.push(0);
        output.ends.push(word.length);
        return;
      }
    }
    const symbols = this.#symbolsOf(word);
    if (symbols.ids.length > longWord) mergeLongWord(symbols, this.#merges, output);
    else mergeShortWord(symbols, this.#merges, output);
  }

  #symbolsOf(word: string): Symbols {
    const { unknownId, continuingPrefix, wordSuffix, fuseUnknown, byteIds } = this.#options;
    const symbols: Symbols = { ids: [], starts: [], ends: [] };
    let endOfUnknown = -1;
    for (let start = 0; start < word.length; ) {
      const end = start + (isSurrogatePair(word, start) ? 2 : 1);
      let symbol = word.slice(start, end);
      if (start > 0) symbol = continuingPrefix + symbol;
      if (end === word.length) symbol += wordSuffix;
      const id = this.#vocabulary.idOf(symbol);
      if (id !== undefined) pushSymbol(symbols, id, start, end);
      else if (byteIds === undefined || !pushBytes(symbols, byteIds, symbol, start, end)) {
        if (unknownId !== undefined && fuseUnknown && endOfUnknown === start) {
          symbols.ends[symbols.ends.length - 1] = end;
        } else if (unknownId !== undefined) pushSymbol(symbols, unknownId, start, end);
        endOfUnknown = end;
      }
      start = end;
    }
    return symbols;
  }
}

function pushSymbol(symbols: Symbols, id: number, start: number, end: number): void {
  symbols.ids.push(id);
  symbols.starts.push(start);
  symbols.ends.push(end);
}

/** Adds the bytes of a symbol as tokens; false where the vocabulary lacks one of them. */
function pushBytes(symbols: Symbols, byteIds: ByteIds, symbol: string, start: number, end: number): boolean {
  const bytes = encoder.encode(symbol);
  if (bytes.some((byte) => byteIds[byte] === undefined)) return false;
  for (const byte of bytes) pushSymbol(symbols, byteIds[byte]!, start, end);
  return true;
}

/** The model of a `tokenizer.json` whose type is BPE. */
export function readBytePairEncoding(object: JsonObject, place: string): Model {
  if (typeof object.dropout === "number" && object.dropout > 0) {
    throw new QkvError(
      "config",
      `${place}.dropout: random merges are not supported; got ${object.dropout}; set it to null`,
    );
  }
  const vocabulary = readVocabulary(object, "vocab", place);
  const continuingPrefix = readString(object, "continuing_subword_prefix", place, "");
  const unknown = readString(object, "unk_token", place, undefined);
  const byteFallback = readBoolean(object, "byte_fallback", place, false);
  return new BytePairEncoding(vocabulary, readMerges(object, place, vocabulary, continuingPrefix), {
    unknownId: unknown === undefined ? undefined : vocabulary.idOf(unknown),
    continuingPrefix,
    wordSuffix: readString(object, "end_of_word_suffix", place, ""),
    fuseUnknown: readBoolean(object, "fuse_unk", place, false),
    byteIds: byteFallback ? findByteTokens(vocabulary) : undefined,
    ignoreMerges: readBoolean(object, "ignore_merges", place, false),
  });
}

/** The name of the token that stands for a byte where characters fall back to bytes. */
export function byteTokenName(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/** The ids of the 256 byte tokens. */
export function findByteTokens(vocabulary: Vocabulary): ByteIds {
  return Array.from({ length: 256 }, (_, byte) => vocabulary.idOf(byteTokenName(byte)));
}

/** Merges are pairs, or in older files texts with one space between the two. */
function readMerges(
  object: JsonObject,
  place: string,
  vocabulary: Vocabulary,
  continuingPrefix: string,
): MergeTable {
  const merges = readList(object.merges, `${place}.merges`);
  const lefts = new Int32Array(merges.length);
  const rights = new Int32Array(merges.length);
  const results = new Int32Array(merges.length);
  for (let rank = 0; rank < merges.length; rank++) {
    const [left, right] = readMerge(merges[rank], `${place}.merges[${rank}]`);
    const where = `${place}.merges[${rank}]`;
    lefts[rank] = requireToken(vocabulary, left, where);
    rights[rank] = requireToken(vocabulary, right, where);
    results[rank] = requireToken(vocabulary, left + right.slice(continuingPrefix.length), where);
  }
  return makeMergeTable(lefts, rights, results);
}

function readMerge(merge: unknown, place: string): [string, string] {
  if (typeof merge === "string") {
    const space = merge.indexOf(" ");
    if (space > 0 && space < merge.length - 1 && merge.indexOf(" ", space + 1) < 0) {
      return [merge.slice(0, space), merge.slice(space + 1)];
    }
  } else if (Array.isArray(merge) && merge.length === 2) {
    const [left, right]: unknown[] = merge;
    if (typeof left === "string" && typeof right === "string") return [left, right];
  }
  throw wrongKind(place, "two tokens, as a list or with one space between", merge);
}
