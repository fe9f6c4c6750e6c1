import type { Hypothesis, TokenEvent } from "../generation/search.ts";

/** A token as soon as it is written, with the text that is certain now. */
export interface WrittenToken {
  /** The number of the input in its list. */
  readonly index: number;
  /** Which of its numReturnSequences results. */
  readonly hypothesis: number;
  readonly token: number;
  /**
   * What is added to the text; nothing while a character lacks bytes, or where a token has no text. Together it is the
   * result, as far as later tokens change nothing before them.
   */
  readonly text: string;
  /** By the model; a token that was forced has 0. */
  readonly logProbability: number;
  /** Whether it is the last one. */
  readonly last: boolean;
}

/** What bytes that are not a whole character yet are decoded to. */
const unfinished = "\ufffd";

/**
 * Tells of tokens with the text that each adds.
 * @param textOf - the text of all tokens of an input that are there so far
 * @param onToken - who listens
 */
export function tokenTeller(
  textOf: (index: number, tokens: readonly number[]) => string,
  onToken: (token: WrittenToken) => void,
): (index: number, event: Omit<TokenEvent, "sequence">) => void {
  const written = new Map<string, { readonly tokens: number[]; text: string }>();
  return (index, { hypothesis, token, logProbability, last }) => {
    const key = `${index}/${hypothesis}`;
    const row = written.get(key) ?? { tokens: [], text: "" };
    written.set(key, row);
    row.tokens.push(token);
    const all = textOf(index, row.tokens);
    const isCertain = last || (!all.endsWith(unfinished) && all.startsWith(row.text));
    const text = isCertain ? all.slice(row.text.length) : "";
    if (isCertain) row.text = all;
    onToken({ index, hypothesis, token, text, logProbability, last });
  };
}

/** Tells of the tokens of results that are there already. */
export function tellFinished(
  index: number,
  hypotheses: readonly Hypothesis[],
  tell: ReturnType<typeof tokenTeller>,
): void {
  hypotheses.forEach(({ tokens, logProbabilities }, hypothesis) => {
    tokens.forEach((token, place) => {
      const last = place === tokens.length - 1;
      tell(index, { hypothesis, token, logProbability: logProbabilities[place]!, last });
    });
  });
}
