import { expect } from "vitest";
import type { DecodingOptions } from "../../src/generation/decoding-options.ts";
import { completeGenerationOptions, readGenerationOptions } from "../../src/generation/generation-config.ts";
import type { Hypothesis } from "../../src/generation/search.ts";
import { readSharedJson } from "../shared.ts";
import { expectClose, type GoldenTensor } from "./compare.ts";

/** One call of `generate` of the reference. */
export interface GenerationRun {
  readonly name: string;
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly inputs: { readonly input_ids: number[][]; readonly attention_mask?: number[][] };
  readonly generated: number[][];
  readonly sequences_scores?: number[];
  readonly step_logits?: { readonly tensor: string };
}

/** The runs of a folder of goldens, each with all options that act in it. */
export function generationRuns(folder: string): [name: string, GenerationRun, Partial<DecodingOptions>][] {
  const { generate } = readSharedJson<{ generate: GenerationRun[] }>(`${folder}/golden.json`);
  const file = readGenerationOptions(readSharedJson(`${folder}/generation_config.json`), {
    where: `${folder}/generation_config.json`,
    unknownKeys: "refuse",
  });
  return generate.map((run) => {
    const given = readGenerationOptions(run.kwargs, { where: run.name, unknownKeys: "refuse" });
    return [run.name, run, completeGenerationOptions(file, given)];
  });
}

/** Compares what was generated with the reference: ids exactly, scores within its tolerance. */
export function expectRun(run: GenerationRun, got: readonly (readonly Hypothesis[])[]): void {
  const hypotheses = got.flat();
  expect(hypotheses.map(({ tokens }) => tokens)).toEqual(run.generated);
  if (run.sequences_scores === undefined) return;
  const scores = hypotheses.map(({ score }) => score);
  expectClose(`${run.name}: scores`, scores, run.sequences_scores, { absolute: 2e-4 });
}

/** Compares the tokens' log-probabilities with the reference's scores of each step, [step, batch, vocab]. */
export function expectStepScores(
  name: string,
  got: readonly (readonly Hypothesis[])[],
  { shape, data }: GoldenTensor,
): void {
  const [, batch, vocab] = shape as [number, number, number];
  got.forEach(([best], row) => {
    const expected = best!.tokens.map((token, step) => {
      const start = (step * batch + row) * vocab;
      const scores = data.subarray(start, start + vocab);
      const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
      return scores[token]! - Math.log(total);
    });
    expectClose(`${name}: log-probabilities of row ${row}`, best!.logProbabilities, expected, {
      absolute: 5e-5,
    });
  });
}
