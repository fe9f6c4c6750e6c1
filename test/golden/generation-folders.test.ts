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
    "bart/plain",
    "bart/scaled",
    "marian",
    "t5/v1_0",
    "t5/v1_1",
    "gpt2/lm",
  ])("%s: ids, options and files as Hugging Face spells them", async (name) => {
    const { generate } = readSharedJson<{ generate: GenerationRun[] }>(`goldens/${name}/golden.json`);
    for (const { name: run, inputs, kwargs, generated, sequences_scores } of generate) {
      const got = await generateFromIds(device, sharedPath(`goldens/${name}`), inputs, kwargs);
      expect(got.generated, run).toEqual(generated);
      if (sequences_scores !== undefined) {
        expectClose(run, got.sequences_scores!, sequences_scores, { absolute: 2e-4 });
      }
    }
  });

  test("BART that was trained to spell English words as phonemes", async () => {
    interface Known {
      readonly greedy: readonly {
        readonly word: string;
        readonly input_ids: number[];
        readonly output_ids: number[];
      }[];
      readonly transformer: { readonly output_ids: number[] };
      readonly encoder_input_ids: number[];
    }
    const folder = "weights/bart-g2p-us";
    const { greedy, transformer, encoder_input_ids } = readSharedJson<Known>(
      `${folder}/reference_outputs.json`,
    );
    const words = [...greedy, { word: "transformer", input_ids: encoder_input_ids, ...transformer }];
    expect(words).toHaveLength(101);
    // Words of different length side by side, as in use.
    const longest = Math.max(...words.map(({ input_ids }) => input_ids.length));
    const padded = words.map(({ input_ids }) => [
      ...input_ids,
      ...Array<number>(longest - input_ids.length).fill(0),
    ]);
    const got = await generateFromIds(
      device,
      sharedPath(folder),
      { input_ids: padded },
      { max_new_tokens: 60 },
    );
    words.forEach(({ word, output_ids }, index) => {
      expect([1, ...got.generated[index]!], word).toEqual(output_ids);
    });
  });

  test("GPT-2 that was trained to plan the steps of production", async () => {
    interface Known {
      readonly cases: readonly { readonly input_ids: number[]; readonly greedy_output_ids: number[] }[];
    }
    const folder = "weights/capp-gpt2";
    for (const { input_ids, greedy_output_ids } of readSharedJson<Known>(`${folder}/reference_outputs.json`)
      .cases) {
      const options = {
        max_new_tokens: greedy_output_ids.length - input_ids.length,
        do_sample: false,
        num_beams: 1,
      };
      const { generated } = await generateFromIds(
        device,
        sharedPath(folder),
        { input_ids: [input_ids] },
        options,
      );
      expect([...input_ids, ...generated[0]!]).toEqual(greedy_output_ids);
    }
  });

  test("a random GPT-2 whose results a plain ONNX graph of it gave", async () => {
    const folder = sharedPath("weights/tiny-random-gpt2");
    const next = async (input_ids: number[], count: number) =>
      (await generateFromIds(device, folder, { input_ids: [input_ids] }, { max_new_tokens: count }))
        .generated[0]!;
    expect(await next([0, 0, 0, 52], 6)).toEqual([204, 204, 204, 204, 204, 204]);
    expect(await next([0, 0, 195, 731], 6)).toEqual([731, 114, 114, 114, 114, 114]);
  });
});
