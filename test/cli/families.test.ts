/** Commands that take token ids, for models of every family. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../golden/compare.ts";
import { inputsOf, readFamilyGolden } from "../golden/family-goldens.ts";
import type { GenerationRun } from "../golden/generation-runs.ts";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../shared.ts";
import { makeFolder, output, qkv } from "./qkv.ts";
import { readFloat32Values } from "./safetensors.ts";

const folder = makeFolder();
const write = (name: string, value: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
};

describe.skipIf(!hasShared)(`qkv generate${needsShared}`, () => {
  test.each(["gpt2/lm", "marian"])("%s: ids in, ids out", async (name) => {
    const { generate } = readSharedJson<{ generate: GenerationRun[] }>(`goldens/${name}/golden.json`);
    const ofBeams = generate.find((run) => run.sequences_scores !== undefined)!;
    for (const { inputs, kwargs, generated, sequences_scores } of [generate[0]!, ofBeams]) {
      const files = ["--inputs", write("inputs.json", inputs), "--options", write("options.json", kwargs)];
      const stdout = await output(["generate", sharedPath(`goldens/${name}`), ...files, "--json"]);
      const got = JSON.parse(stdout) as typeof ofBeams;
      expect(got.generated).toEqual(generated);
      expect(Object.hasOwn(got, "sequences_scores")).toBe(sequences_scores !== undefined);
      if (sequences_scores !== undefined) {
        expectClose(name, got.sequences_scores!, sequences_scores, { absolute: 2e-4 });
      }
    }
  });

  test("refuses what it cannot do", async () => {
    const model = sharedPath("goldens/gpt2/lm");
    const inputs = write("inputs.json", { input_ids: [[1, 2]] });
    const wrongOption = write("options.json", { num_beems: 2 });
    const unknown = await qkv(["generate", model, "--inputs", inputs, "--options", wrongOption]);
    expect(unknown).toMatchObject({ code: 2, stdout: "" });
    expect(unknown.stderr).toContain('did you mean "num_beams"');
    const start = write("options.json", { decoder_start_token_id: 3 });
    const idle = await qkv(["generate", model, "--inputs", inputs, "--options", start]);
    expect([idle.code, idle.stderr]).toEqual([2, expect.stringContaining("is for encoder-decoders")]);
    const ragged = write("ragged.json", { input_ids: [[1, 2], [3]] });
    expect(await qkv(["generate", model, "--inputs", ragged])).toMatchObject({ code: 2, stdout: "" });
    const noModel = await qkv(["generate", sharedPath("goldens/bert/base"), "--inputs", inputs]);
    expect(noModel).toMatchObject({ code: 2 });
    expect(noModel.stderr).toContain("must hold a model that writes text");
  });
});

describe.skipIf(!hasShared)(`qkv trace --inputs${needsShared}`, () => {
  const folders = [
    ...["base", "maskedlm", "seqcls", "tokencls", "qa", "hub_names"].map((name) => `bert/${name}`),
    ...["base", "maskedlm", "seqcls"].map((name) => `roberta/${name}`),
    ...["maskedlm", "seqcls", "tokencls"].map((name) => `distilbert/${name}`),
    ...["lm", "hub_names", "f16_sharded"].map((name) => `gpt2/${name}`),
    ...["bart/plain", "bart/scaled", "marian", "t5/v1_0", "t5/v1_1"],
  ];

  test.each(folders)("%s: every value under its names", async (name) => {
    const golden = readFamilyGolden(name);
    const expected = readGolden(`goldens/${name}/golden.safetensors`);
    const { atol, rtol, loss_rtol } = golden.tolerance;
    // The last case has positions or labels, where the model takes any; all layers of one model of each shape are enough.
    const layers = ["bert/maskedlm", "gpt2/lm", "bart/plain"].includes(name)
      ? golden.forward.slice(0, 1)
      : [];
    for (const forward of [...layers, golden.forward.at(-1)!]) {
      const out = join(folder, "values.safetensors");
      const inputs = write("inputs.json", inputsOf(golden, forward));
      await output(["trace", sharedPath(`goldens/${name}`), "--inputs", inputs, "--out", out]);
      const got = readFloat32Values(readFileSync(out));
      const listed = Object.entries(forward.outputs).flatMap(([key, entry]) =>
        [entry].flat().map((one, index) => [Array.isArray(entry) ? `${key}.${index}` : key, one] as const),
      );
      for (const [key, { tensor }] of listed) {
        const value = got.get(key)!;
        const wanted = expected.get(tensor)!;
        expect(value.shape, key).toEqual(wanted.shape);
        const tolerance =
          key === "loss" ? { absolute: 0, relative: loss_rtol } : { absolute: atol, relative: rtol };
        expectClose(key, value.data, wanted.data, tolerance);
      }
      expect([...got.keys()].some((address) => /[aA]ttention\.weights$/.test(address))).toBe(true);
    }
  });

  test("either --text or --inputs", async () => {
    const model = sharedPath("goldens/bert/base");
    const inputs = write("inputs.json", { input_ids: [[5, 7]] });
    expect(await qkv(["trace", model])).toMatchObject({ code: 2, stdout: "" });
    expect(await qkv(["trace", model, "--text", "a", "--inputs", inputs])).toMatchObject({ code: 2 });
    expect(await qkv(["trace", model, "--inputs", inputs, "--svg", "a.svg"])).toMatchObject({ code: 2 });
    const { code, stderr } = await qkv(["trace", model, "--inputs", inputs, "--address", "logitz"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("no value has the address")]);
  });
});
