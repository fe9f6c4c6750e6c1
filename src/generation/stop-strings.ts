/**
 * Tells whether the text of tokens holds one of the stop strings. It is asked after each token, so only the last
 * ones are looked at: as many as a stop string has bytes, since a token has at least one, and one more.
 * @param decode - the text of tokens, special ones included
 */
export function stopStringCheck(
  stopStrings: readonly string[],
  decode: (tokens: readonly number[]) => string,
): (tokens: readonly number[]) => boolean {
  const longest = Math.max(...stopStrings.map((text) => new TextEncoder().encode(text).length));
  return (tokens) => {
    const text = decode(tokens.slice(-longest - 1));
    return stopStrings.some((stop) => text.includes(stop));
  };
}
