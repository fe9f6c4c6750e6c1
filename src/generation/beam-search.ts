import { randomKey } from "../util/random.ts";
import { forceToken } from "./logits-processors.ts";
import { beamsToKeep, type ProcessorChain, processorChain } from "./processor-chain.ts";
import { gumbelNoise, largestPlaces } from "./sampling.ts";
import { endingOf, type Hypothesis, type NextScores, type Search, type SearchSettings } from "./search.ts";

interface Running {
  readonly tokens: readonly number[];
  readonly logProbabilities: readonly number[];
  readonly score: number;
}

interface Continuation {
  readonly parent: number;
  readonly token: number;
  readonly logProbability: number;
  /** Of the whole sequence. */
  readonly score: number;
  /** By what it is ranked: its score, or that plus the noise that makes it a draw. */
  readonly rank: number;
}

/**
 * Beam search over one sequence. It keeps `numBeams` running hypotheses; of the best 2 · numBeams continuations those
 * that end become finished if they are among the best numBeams, and the best that do not end run on. When sampling,
 * the 2 · numBeams are drawn without replacement instead.
 * The semantics are those of Hugging Face transformers 4.57 (`_beam_search`).
 */
export class BeamSearch implements Search {
  readonly #settings: SearchSettings;
  readonly #chain: ProcessorChain;
  #running: Running[];
  #finished: Hypothesis[] = [];
  #length = 0;
  #done = false;

  constructor(settings: SearchSettings) {
    this.#settings = settings;
    const { options, prompt } = settings;
    this.#chain = processorChain(options, { ...settings, promptLength: prompt.length });
    // All begin alike: only the first may win the first step.
    this.#running = Array.from({ length: options.numBeams }, (_, beam) => ({
      tokens: [],
      logProbabilities: [],
      score: beam === 0 ? 0 : Number.NEGATIVE_INFINITY,
    }));
  }

  get done(): boolean {
    return this.#done;
  }

  advance(next: readonly NextScores[], parents: Int32Array, tokens: Int32Array): void {
    const { options, endIds } = this.#settings;
    const { numBeams, lengthPenalty } = options;
    const best = this.#bestContinuations(next, beamsToKeep(numBeams, endIds.length));
    this.#length++;
    const running: Running[] = [];
    best.forEach(({ parent, token, logProbability, score }, rank) => {
      if (running.length === numBeams && rank >= numBeams) return;
      const from = this.#running[parent]!;
      const sequence = [...from.tokens, token];
      const ending = endingOf(this.#settings, sequence);
      if (ending !== undefined ? rank >= numBeams : running.length === numBeams) return;
      const logProbabilities = [...from.logProbabilities, logProbability];
      if (ending !== undefined) {
        const normalised = score / this.#length ** lengthPenalty;
        this.#finish({ tokens: sequence, score: normalised, logProbabilities, ending });
      } else {
        parents[running.length] = parent;
        tokens[running.length] = token;
        running.push({ tokens: sequence, logProbabilities, score });
      }
    });
    for (let beam = running.length; beam < numBeams; beam++) {
      parents[beam] = beam;
      tokens[beam] = endIds[0] ?? 0;
      running.push({ ...this.#running[beam]!, score: Number.NEGATIVE_INFINITY });
    }
    this.#running = running;
    this.#done = this.#length === this.#settings.maxNewTokens || this.#cannotImprove();
  }

  results(): Hypothesis[] {
    return this.#finished.slice(0, this.#settings.options.numReturnSequences);
  }

  #bestContinuations(next: readonly NextScores[], count: number): Continuation[] {
    const { options, prompt, sequence } = this.#settings;
    const all: Continuation[] = [];
    this.#running.forEach((from, parent) => {
      if (from.score === Number.NEGATIVE_INFINITY) return;
      const row = next[parent]!;
      const { scores, tokens } = row;
      for (let place = 0; place < scores.length; place++) scores[place]! -= row.normaliser;
      this.#process(row, [...prompt, ...from.tokens]);
      const ranks = options.doSample ? scores.slice() : scores;
      if (options.doSample) {
        const key = randomKey(options.seed, `beams:${sequence}:${parent}`, this.#length);
        for (let place = 0; place < ranks.length; place++) {
          if (scores[place] === Number.NEGATIVE_INFINITY) continue;
          ranks[place]! += gumbelNoise(key, tokens === undefined ? place : tokens[place]!);
        }
      }
      for (const place of largestPlaces(ranks, count)) {
        all.push({
          parent,
          token: tokens === undefined ? place : tokens[place]!,
          logProbability: scores[place]!,
          score: from.score + scores[place]!,
          rank: from.score + ranks[place]!,
        });
      }
    });
    all.sort((left, right) => right.rank - left.rank);
    return all.slice(0, count);
  }

  #process(row: NextScores, ids: readonly number[]): void {
    const forced = this.#chain.forced(ids);
    if (forced !== undefined) forceToken(row, forced);
    else for (const processor of this.#chain.processors) processor(row, ids);
  }

  #finish(hypothesis: Hypothesis): void {
    const place = this.#finished.findIndex(({ score }) => score < hypothesis.score);
    this.#finished.splice(place < 0 ? this.#finished.length : place, 0, hypothesis);
    if (this.#finished.length > this.#settings.options.numBeams) this.#finished.pop();
  }

  #cannotImprove(): boolean {
    const { numBeams, earlyStopping, lengthPenalty } = this.#settings.options;
    const bestRunning = this.#running[0]!.score;
    if (bestRunning === Number.NEGATIVE_INFINITY) return true;
    if (this.#finished.length < numBeams) return false;
    if (earlyStopping === true) return true;
    const longest = earlyStopping === "never" && lengthPenalty > 0;
    const length = longest ? this.#settings.maxNewTokens : this.#length;
    return bestRunning / length ** lengthPenalty <= this.#finished.at(-1)!.score;
  }
}
