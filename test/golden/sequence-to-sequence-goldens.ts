import { expect } from "vitest";
import { SequenceGenerator } from "../../src/generation/sequence-to-sequence.ts";
import type { Device } from "../../src/runtime/device.ts";
import { openModelFolder } from "../../src/tasks/node/model-folder.ts";
import { sharedPath } from "../shared.ts";
import { readGolden } from "./compare.ts";
import { expectRun, expectStepScores, type GenerationRun, generationRuns } from "./generation-runs.ts";

/** A generator with the weights of a folder of goldens. */
export async function openGoldenGenerator(device: Device, name: string) {
  const { model, weights } = await openModelFolder(sharedPath(name));
  if (model.generation?.kind !== "sequence-to-sequence") throw new Error(`${name}: no encoder-decoder`);
  return await SequenceGenerator.create(device, model.generation as never, weights);
}

/** Repeats every call of `generate` of a folder of goldens. @returns how many there were */
export async function compareGenerationRuns(device: Device, name: string): Promise<number> {
  const generator = await openGoldenGenerator(device, name);
  const runs = generationRuns(name);
  for (const [runName, run, options] of runs) {
    const { input_ids, attention_mask } = run.inputs as Required<GenerationRun["inputs"]>;
    const got = await generator.generate(input_ids, options, new Map(), { sourceMasks: attention_mask });
    expectRun(run, got);
    if (run.step_logits !== undefined) {
      expectStepScores(runName, got, readGolden(`${name}/golden.safetensors`).get(run.step_logits.tensor)!);
    }
  }
  await generator.dispose();
  expect(runs.length).toBeGreaterThan(0);
  return runs.length;
}
