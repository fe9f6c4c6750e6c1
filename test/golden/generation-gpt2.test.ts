import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CausalGenerator } from "../../src/generation/causal-language.ts";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { openModelFolder } from "../../src/tasks/node/model-folder.ts";
import { hasShared, needsShared, sharedPath } from "../shared.ts";
import { readGolden } from "./compare.ts";
import { expectRun, expectStepScores, generationRuns } from "./generation-runs.ts";

const folder = "goldens/gpt2/lm";

describe.skipIf(!hasShared)(`generation with GPT-2${needsShared}`, () => {
  let device: Device;
  let generator: CausalGenerator<object>;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
    const { model, weights } = await openModelFolder(sharedPath(folder));
    generator = await CausalGenerator.create(device, model.generation as never, weights);
  });
  afterAll(() => device.dispose());

  const runs = hasShared ? generationRuns(folder) : [];

  test("there are as many runs as the reference has", () => {
    expect(runs).toHaveLength(13);
  });

  test.each(runs)("%s", async (name, run, options) => {
    const { input_ids, attention_mask } = run.inputs;
    const got = await generator.generate(input_ids, options, new Map(), { promptMasks: attention_mask });
    expectRun(run, got);
    if (run.step_logits !== undefined) {
      expectStepScores(name, got, readGolden(`${folder}/golden.safetensors`).get(run.step_logits.tensor)!);
    }
  });
});
