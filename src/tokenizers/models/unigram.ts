import { QkvError } from "../../util/errors.ts";
import { isSurrogatePair } from "../aligned-text.ts";
import { type JsonObject, readBoolean, readCount, readList, wrongKind } from "../json.ts";
import { type ByteIds, byteTokenName } from "./byte-pair-encoding.ts";
import type { Model, WordTokens } from "./model.ts";
import { Trie } from "./trie.ts";

const unknownPenalty = 10;
const encoder = new TextEncoder();

/**
 * A unigram language model: of all ways to cut a word into tokens, the one whose log probabilities sum up to the
 * most. A character that begins no token counts as unknown, with 10 less than the smallest log probability;
 * unknown characters side by side become one token. Of equal sums, the way whose last token is longest is taken.
 *
 * Source: Kudo 2018, "Subword Regularization", section 3.2; the penalty from google/sentencepiece.
 */
class Unigram implements Model {
  readonly #tokens: readonly string[];
  readonly #scores: Float64Array;
  readonly #ids = new Map<string, number>();
  readonly #trie: Trie;
  readonly #unknownId: number | undefined;
  readonly #unknownScore: number;
  readonly #byteIds: ByteIds | undefined;
  #bestScores = new Float64Array(64);
  #bestStarts = new Int32Array(64);
  #bestIds = new Int32Array(64);

  constructor(
    tokens: readonly string[],
    scores: Float64Array,
    unknownId: number | undefined,
    byteFallback: boolean,
  ) {
    this.#tokens = tokens;
    this.#scores = scores;
    this.#trie = new Trie(tokens);
    this.#unknownId = unknownId;
    let least = Number.POSITIVE_INFINITY;
    for (const score of scores) least = Math.min(least, score);
    this.#unknownScore = least - unknownPenalty;
    tokens.forEach((token, id) => {
      this.#ids.set(token, id);
    });
    if (byteFallback) {
      this.#byteIds = Array.from({ length: 256 }, (_, byte) => this.#ids.get(byteTokenName(byte)));
    }
  }

  get vocabSize(): number {
    return this.#ids.size;
  }

  get idLimit(): number {
    return this.#tokens.length;
  }

  get idShownAsText(): number {
    return this.#unknownId ?? -1;
  }

  tokenToId(token: string): number | undefined {
    return this.#ids.get(token);
  }

  idToToken(id: number): string | undefined {
    return this.#tokens[id];
  }

  encodeWord(word: string, output: WordTokens): void {
    this.#findBestPath(word);
    const begin = output.ids.length;
    let fusedEnd = -1;
    for (let end = word.length; end > 0; ) {
      const start = this.#bestStarts[end]!;
      const id = this.#bestIds[end]!;
      if (id === this.#unknownId) {
        if (fusedEnd < 0) fusedEnd = end;
        const isFirst = start === 0 || this.#bestIds[start] !== this.#unknownId;
        if (isFirst) {
          this.#pushUnknown(word, start, fusedEnd, output);
          fusedEnd = -1;
        }
      } else pushToken(output, id, start, end);
      end = start;
    }
    reverseFrom(output.ids, begin);
    reverseFrom(output.starts, begin);
    reverseFrom(output.ends, begin);
  }

  /** Adds unknown text, which may be the text of a token; the list is being filled from the word's end. */
  #pushUnknown(word: string, start: number, end: number, output: WordTokens): void {
    const text = word.slice(start, end);
    const whole = this.#ids.get(text);
    if (whole === undefined && this.#byteIds !== undefined) {
      const ids = Array.from(encoder.encode(text), (byte) => this.#byteIds![byte]);
      if (ids.every((id) => id !== undefined)) {
        for (const id of ids.reverse()) pushToken(output, id, start, end);
        return;
      }
    }
    pushToken(output, whole ?? this.#unknownId!, start, end);
  }

  /** Fills, for each place, the last token of the best way to get there. */
  #findBestPath(word: string): void {
    const length = word.length;
    this.#reserve(length + 1);
    const scores = this.#bestScores;
    const starts = this.#bestStarts.fill(-1, 0, length + 1);
    const ids = this.#bestIds;
    const trie = this.#trie;
    scores[0] = 0;
    for (let start = 0; start < length; ) {
      const step = isSurrogatePair(word, start) ? 2 : 1;
      const scoreHere = scores[start]!;
      let hasSingle = false;
      let node = trie.root;
      for (let end = start + 1; end <= length; end++) {
        node = trie.child(node, word.charCodeAt(end - 1));
        if (node < 0) break;
        const id = trie.valueAt(node);
        if (id < 0) continue;
        const score = this.#scores[id]! + scoreHere;
        if (starts[end]! < 0 || score > scores[end]!) {
          scores[end] = score;
          starts[end] = start;
          ids[end] = id;
        }
        if (end - start === step) hasSingle = true;
      }
      if (!hasSingle) {
        const end = start + step;
        const score = this.#unknownScore + scoreHere;
        if (starts[end]! < 0 || score > scores[end]!) {
          scores[end] = score;
          starts[end] = start;
          ids[end] = this.#requireUnknown(word.slice(start, end));
        }
      }
      start += step;
    }
  }

  #requireUnknown(character: string): number {
    if (this.#unknownId !== undefined) return this.#unknownId;
    throw new QkvError(
      "data",
      `tokenizer: the character ${JSON.stringify(character)} is in no token, and the model has no unknown token`,
    );
  }

  #reserve(length: number): void {
    if (length <= this.#bestScores.length) return;
    const capacity = 2 * length;
    this.#bestScores = new Float64Array(capacity);
    this.#bestStarts = new Int32Array(capacity);
    this.#bestIds = new Int32Array(capacity);
  }
}

function pushToken(output: WordTokens, id: number, start: number, end: number): void {
  output.ids.push(id);
  output.starts.push(start);
  output.ends.push(end);
}

function reverseFrom(list: number[], begin: number): void {
  for (let low = begin, high = list.length - 1; low < high; low++, high--) {
    const value = list[low]!;
    list[low] = list[high]!;
    list[high] = value;
  }
}

/** The model of a `tokenizer.json` whose type is Unigram. */
export function readUnigram(object: JsonObject, place: string): Model {
  const vocab = readList(object.vocab, `${place}.vocab`);
  const scores = new Float64Array(vocab.length);
  const tokens = vocab.map((entry, id) => {
    const [token, score] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof token !== "string" || typeof score !== "number") {
      throw wrongKind(`${place}.vocab[${id}]`, "a list of a token and its log probability", entry);
    }
    scores[id] = score;
    return token;
  });
  const unknownId = readCount(object, "unk_id", place, undefined);
  if (unknownId !== undefined && unknownId >= tokens.length) {
    throw wrongKind(`${place}.unk_id`, `an id below ${tokens.length}`, unknownId);
  }
  return new Unigram(tokens, scores, unknownId, readBoolean(object, "byte_fallback", place, false));
}
