import type { DecodingOptions } from "./decoding-options.ts";

/** A finished sequence: its tokens, the end of sequence included, and its score. */
export interface Hypothesis {
  readonly tokens: readonly number[];
  /** The sum of the tokens' log-probabilities divided by length^lengthPenalty. */
  readonly score: number;
}

/** For each running hypothesis, the log-probabilities of its likeliest next tokens. */
export interface NextTokens {
  /** How many candidates each hypothesis has. */
  readonly candidates: number;
  /** [beam · candidates], each hypothesis's best first. */
  readonly tokens: ArrayLike<number>;
  /** [beam · candidates] */
  readonly logProbabilities: ArrayLike<number>;
}

/**
 * Beam search over one sequence. It keeps `numBeams` running hypotheses; of the best 2 · numBeams continuations those
 * that end become finished if they are among the best numBeams, and the best that do not end run on.
 * The semantics are those of Hugging Face transformers 4.57 (`_beam_search`).
 */
export class BeamSearch {
  readonly #options: DecodingOptions;
  readonly #eosTokenId: number;
  #running: { tokens: readonly number[]; score: number }[];
  #finished: Hypothesis[] = [];
  #length = 0;
  #done = false;

  constructor(options: DecodingOptions, eosTokenId: number) {
    this.#options = options;
    this.#eosTokenId = eosTokenId;
    // All begin alike: only the first may win the first step.
    this.#running = Array.from({ length: options.numBeams }, (_, beam) => ({
      tokens: [],
      score: beam === 0 ? 0 : Number.NEGATIVE_INFINITY,
    }));
  }

  get done(): boolean {
    return this.#done;
  }

  /**
   * Goes on by one token.
   * @param next - the candidates of each running hypothesis
   * @param parents - receives which hypothesis each new one goes on from
   * @param tokens - receives the last token of each
   */
  advance(next: NextTokens, parents: Int32Array, tokens: Int32Array): void {
    const { numBeams, maxNewTokens, lengthPenalty } = this.#options;
    const best = this.#bestContinuations(next, 2 * numBeams);
    this.#length++;
    const running: { tokens: readonly number[]; score: number }[] = [];
    best.forEach(({ parent, token, score }, rank) => {
      const ends = token === this.#eosTokenId || this.#length === maxNewTokens;
      if (ends && rank < numBeams && score > Number.NEGATIVE_INFINITY) {
        const sequence = [...this.#running[parent]!.tokens, token];
        this.#finish({ tokens: sequence, score: score / this.#length ** lengthPenalty });
      } else if (!ends && running.length < numBeams) {
        parents[running.length] = parent;
        tokens[running.length] = token;
        running.push({ tokens: [...this.#running[parent]!.tokens, token], score });
      }
    });
    for (let beam = running.length; beam < numBeams; beam++) {
      parents[beam] = beam;
      tokens[beam] = this.#eosTokenId;
      running.push({ tokens: this.#running[beam]!.tokens, score: Number.NEGATIVE_INFINITY });
    }
    this.#running = running;
    this.#done = this.#length === maxNewTokens || this.#cannotImprove();
  }

  /** The best finished hypotheses, best first. */
  results(): Hypothesis[] {
    return this.#finished.slice(0, this.#options.numReturnSequences);
  }

  #bestContinuations({ candidates, tokens, logProbabilities }: NextTokens, count: number) {
    const all: { parent: number; token: number; score: number }[] = [];
    this.#running.forEach(({ score }, parent) => {
      if (score === Number.NEGATIVE_INFINITY) return;
      for (let index = parent * candidates; index < (parent + 1) * candidates; index++) {
        all.push({ parent, token: tokens[index]!, score: score + logProbabilities[index]! });
      }
    });
    all.sort((left, right) => right.score - left.score);
    return all.slice(0, count);
  }

  #finish(hypothesis: Hypothesis): void {
    const place = this.#finished.findIndex(({ score }) => score < hypothesis.score);
    this.#finished.splice(place < 0 ? this.#finished.length : place, 0, hypothesis);
    if (this.#finished.length > this.#options.numBeams) this.#finished.pop();
  }

  #cannotImprove(): boolean {
    const { numBeams, earlyStopping, lengthPenalty, maxNewTokens } = this.#options;
    const bestRunning = this.#running[0]!.score;
    if (bestRunning === Number.NEGATIVE_INFINITY) return true;
    if (this.#finished.length < numBeams) return false;
    if (earlyStopping === true) return true;
    const length = earlyStopping === "never" && lengthPenalty > 0 ? maxNewTokens : this.#length;
    return bestRunning / length ** lengthPenalty <= this.#finished.at(-1)!.score;
  }
}
