import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { generateFromIds } from "../../src/tasks/node/generate-ids.ts";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../shared.ts";
import { expectClose } from "./compare.ts";
import type { GenerationRun } from "./generation-runs.ts";

describe.skipIf(!hasShared)(`generation from folders${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
  });
  afterAll(() => device.dispose());

  test.each([
    ["bart/plain", 14],
    ["bart/scaled", 14],
    ["marian", 14],
    ["t5/v1_0", 13],
    ["t5/v1_1", 13],
    ["gpt2/lm", 13],
  ])("%s: all %i runs, with options and files as Hugging Face spells them", async (name, count) => {
    const { generate } = readSharedJson<{ generate: GenerationRun[] }>(`goldens/${name}/golden.json`);
    expect(generate).toHaveLength(count);
    for (const { name: run, inputs, kwargs, generated, sequences_scores } of generate) {
      const got = await generateFromIds(device, sharedPath(`goldens/${name}`), inputs, kwargs);
      expect(got.generated, run).toEqual(generated);
      if (sequences_scores !== undefined) {
        expectClose(run, got.sequences_scores!, sequences_scores, { absolute: 2e-4 });
      }
    }
  });

  test("decoder ids without the start token get it in front", async () => {
    const { generate } = readSharedJson<{ generate: GenerationRun[] }>("goldens/bart/plain/golden.json");
    const { inputs, generated, kwargs } = generate[0]!;
    const folder = sharedPath("goldens/bart/plain");
    const first = generated.map(([token]) => [token]);
    for (const decoder_input_ids of [first, first.map((row) => [2, ...row])]) {
      const options = { ...kwargs, max_new_tokens: 19 };
      const got = await generateFromIds(device, folder, { ...inputs, decoder_input_ids }, options);
      expect(got.generated).toEqual(generated.map((row) => row.slice(1)));
    }
  });
});
