import { log, max, softmax, subtract, topK } from "../graph/build.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { DeviceArray } from "../runtime/device.ts";
import { notFinite } from "../util/errors.ts";
import type { NextScores } from "./search.ts";

/**
 * What of a step's logits leaves the graph: the likeliest tokens of each row with their scores, or with 0
 * candidates all scores; and of each row the number that turns scores into log-probabilities.
 * @param logits - [..., vocab]
 */
export function scoreOutputs(logits: Tensor, candidates: number): Map<string, Tensor> {
  // max(logits) - log(max(softmax)) is log(sum(exp(logits))).
  const normalisers = subtract(max(logits, ["vocab"]), log(max(softmax(logits, "vocab"), ["vocab"])));
  const outputs = new Map([["normalisers", normalisers]]);
  if (candidates === 0) return outputs.set("scores", logits);
  const [scores, tokens] = topK(logits, "vocab", candidates, "candidate");
  return outputs.set("scores", scores).set("tokens", tokens);
}

/** The scores of a batch of sequences: some rows for each, either one that all hypotheses share or one for each. */
export class StepScores {
  readonly #scores: Float32Array;
  readonly #tokens: Int32Array | undefined;
  readonly #normalisers: Float32Array;
  readonly #rowsPerSequence: number;

  private constructor(
    scores: Float32Array,
    tokens: Int32Array | undefined,
    normalisers: Float32Array,
    rowsPerSequence: number,
  ) {
    this.#scores = scores;
    this.#tokens = tokens;
    this.#normalisers = normalisers;
    this.#rowsPerSequence = rowsPerSequence;
  }

  /** @param results - of a program with `scoreOutputs` @throws QkvError "weights" where they are no numbers */
  static async read(results: ReadonlyMap<string, DeviceArray>, rowsPerSequence: number): Promise<StepScores> {
    const tokens = await results.get("tokens")?.read();
    const normalisers = (await results.get("normalisers")!.read()) as Float32Array;
    if (!normalisers.every(Number.isFinite)) throw notFinite("generation", "scores of tokens");
    return new StepScores(
      (await results.get("scores")!.read()) as Float32Array,
      tokens as Int32Array | undefined,
      normalisers,
      rowsPerSequence,
    );
  }

  /** The rows of one sequence's hypotheses; each may be changed without changing another. */
  of(sequence: number, hypotheses: number): NextScores[] {
    const width = this.#scores.length / this.#normalisers.length;
    return Array.from({ length: hypotheses }, (_, hypothesis) => {
      const row = sequence * this.#rowsPerSequence + Math.min(hypothesis, this.#rowsPerSequence - 1);
      const tokens = this.#tokens?.slice(row * width, (row + 1) * width);
      return {
        scores: this.#scores.slice(row * width, (row + 1) * width),
        normaliser: this.#normalisers[row]!,
        ...(tokens !== undefined && { tokens }),
      };
    });
  }
}
