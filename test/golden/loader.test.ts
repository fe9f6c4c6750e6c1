import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listParameters, shapeOf } from "../../src/nn/parameters.ts";
import type { Device, DeviceArray } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { type ModelFolder, openModelFolder, writeModelFolder } from "../../src/tasks/node/model-folder.ts";
import { readTraceInputs, traceModel, writeTrace } from "../../src/tasks/node/trace-model.ts";
import { parse, serialize } from "../../src/weights/safetensors.ts";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../shared.ts";
import { expectClose, readGolden } from "./compare.ts";
import { inputsOf, readFamilyGolden, runForward } from "./family-goldens.ts";

const tensorsOf = (path: string) => parse(readFileSync(path)).tensors;
const metadataOf = (path: string) => parse(readFileSync(path)).metadata;

describe.skipIf(!hasShared)(`Hugging Face folders${needsShared}`, () => {
  let device: Device;
  let scratch: string;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
    scratch = mkdtempSync(join(tmpdir(), "qkv-loader-"));
  });
  afterAll(async () => {
    await device.dispose();
    rmSync(scratch, { recursive: true });
  });

  /** A copy of a reference folder's model with another config.json. */
  function changedFolder(name: string, golden: string, change: Record<string, unknown>): string {
    const folder = join(scratch, name);
    mkdirSync(folder, { recursive: true });
    copyFileSync(sharedPath(`goldens/${golden}/model.safetensors`), join(folder, "model.safetensors"));
    const config = readSharedJson<object>(`goldens/${golden}/config.json`);
    writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, ...change }));
    return folder;
  }

  async function deviceArrays({ model, weights }: ModelFolder): Promise<Map<string, DeviceArray>> {
    const arrays = new Map<string, DeviceArray>();
    for (const [address, spec] of listParameters(model.parameters)) {
      const array = device.allocate("float32", shapeOf(spec));
      await array.write((weights.fixedParameters!(address, spec.dims) as { data: Float32Array }).data);
      arrays.set(address, array);
    }
    return arrays;
  }

  test.each([
    ["bert/base", "bert/base"],
    ["bert/maskedlm", "bert/maskedlm"],
    ["bert/qa", "bert/qa"],
    ["roberta/base", "roberta/base"],
    ["roberta/maskedlm", "roberta/maskedlm"],
    ["roberta/seqcls", "roberta/seqcls"],
    ["distilbert/maskedlm", "distilbert/maskedlm"],
    ["distilbert/seqcls", "distilbert/seqcls"],
    ["bert/tokencls", "bert/tokencls"],
    ["distilbert/tokencls", "distilbert/tokencls"],
    ["gpt2/lm", "gpt2/lm"],
    ["bart/plain", "bart/plain"],
    ["bart/scaled", "bart/scaled"],
    ["marian", "marian"],
    ["t5/v1_0", "t5/v1_0"],
    ["t5/v1_1", "t5/v1_1"],
    // Older names become today's.
    ["bert/hub_names", "bert/maskedlm"],
    ["gpt2/hub_names", "gpt2/lm"],
  ])("%s saved again has the tensors of %s", async (name, like) => {
    const folder = await openModelFolder(sharedPath(`goldens/${name}`), { mapped: false });
    const saved = join(scratch, "saved", name);
    await writeModelFolder(saved, folder, await deviceArrays(folder));
    const got = tensorsOf(join(saved, "model.safetensors"));
    const want = tensorsOf(sharedPath(`goldens/${like}/model.safetensors`));
    expect([...got.keys()].sort()).toEqual([...want.keys()].sort());
    // Without it Hugging Face's code refuses the file.
    expect(metadataOf(join(saved, "model.safetensors"))).toEqual({ format: "pt" });
    for (const [tensor, { dtype, shape, data }] of want) {
      expect({ dtype, shape }, tensor).toEqual({
        dtype: got.get(tensor)!.dtype,
        shape: got.get(tensor)!.shape,
      });
      expect(Buffer.compare(got.get(tensor)!.data, data), tensor).toBe(0);
    }
    expect((await openModelFolder(saved)).model.architecture).toBe(folder.model.architecture);
  });

  test("float32 stays in its file, half precision is read", async () => {
    const inFile = await openModelFolder(sharedPath("goldens/gpt2/lm"));
    expect(inFile.bytesInMemory).toBe(0);
    const read = await openModelFolder(sharedPath("goldens/gpt2/f16_sharded"));
    const elements = [...listParameters(read.model.parameters).values()].reduce(
      (sum, spec) => sum + shapeOf(spec).reduce((left, right) => left * right, 1),
      0,
    );
    expect(read.bytesInMemory).toBe(4 * elements);
  });

  test("files that are links into another folder, as a hub's cache has them", async () => {
    const snapshot = join(scratch, "cache/snapshots/1");
    const blobs = join(scratch, "cache/blobs");
    mkdirSync(snapshot, { recursive: true });
    mkdirSync(blobs);
    for (const [index, name] of ["config.json", "model.safetensors"].entries()) {
      copyFileSync(sharedPath(`goldens/bert/seqcls/${name}`), join(blobs, `blob${index}`));
      symlinkSync(join("../../blobs", `blob${index}`), join(snapshot, name));
    }
    const folder = await openModelFolder(snapshot);
    const golden = readFamilyGolden("bert/seqcls");
    const got = await runForward(device, folder, inputsOf(golden, golden.forward[0]!));
    const want = readGolden("goldens/bert/seqcls/golden.safetensors").get("plain/logits")!;
    expectClose("logits", got.get("logits")!.data, want.data, { absolute: 2e-5 });
    expect(folder.bytesInMemory).toBe(0);
  });

  test("the base model of a checkpoint with a head, and no head from a base model", async () => {
    const options = { head: "base", withoutPooler: true } as const;
    const base = await openModelFolder(sharedPath("goldens/bert/maskedlm"), options);
    expect(base.model.architecture).toBe("BertModel");
    await expect(openModelFolder(sharedPath("goldens/bert/base"), { head: "masked-lm" })).rejects.toThrow(
      "missing: cls.predictions.transform.dense.weight",
    );
  });

  test("a config that contradicts the weights", async () => {
    const fewer = changedFolder("fewer", "bert/base", { num_hidden_layers: 1 });
    await expect(openModelFolder(fewer)).rejects.toThrow(/left over: encoder\.layer\.1\./);
    const more = changedFolder("more", "gpt2/lm", { n_layer: 4 });
    await expect(openModelFolder(more)).rejects.toThrow(/missing: transformer\.h\.\{2-3\}\.ln_1\.weight/);
    const wider = changedFolder("wider", "distilbert/seqcls", { vocab_size: 102, hidden_dim: 73 });
    await expect(openModelFolder(wider)).rejects.toThrow(
      "different: distilbert.embeddings.word_embeddings.weight is [101, 32], must be [102, 32], " +
        "distilbert.transformer.layer.{0-1}.ffn.lin1.weight is [72, 32], must be [73, 32]",
    );
  });

  test("folders that are no models", async () => {
    await expect(openModelFolder(scratch)).rejects.toThrow("name a model folder");
    const half = join(scratch, "half");
    mkdirSync(half);
    copyFileSync(sharedPath("goldens/bert/base/config.json"), join(half, "config.json"));
    await expect(openModelFolder(half)).rejects.toThrow("must hold model.safetensors");
    writeFileSync(join(half, "config.json"), '{"model_type": "bert"');
    await expect(openModelFolder(half)).rejects.toThrow("must be JSON");
  });

  test("half-precision weights that are not numbers", async () => {
    const folder = join(scratch, "nan");
    mkdirSync(folder);
    for (const name of readdirSync(sharedPath("goldens/gpt2/f16_sharded"))) {
      copyFileSync(sharedPath(`goldens/gpt2/f16_sharded/${name}`), join(folder, name));
    }
    const shard = join(folder, "model-00001-of-00004.safetensors");
    const tensors = new Map(tensorsOf(shard));
    const positions = tensors.get("transformer.wpe.weight")!;
    const data = Uint8Array.from(positions.data);
    data.set([0, 0x7e], 10);
    tensors.set("transformer.wpe.weight", { ...positions, data });
    rmSync(shard);
    writeFileSync(shard, serialize(tensors));
    await expect(openModelFolder(folder)).rejects.toThrow(
      "transformer.wpe.weight must hold finite numbers; got NaN or infinity",
    );
  });

  test.each(["bert/base", "bert/qa", "gpt2/lm"])("the trace of %s as a file", async (name) => {
    const golden = readFamilyGolden(name);
    const inputs = join(scratch, "inputs.json");
    const out = join(scratch, "trace.safetensors");
    const withLoss = golden.forward.find((forward) => forward.name === "loss") ?? golden.forward[0]!;
    writeFileSync(inputs, JSON.stringify(inputsOf(golden, withLoss)));
    const values = await traceModel(device, sharedPath(`goldens/${name}`), await readTraceInputs(inputs));
    await writeTrace(out, values);
    const tensors = tensorsOf(out);
    const base = withLoss.inputs_as ?? withLoss.name;
    const expected = readGolden(`goldens/${name}/golden.safetensors`);
    const ofCase = [...expected.keys()].filter((key) => key.startsWith(`${base}/`));
    for (const key of ofCase) {
      const output = key.slice(base.length + 1);
      expect(tensors.get(output)?.shape, output).toEqual(expected.get(key)!.shape);
    }
    expect(ofCase.length).toBeGreaterThan(5);
    expect([...tensors.values()].every(({ dtype }) => dtype === "F32")).toBe(true);
    expect(tensors.has("loss")).toBe(withLoss.name === "loss");
    expect([...tensors.keys()].some((address) => address.endsWith("layers.1.feedForward.inner"))).toBe(true);
  });

  test("chosen values of a trace", async () => {
    const values = await traceModel(
      device,
      sharedPath("goldens/bert/base"),
      { input_ids: [[5, 6, 7]] },
      { addresses: ["attentions.*", "pooler_output"] },
    );
    expect(values.map(({ address }) => address)).toEqual(["pooler_output", "attentions.0", "attentions.1"]);
  });
});
