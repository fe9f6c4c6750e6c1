/** The probability of every token that is generated, where the reference tells its scores of each step. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CausalGenerator } from "../../src/generation/causal-language.ts";
import { SequenceGenerator } from "../../src/generation/sequence-to-sequence.ts";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { openModelFolder } from "../../src/tasks/node/model-folder.ts";
import { hasShared, needsShared, sharedPath } from "../shared.ts";
import { readGolden } from "./compare.ts";
import { expectRun, expectStepScores, generationRuns } from "./generation-runs.ts";

describe.skipIf(!hasShared)(`scores of each step${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
  });
  afterAll(() => device.dispose());

  test.each(["gpt2/lm", "t5/v1_0", "t5/v1_1"])("%s", async (name) => {
    const folder = `goldens/${name}`;
    const { model, weights } = await openModelFolder(sharedPath(folder));
    const generator =
      model.generation?.kind === "causal"
        ? await CausalGenerator.create(device, model.generation as never, weights)
        : await SequenceGenerator.create(device, model.generation as never, weights);
    const runs = generationRuns(folder).filter(([, run]) => run.step_logits !== undefined);
    expect(runs).not.toHaveLength(0);
    for (const [runName, run, options] of runs) {
      const { input_ids, attention_mask: masks } = run.inputs;
      const controls = { promptMasks: masks, sourceMasks: masks };
      const got = await generator.generate(input_ids, options, new Map(), controls);
      expectRun(run, got);
      const scores = readGolden(`${folder}/golden.safetensors`).get(run.step_logits!.tensor)!;
      expectStepScores(`${name} ${runName}`, got, scores);
    }
    await generator.dispose();
  });
});
