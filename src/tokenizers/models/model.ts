/**
 * The tokens of one word. Token `k` has the id `ids[k]` and covers the units `starts[k]` up to, not including,
 * `ends[k]` of the word.
 */
export interface WordTokens {
  readonly ids: number[];
  readonly starts: number[];
  readonly ends: number[];
}

/** A stage that turns words into tokens. */
export interface Model {
  /** One more than the largest id. */
  readonly idLimit: number;
  /** How many tokens the vocabulary has. */
  readonly vocabSize: number;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
  /** Adds the tokens of a word that is not empty. */
  encodeWord(word: string, output: WordTokens): void;
  /** The id whose tokens are shown as the text that they cover (Unigram's unknown token), if there is one. */
  readonly idShownAsText?: number;
}
