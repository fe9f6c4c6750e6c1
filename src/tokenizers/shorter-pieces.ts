import type { Tokenizer } from "./tokenizer.ts";

/** Two tokens that together cover what one covers. */
export type ShorterPieces = readonly [first: number, second: number];

/**
 * For each token the two shorter ones that say the same: the longest beginning that is a token and whose rest is one,
 * too. Tokens that cannot be divided so, and added ones, have none.
 */
export function shorterPieces(tokenizer: Tokenizer): (id: number) => ShorterPieces | undefined {
  const added = new Set(tokenizer.addedTokens.map(({ id }) => id));
  const prefix = continuingPrefix(tokenizer);
  const known = new Map<number, ShorterPieces | undefined>();
  return (id) => {
    if (!known.has(id)) known.set(id, added.has(id) ? undefined : divide(tokenizer, id, prefix));
    return known.get(id);
  };
}

/** What tokens begin with that do not begin a word: WordPiece's `##`. */
function continuingPrefix(tokenizer: Tokenizer): string {
  const { continuing_subword_prefix: prefix } = (tokenizer.toJson().model ?? {}) as Record<string, unknown>;
  return typeof prefix === "string" ? prefix : "";
}

function divide(tokenizer: Tokenizer, id: number, prefix: string): ShorterPieces | undefined {
  const token = tokenizer.idToToken(id) ?? "";
  const start = prefix !== "" && token.startsWith(prefix) ? prefix.length : 0;
  for (let end = token.length - 1; end > start; end--) {
    const first = tokenizer.tokenToId(token.slice(0, end));
    const second = first === undefined ? undefined : tokenizer.tokenToId(prefix + token.slice(end));
    if (first !== undefined && second !== undefined) return [first, second];
  }
  return undefined;
}
