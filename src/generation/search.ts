import type { DecodingOptions } from "./decoding-options.ts";
import type { ScoreRow } from "./logits-processors.ts";

/** A finished sequence: its tokens, the end of sequence included, and its score. */
export interface Hypothesis {
  readonly tokens: readonly number[];
  /** The sum of the tokens' log-probabilities divided by length^lengthPenalty. */
  readonly score: number;
  /**
   * Of each token: by the model, or in a search with beams what the processors made of it, since there the score
   * is their sum. A token that was forced has 0.
   */
  readonly logProbabilities: readonly number[];
  /** Why it ended: an end token, a stop string, or the most tokens. */
  readonly ending: "end" | "stop" | "length";
}

/** What the model says of one hypothesis's next token. A search may change the scores in place. */
export interface NextScores extends ScoreRow {
  /** score - normaliser is the log-probability. */
  readonly normaliser: number;
}

/** Writes one sequence, in one or more hypotheses side by side. */
export interface Search {
  readonly done: boolean;
  /**
   * Goes on by one token.
   * @param next - the scores for each hypothesis
   * @param parents - receives which hypothesis each new one goes on from
   * @param tokens - receives the last token of each
   */
  advance(next: readonly NextScores[], parents: Int32Array, tokens: Int32Array): void;
  /** The finished hypotheses, best first where they compete. */
  results(): Hypothesis[];
}

/** What a search depends on. */
export interface SearchSettings {
  readonly options: DecodingOptions;
  /** Tokens of the prompt, or what the decoder starts from: processors look at them too. */
  readonly prompt: readonly number[];
  readonly maxNewTokens: number;
  readonly endIds: readonly number[];
  /** The sequence's number in its batch; with the seed it decides what is drawn. */
  readonly sequence: number;
  /** Whether the text of the tokens holds a stop string. */
  readonly stops?: ((tokens: readonly number[]) => boolean) | undefined;
  readonly onToken?: ((event: TokenEvent) => void) | undefined;
}

/** One token, as soon as it is generated. */
export interface TokenEvent {
  /** The number of the prompt or source in its batch. */
  readonly sequence: number;
  /** Which of its numReturnSequences draws. */
  readonly hypothesis: number;
  readonly token: number;
  readonly logProbability: number;
  /** Whether it is the last one. */
  readonly last: boolean;
}

/** Why a sequence ends with its last token, or undefined where it goes on. */
export function endingOf(
  { endIds, stops, maxNewTokens }: SearchSettings,
  tokens: readonly number[],
): Hypothesis["ending"] | undefined {
  if (endIds.includes(tokens.at(-1)!)) return "end";
  if (stops?.(tokens)) return "stop";
  return tokens.length >= maxNewTokens ? "length" : undefined;
}
