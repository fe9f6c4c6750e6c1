/** Models of any family through the public API; the engine's thread runs what was built. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keyValueInputs, keyValueOutputs, pastInputs } from "../../../src/generation/hypothesis-caches.ts";
import { input } from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import { recordAddresses } from "../../../src/graph/scope.ts";
import { parameterTensors } from "../../../src/nn/parameters.ts";
import { type LoadedModel, loadModel, loadTokenizer, type ModelOutputs } from "../../../src/node.ts";
import type { Device, Feed } from "../../../src/runtime/device.ts";
import { openCpu } from "../../../src/runtime/node/engine.ts";
import { openModelFolder } from "../../../src/tasks/node/model-folder.ts";
import { expectClose, readGolden } from "../../golden/compare.ts";
import { inputsOf, readFamilyGolden } from "../../golden/family-goldens.ts";
import type { GenerationRun } from "../../golden/generation-runs.ts";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../../shared.ts";

const open = (name: string): Promise<LoadedModel> => loadModel(sharedPath(`goldens/${name}`), { threads: 1 });
const runsOf = (name: string) =>
  readSharedJson<{ generate: GenerationRun[] }>(`goldens/${name}/golden.json`).generate;

describe.skipIf(!hasShared)(`loadModel${needsShared}`, () => {
  test("a forward pass: outputs, and what else is asked for", async () => {
    const model = await open("bert/maskedlm");
    expect(model.architecture).toBe("BertForMaskedLM");
    const golden = readFamilyGolden("bert/maskedlm");
    const padded = golden.forward.find(({ name }) => name === "padded")!;
    const { input_ids, attention_mask, token_type_ids } = inputsOf(golden, padded);
    const inputs = { inputIds: input_ids, attention_mask, tokenTypeIds: token_type_ids };
    expect(Object.keys(await model.forward(inputs))).toEqual(["logits"]);
    const asked = { outputHiddenStates: true, outputAttentions: true };
    const { logits, hiddenStates, attentions, ...others } = await model.forward(inputs, asked);
    expect(others).toEqual({});
    const want = readGolden("goldens/bert/maskedlm/golden.safetensors");
    const close = { absolute: 5e-5, relative: 1e-5 };
    expectClose("logits", logits!.data, want.get("padded/logits")!.data, close);
    expect([hiddenStates!.length, attentions!.length]).toEqual([3, 2]);
    hiddenStates!.forEach(({ data }, layer) => {
      expectClose(`layer ${layer}`, data, want.get(`padded/hidden_states.${layer}`)!.data, close);
    });
    attentions!.forEach(({ data, axes }, layer) => {
      expect(axes).toEqual(["batch", "head", "query", "key"]);
      expectClose(`layer ${layer}`, data, want.get(`padded/attentions.${layer}`)!.data, close);
    });
    const traced = await model.trace(inputs, ["encoder.layers.*.selfAttention.queries"]);
    expect(traced.map(({ address }) => address)).toEqual([
      "encoder.layers.0.selfAttention.queries",
      "encoder.layers.1.selfAttention.queries",
    ]);
    await expect(model.forward(inputs, { outputAttention: true } as object)).rejects.toThrow(
      'did you mean "outputAttentions"',
    );
    await expect(model.forward({ input_idz: [[1]] })).rejects.toThrow('did you mean "input_ids"');
    await expect(model.forward(inputs, { outputAttentions: 1 as never })).rejects.toThrow("true or false");
    await model.dispose();
  });

  test("another head, and a loss", async () => {
    const base = await loadModel(sharedPath("goldens/bert/seqcls"), { threads: 1, head: "base" });
    expect(Object.keys(await base.forward({ input_ids: [[5, 6]] }))).toEqual([
      "lastHiddenState",
      "poolerOutput",
    ]);
    await base.dispose();
    const labelled = await loadModel(sharedPath("goldens/bert/seqcls"), {
      threads: 1,
      problemType: "multi-label",
    });
    const { loss } = await labelled.forward({ input_ids: [[5, 6]], labels: [[1, 0, 1]] });
    expect(loss!.data).toHaveLength(1);
    await labelled.dispose();
    await expect(loadModel(sharedPath("goldens/bert/seqcls"), { heads: "base" } as object)).rejects.toThrow(
      'did you mean "head"',
    );
  });

  test("writes, and shows what it saw: a decoder", async () => {
    const model = await open("gpt2/lm");
    const { inputs, generated, kwargs } = runsOf("gpt2/lm")[0]!;
    const asked = { ...kwargs, output_attentions: true, outputHiddenStates: true };
    const { outputs, ...written } = await model.generate(inputs, asked as object);
    expect(written).toEqual({ generated });
    const width = inputs.input_ids[0]!.length;
    const length = width + Math.max(...generated.map((row) => row.length)) - 1;
    expect(outputs!.attentions!.map(({ shape }) => shape)).toEqual(Array(2).fill([3, 4, length, length]));
    expect(outputs!.hiddenStates!.map(({ shape }) => shape)).toEqual(Array(3).fill([3, length, 32]));
    // Nobody looks at padding, at what comes later, or at nothing.
    const { data } = outputs!.attentions![1]!;
    const weight = (row: number, query: number, key: number) =>
      data[(row * 4 * length + query) * length + key]!;
    const query = width + 2;
    for (const [row, mask] of inputs.attention_mask!.entries()) {
      const weights = Array.from({ length }, (_, key) => weight(row, query, key));
      expect(weights.filter((_, key) => key > query || mask[key] === 0).every((own) => own === 0)).toBe(true);
      expect(weights.reduce((sum, own) => sum + own, 0)).toBeCloseTo(1, 5);
    }
    expect(await model.generate(inputs, kwargs as object)).toEqual({ generated });
    await model.dispose();
  });

  test("writes, and shows what it saw: an encoder-decoder with beams", async () => {
    const model = await open("bart/plain");
    const run = runsOf("bart/plain").find(({ name }) => name === "beam4_lp1.0_return4")!;
    const { outputs, generated, sequencesScores } = await model.generate(run.inputs, {
      ...(run.kwargs as object),
      outputAttentions: true,
    });
    expect(generated).toEqual(run.generated);
    expectClose("scores", sequencesScores!, run.sequences_scores!, { absolute: 2e-4 });
    const [source, target] = [
      run.inputs.input_ids[0]!.length,
      Math.max(...generated.map((row) => row.length)),
    ];
    const shapes = (values: ModelOutputs["attentions"]) => values!.map(({ shape }) => shape);
    expect(shapes(outputs!.crossAttentions)).toEqual(Array(2).fill([12, 4, target, source]));
    expect(shapes(outputs!.decoderAttentions)).toEqual(Array(2).fill([12, 4, target, target]));
    expect(shapes(outputs!.encoderAttentions)).toEqual(Array(2).fill([12, 4, source, source]));
    expect(outputs!.hiddenStates).toBeUndefined();
    await model.dispose();
  });

  test("the tokenizer of a folder, from older files too", async () => {
    const tokenizer = await loadTokenizer(sharedPath("tokenizers/bert-base-uncased"));
    expect(tokenizer.encodeIds("Hello world")).toEqual([101, 7592, 2088, 102]);
    const folder = mkdtempSync(join(tmpdir(), "qkv-t5-"));
    copyFileSync(sharedPath("tokenizers/t5-small/spiece.model"), join(folder, "spiece.model"));
    writeFileSync(join(folder, "config.json"), '{"model_type": "t5"}');
    const older = await loadTokenizer(folder);
    rmSync(folder, { recursive: true });
    const newer = await loadTokenizer(sharedPath("tokenizers/t5-small"));
    expect(older.encode("Hello world").tokens).toEqual(newer.encode("Hello world").tokens);
  });
});

describe.skipIf(!hasShared)(`attention while writing${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
  });
  afterAll(() => device.dispose());

  test("is what one forward pass over all that was written gives", async () => {
    const { model, weights } = await openModelFolder(sharedPath("goldens/gpt2/lm"));
    const generation = model.generation!;
    if (generation.kind !== "causal") throw new Error("GPT-2 is a causal model");
    const parameters = parameterTensors(generation.parameters) as never;
    const ids = [64, 75, 20, 23, 57];
    const [batch, sequence] = [dim("batch"), dim("sequence", "prompt")];
    const prompt = generation.prompt(
      parameters,
      input("ids", [batch, sequence], "int32"),
      input("positions", [batch, sequence], "int32"),
      input("present", [batch, sequence], "bool"),
    );
    const reader = await device.compile(keyValueOutputs(prompt.present), weights);
    const before = ids.slice(0, -1);
    const shape = [1, before.length];
    const read = await reader.run(
      {
        ids: { data: Int32Array.from(before), shape },
        positions: { data: Int32Array.from(before.keys()), shape },
        present: { data: Uint8Array.from(before, () => 1), shape },
      },
      new Map(),
    );
    const { past, pastMask } = pastInputs(generation, 1);
    const key = dim("key", "prompt");
    const heads = [batch, dim("head", generation.headCount), key, dim("headDim", generation.headDim)];
    const { addresses } = recordAddresses(() =>
      generation.step(
        parameters,
        input("ids", [batch, dim("beam", 1)], "int32"),
        input("positions", [batch, dim("beam", 1)], "int32"),
        keyValueInputs("prompt", generation.layerCount, heads),
        input("promptMask", [batch, key]),
        past,
        pastMask,
      ),
    );
    const wanted = new Map([...addresses].filter(([address]) => address.endsWith("attention.weights")));
    const step = await device.compile(wanted, weights);
    const feeds: Record<string, Feed> = {
      ids: { data: Int32Array.of(ids.at(-1)!), shape: [1, 1] },
      positions: { data: Int32Array.of(before.length), shape: [1, 1] },
      promptMask: { data: new Float32Array(before.length), shape },
      pastMask: { data: Float32Array.of(-1e9), shape: [1] },
    };
    for (const [name, array] of read) feeds[`prompt.${name}`] = array;
    const empty = [1, generation.headCount, 1, 1, generation.headDim];
    for (const name of read.keys()) {
      feeds[`past.${name}`] = {
        data: new Float32Array(generation.headCount * generation.headDim),
        shape: empty,
      };
    }
    const got = await step.run(feeds, new Map());

    const loaded = await open("gpt2/lm");
    const { attentions } = await loaded.forward({ input_ids: [ids] }, { outputAttentions: true });
    await loaded.dispose();
    for (const [layer, { data }] of attentions!.entries()) {
      const ofStep = (await got.get(`layers.${layer}.attention.weights`)!.read()) as Float32Array;
      // Of each head: the prompt, one empty place of the cache, the token itself.
      const width = ids.length + 1;
      const cached = Array.from(ofStep).filter((_, index) => index % width !== ids.length - 1);
      const last = Array.from({ length: 4 }, (_, head) => {
        const row = (head * ids.length + ids.length - 1) * ids.length;
        return [...data.subarray(row, row + ids.length)] as number[];
      });
      expectClose(`layer ${layer}`, cached, last.flat(), { absolute: 1e-6 });
    }
  });
});
