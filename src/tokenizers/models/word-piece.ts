import { isSurrogatePair } from "../aligned-text.ts";
import { type JsonObject, readCount, readString } from "../json.ts";
import type { Model, WordTokens } from "./model.ts";
import { readVocabulary, requireToken, type Vocabulary } from "./vocabulary.ts";

/**
 * WordPiece: from the left, the longest token that fits is taken, with a prefix where it does not begin the word.
 * A word that cannot be taken apart so, or is too long, is unknown as a whole.
 *
 * Source: google-research/bert, tokenization.py, WordpieceTokenizer.
 */
class WordPiece implements Model {
  readonly #vocabulary: Vocabulary;
  readonly #unknownId: number;
  readonly #prefix: string;
  readonly #maxCharacters: number;
  /** The length of the longest token that can begin a word, and of the longest that can continue one. */
  readonly #longestFirst: number;
  readonly #longestNext: number;

  constructor(vocabulary: Vocabulary, unknownId: number, prefix: string, maxCharacters: number) {
    this.#vocabulary = vocabulary;
    this.#unknownId = unknownId;
    this.#prefix = prefix;
    this.#maxCharacters = maxCharacters;
    let first = 0;
    let next = 0;
    for (const [token] of vocabulary.entries()) {
      first = Math.max(first, token.length);
      if (token.startsWith(prefix)) next = Math.max(next, token.length - prefix.length);
    }
    this.#longestFirst = first;
    this.#longestNext = next;
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
    const before = output.ids.length;
    if (isLongerThan(word, this.#maxCharacters) || !this.#takeApart(word, output)) {
      output.ids.length = before;
      output.starts.length = before;
      output.ends.length = before;
      output.ids.push(this.#unknownId);
      output.starts.push(0);
      output.ends.push(word.length);
    }
  }

  #takeApart(word: string, output: WordTokens): boolean {
    for (let start = 0; start < word.length; ) {
      const longest = start === 0 ? this.#longestFirst : this.#longestNext;
      let end = Math.min(word.length, start + longest);
      let id: number | undefined;
      for (; end > start; end--) {
        const piece = word.slice(start, end);
        id = this.#vocabulary.idOf(start === 0 ? piece : this.#prefix + piece);
        if (id !== undefined) break;
      }
      if (id === undefined) return false;
      output.ids.push(id);
      output.starts.push(start);
      output.ends.push(end);
      start = end;
    }
    return true;
  }
}

function isLongerThan(word: string, characters: number): boolean {
  if (word.length <= characters) return false;
  let count = 0;
  for (let index = 0; index < word.length; index += isSurrogatePair(word, index) ? 2 : 1) count++;
  return count > characters;
}

/** The model of a `tokenizer.json` whose type is WordPiece. */
export function readWordPiece(object: JsonObject, place: string): Model {
  const vocabulary = readVocabulary(object, "vocab", place);
  const unknown = readString(object, "unk_token", place, "[UNK]");
  return new WordPiece(
    vocabulary,
    requireToken(vocabulary, unknown, `${place}.unk_token`),
    readString(object, "continuing_subword_prefix", place, "##"),
    readCount(object, "max_input_chars_per_word", place, 100),
  );
}
