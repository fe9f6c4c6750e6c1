import { QkvError } from "../util/errors.ts";
import { BeamSearch } from "./beam-search.ts";
import { type DecodingOptions, newTokenLimit } from "./decoding-options.ts";
import type { Hypothesis, Search, TokenEvent } from "./search.ts";
import type { StepScores } from "./step-scores.ts";
import { StepwiseSearch } from "./stepwise-search.ts";
import { stopStringCheck } from "./stop-strings.ts";

/** What a call may have besides its data and options. */
export interface GenerationControls {
  /** Stops generation between two tokens; the call then fails with an error of code "interrupted". */
  readonly signal?: AbortSignal | undefined;
  /** Hears of each token as soon as it is there. Hypotheses of a beam search change their minds, so not with beams. */
  readonly onToken?: ((event: TokenEvent) => void) | undefined;
  /** The text of tokens; stopStrings need it. */
  readonly decodeText?: ((tokens: readonly number[]) => string) | undefined;
}

/** A batch whose sequences are written token by token, each in several hypotheses. */
export interface DecodingBatch {
  /** The scores of what follows these tokens. @param tokens - [sequence · hypothesis] */
  next(tokens: Int32Array): Promise<StepScores>;
  reorder(parents: Int32Array): void;
  select(sequences: readonly number[]): void;
}

/** How many hypotheses stand side by side. */
export function hypothesisCount({ numBeams, numReturnSequences }: DecodingOptions): number {
  return numBeams > 1 ? numBeams : numReturnSequences;
}

/** The tokens that end a sequence. @param ofModel - those where the options name none */
export function endIdsOf(options: DecodingOptions, ofModel: number | readonly number[]): number[] {
  return [options.eosTokenId ?? ofModel].flat();
}

/** How many tokens may come after so many: the last one is never read, so it needs no position. */
export function roomAfter(length: number, maxPositions: number): number {
  return maxPositions - length + 1;
}

/**
 * One search for each sequence.
 * @param prompts - the tokens that processors look at
 * @param rooms - how many tokens each may get by the model's positions
 */
export function startSearches(
  prompts: readonly (readonly number[])[],
  rooms: readonly number[],
  options: DecodingOptions,
  endIds: readonly number[],
  { onToken, decodeText }: GenerationControls,
): Search[] {
  if (onToken !== undefined && options.numBeams > 1) {
    throw new QkvError(
      "option",
      `generation: beams change their minds, so their tokens cannot be streamed; got numBeams ${options.numBeams}; use 1`,
    );
  }
  const { stopStrings } = options;
  if (stopStrings.length > 0 && decodeText === undefined) {
    throw new QkvError("option", "generation: stopStrings need a tokenizer; give decodeText");
  }
  const stops = stopStrings.length > 0 ? stopStringCheck(stopStrings, decodeText!) : undefined;
  return prompts.map((prompt, sequence) => {
    const maxNewTokens = newTokenLimit(options, prompt.length, rooms[sequence]!);
    const settings = { options, prompt, maxNewTokens, endIds, sequence, stops, onToken };
    return options.numBeams > 1 ? new BeamSearch(settings) : new StepwiseSearch(settings);
  });
}

/**
 * Runs searches to their end, all in one batch.
 * @param first - the scores of each sequence's first token
 * @returns for each sequence its hypotheses
 */
export async function decode(
  searches: readonly Search[],
  hypotheses: number,
  first: StepScores,
  batch: DecodingBatch,
  signal: AbortSignal | undefined,
): Promise<Hypothesis[][]> {
  let active = searches.map((_, index) => index);
  let scores = first;
  for (;;) {
    const parents = Int32Array.from({ length: active.length * hypotheses }, (_, row) => row % hypotheses);
    let tokens = new Int32Array(active.length * hypotheses);
    active.forEach((sequence, place) => {
      const rows = [place * hypotheses, (place + 1) * hypotheses] as const;
      const search = searches[sequence]!;
      if (!search.done) {
        search.advance(scores.of(place, hypotheses), parents.subarray(...rows), tokens.subarray(...rows));
      }
    });
    const going = [...active.keys()].filter((place) => !searches[active[place]!]!.done);
    if (going.length === 0) break;
    if (signal?.aborted) {
      throw new QkvError("interrupted", "generation: stopped on request", { cause: signal.reason });
    }
    batch.reorder(parents);
    // Sequences that are done are dropped when that saves enough to be worth the copying.
    if (going.length <= active.length * 0.75) {
      batch.select(going);
      tokens = Int32Array.from(
        going.flatMap((place) => [...tokens.subarray(place * hypotheses, (place + 1) * hypotheses)]),
      );
      active = going.map((place) => active[place]!);
    }
    scores = await batch.next(tokens);
  }
  return searches.map((search) => {
    const results = search.results();
    if (results.length > 0) return results;
    throw new QkvError(
      "option",
      "generation: no hypothesis could be finished, since every continuation is forbidden; forbid fewer tokens",
    );
  });
}
