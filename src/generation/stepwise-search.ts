import { QkvError } from "../util/errors.ts";
import { randomKey } from "../util/random.ts";
import { type ProcessorChain, processorChain } from "./processor-chain.ts";
import { argMax, drawPlace } from "./sampling.ts";
import { endingOf, type Hypothesis, type NextScores, type Search, type SearchSettings } from "./search.ts";

interface Row {
  readonly tokens: number[];
  readonly logProbabilities: number[];
  ending: Hypothesis["ending"] | undefined;
}

/**
 * Greedy search, or sampling: each hypothesis goes on by itself, with the likeliest next token or with one that is
 * drawn, until it ends.
 */
export class StepwiseSearch implements Search {
  readonly #settings: SearchSettings;
  readonly #chain: ProcessorChain;
  readonly #rows: Row[];

  constructor(settings: SearchSettings) {
    this.#settings = settings;
    const { options, prompt } = settings;
    this.#chain = processorChain(options, { ...settings, promptLength: prompt.length });
    this.#rows = Array.from({ length: options.numReturnSequences }, () => ({
      tokens: [],
      logProbabilities: [],
      ending: undefined,
    }));
  }

  get done(): boolean {
    return this.#rows.every(({ ending }) => ending !== undefined);
  }

  advance(next: readonly NextScores[], parents: Int32Array, tokens: Int32Array): void {
    const { sequence, onToken, endIds } = this.#settings;
    this.#rows.forEach((row, hypothesis) => {
      parents[hypothesis] = hypothesis;
      tokens[hypothesis] = endIds[0] ?? 0;
      if (row.ending !== undefined) return;
      const { token, logProbability } = this.#choose(row, next[hypothesis]!, hypothesis);
      row.tokens.push(token);
      row.logProbabilities.push(logProbability);
      row.ending = endingOf(this.#settings, row.tokens);
      tokens[hypothesis] = token;
      onToken?.({ sequence, hypothesis, token, logProbability, last: row.ending !== undefined });
    });
  }

  results(): Hypothesis[] {
    const { lengthPenalty } = this.#settings.options;
    return this.#rows.map(({ tokens, logProbabilities, ending }) => {
      const sum = logProbabilities.reduce((left, right) => left + right, 0);
      return {
        tokens,
        logProbabilities,
        score: sum / tokens.length ** lengthPenalty,
        ending: ending ?? "length",
      };
    });
  }

  #choose(row: Row, next: NextScores, hypothesis: number): { token: number; logProbability: number } {
    const { options, prompt, sequence } = this.#settings;
    const { processors, forced } = this.#chain;
    const ids = [...prompt, ...row.tokens];
    const forcedToken = forced(ids);
    if (forcedToken !== undefined) return { token: forcedToken, logProbability: 0 };
    const { tokens, scores, normaliser } = next;
    const processed =
      processors.length === 0 ? next : { scores: scores.slice(), ...(tokens !== undefined && { tokens }) };
    for (const processor of processors) processor(processed, ids);
    const draw = sequence * options.numReturnSequences + hypothesis;
    const place = options.doSample
      ? drawPlace(processed, randomKey(options.seed, `sample:${draw}`, row.tokens.length))
      : argMax(processed.scores);
    if (processed.scores[place] === Number.NEGATIVE_INFINITY) {
      throw new QkvError(
        "option",
        `generation: every token is forbidden after ${row.tokens.length} tokens; forbid fewer (badWordsIds, suppressTokens, noRepeatNgramSize, minLength)`,
      );
    }
    return {
      token: tokens === undefined ? place : tokens[place]!,
      logProbability: scores[place]! - normaliser,
    };
  }
}
