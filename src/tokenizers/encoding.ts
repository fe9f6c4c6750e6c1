/**
 * A text as tokens. All lists have one entry for each token.
 * Offsets are pairs of start and end in UTF-16 units of the text that the token comes from;
 * tokens that come from no text have (0, 0).
 */
export interface Encoding {
  ids: number[];
  tokens: string[];
  offsets: [start: number, end: number][];
  /** 0 for the first text, 1 for the second, or what the template of the tokenizer says. */
  typeIds: number[];
  /** The number of the word, counted from 0 in each text; null for special tokens and padding. */
  wordIds: (number | null)[];
  /** 0 for tokens of the first text, 1 for the second; null for special tokens and padding. */
  sequenceIds: (number | null)[];
  /** 1 where the token was added by the tokenizer (template or padding), 0 where it comes from a text. */
  specialTokensMask: number[];
  /** 0 for padding, else 1. */
  attentionMask: number[];
  /** What truncation cut off, as further encodings. */
  overflowing: Encoding[];
}

/** An encoding without tokens. */
export function emptyEncoding(): Encoding {
  return {
    ids: [],
    tokens: [],
    offsets: [],
    typeIds: [],
    wordIds: [],
    sequenceIds: [],
    specialTokensMask: [],
    attentionMask: [],
    overflowing: [],
  };
}

/** Adds one token at the end. */
export function pushToken(
  encoding: Encoding,
  token: {
    id: number;
    token: string;
    offset?: [number, number];
    typeId?: number;
    wordId?: number | null;
    sequenceId?: number | null;
    special?: boolean;
    attended?: boolean;
  },
): void {
  encoding.ids.push(token.id);
  encoding.tokens.push(token.token);
  encoding.offsets.push(token.offset ?? [0, 0]);
  encoding.typeIds.push(token.typeId ?? 0);
  encoding.wordIds.push(token.wordId ?? null);
  encoding.sequenceIds.push(token.sequenceId ?? null);
  encoding.specialTokensMask.push(token.special ? 1 : 0);
  encoding.attentionMask.push(token.attended === false ? 0 : 1);
}

/** The tokens from `from` up to, not including, `to`, without what overflowed. */
export function sliceEncoding(encoding: Encoding, from: number, to: number): Encoding {
  return {
    ids: encoding.ids.slice(from, to),
    tokens: encoding.tokens.slice(from, to),
    offsets: encoding.offsets.slice(from, to),
    typeIds: encoding.typeIds.slice(from, to),
    wordIds: encoding.wordIds.slice(from, to),
    sequenceIds: encoding.sequenceIds.slice(from, to),
    specialTokensMask: encoding.specialTokensMask.slice(from, to),
    attentionMask: encoding.attentionMask.slice(from, to),
    overflowing: [],
  };
}

/** Adds the tokens of `added` at the end of `encoding`; what overflowed from `added` is left out. */
export function appendEncoding(encoding: Encoding, added: Encoding): void {
  for (let index = 0; index < added.ids.length; index++) {
    encoding.ids.push(added.ids[index]!);
    encoding.tokens.push(added.tokens[index]!);
    encoding.offsets.push(added.offsets[index]!);
    encoding.typeIds.push(added.typeIds[index]!);
    encoding.wordIds.push(added.wordIds[index]!);
    encoding.sequenceIds.push(added.sequenceIds[index]!);
    encoding.specialTokensMask.push(added.specialTokensMask[index]!);
    encoding.attentionMask.push(added.attentionMask[index]!);
  }
}
