import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createModel } from "../../../src/models/families.ts";
import type { HostInputs, Model } from "../../../src/models/family.ts";
import { inputsFromJson, inputTensors } from "../../../src/models/inputs.ts";
import { type Adaptation, adaptModel, mergeAdapters } from "../../../src/models/lora.ts";
import { type LoraConfig, loraSchema, readAdapterConfig } from "../../../src/models/lora-config.ts";
import { initialValues, listParameters, parameterTensors, shapeOf } from "../../../src/nn/parameters.ts";
import type { Device, DeviceArray } from "../../../src/runtime/device.ts";
import { openCpu } from "../../../src/runtime/node/engine.ts";
import { openAdapterFolder, writeAdapterFolder } from "../../../src/tasks/node/adapter-folder.ts";
import { mergeAdapterFolder } from "../../../src/tasks/node/merge-adapter.ts";
import { openModelFolder, writeModelFolder } from "../../../src/tasks/node/model-folder.ts";
import { gradientOutputs, Learner, type Objective } from "../../../src/training/learner.ts";
import { sgd } from "../../../src/training/optimizers/sgd.ts";
import { parameterGroups } from "../../../src/training/parameter-groups.ts";
import { RandomStream, randomKey } from "../../../src/util/random.ts";
import { parse, serialize } from "../../../src/weights/safetensors.ts";
import { evaluate } from "../../interpreter/evaluate.ts";

const bertKeys = {
  ...{ vocab_size: 13, hidden_size: 8, num_hidden_layers: 2, num_attention_heads: 2 },
  ...{ intermediate_size: 12, max_position_embeddings: 16 },
};
const bartKeys = {
  ...{ vocab_size: 13, d_model: 8, encoder_layers: 1, encoder_attention_heads: 2, encoder_ffn_dim: 12 },
  ...{ decoder_layers: 1, decoder_attention_heads: 4, decoder_ffn_dim: 10, max_position_embeddings: 16 },
};
const t5Keys = { vocab_size: 13, d_model: 8, d_kv: 3, d_ff: 12, num_layers: 1, num_heads: 2 };
const configs = {
  bert: { model_type: "bert", architectures: ["BertForSequenceClassification"], num_labels: 3, ...bertKeys },
  bertMasked: { model_type: "bert", architectures: ["BertForMaskedLM"], ...bertKeys },
  bertBase: { model_type: "bert", architectures: ["BertModel"], ...bertKeys },
  roberta: {
    ...{ model_type: "roberta", architectures: ["RobertaForSequenceClassification"], type_vocab_size: 1 },
    ...bertKeys,
  },
  distilbert: {
    ...{
      model_type: "distilbert",
      architectures: ["DistilBertForQuestionAnswering"],
      vocab_size: 13,
      dim: 8,
    },
    ...{ hidden_dim: 12, n_layers: 1, n_heads: 2, max_position_embeddings: 16 },
  },
  gpt2: {
    ...{ model_type: "gpt2", architectures: ["GPT2LMHeadModel"], vocab_size: 13, n_embd: 8, n_layer: 2 },
    ...{ n_head: 2, n_positions: 16, bos_token_id: 1, eos_token_id: 1 },
  },
  bart: { model_type: "bart", architectures: ["BartForConditionalGeneration"], ...bartKeys },
  marian: {
    ...{ model_type: "marian", architectures: ["MarianMTModel"], activation_function: "swish" },
    ...{ pad_token_id: 12, eos_token_id: 0, decoder_start_token_id: 12, ...bartKeys },
  },
  t5: { model_type: "t5", architectures: ["T5ForConditionalGeneration"], ...t5Keys },
  t5Gated: {
    ...{ model_type: "t5", architectures: ["T5ForConditionalGeneration"], feed_forward_proj: "gated-gelu" },
    ...{ tie_word_embeddings: false, ...t5Keys },
  },
} as const;
type Name = keyof typeof configs;
const names = Object.keys(configs) as Name[];
const modelOf = (name: Name): Model => createModel(configs[name], {}, name);
const lora = (choices: object = {}): LoraConfig => loraSchema.parse({ r: 2, lora_alpha: 6, ...choices });

let device: Device;
let scratch: string;
beforeAll(async () => {
  device = await openCpu({ threads: 1 });
  scratch = mkdtempSync(join(tmpdir(), "qkv-lora-"));
});
afterAll(async () => {
  await device.dispose();
  rmSync(scratch, { recursive: true });
});

/** First values, with noise where asked for: an adapter begins as zero. */
async function valuesOf(model: Model, noise = 0): Promise<Map<string, DeviceArray>> {
  const arrays = new Map<string, DeviceArray>();
  for (const [address, spec] of listParameters(model.parameters)) {
    const random = new RandomStream(randomKey(4, address));
    const array = device.allocate("float32", shapeOf(spec));
    await array.write(initialValues(spec, address, 2).map((value) => value + noise * random.normal()));
    arrays.set(address, array);
  }
  return arrays;
}

const hasDecoder = (model: Model) => model.inputs.decoderInputIds !== undefined;
function inputsOf(model: Model): HostInputs {
  const ids = [
    [3, 7, 5, 9, 2],
    [4, 4, 6, 1, 10],
  ];
  const decoder = hasDecoder(model)
    ? {
        decoder_input_ids: [
          [2, 5],
          [2, 8],
        ],
      }
    : {};
  return inputsFromJson(model, { input_ids: ids, ...decoder });
}

/** Everything that a forward pass gives, and the parameters that it reads. */
async function forward(model: Model, parameters: ReadonlyMap<string, DeviceArray>) {
  const inputs = inputsOf(model);
  const outputs = model.forward(parameterTensors(model.parameters), inputTensors(model, Object.keys(inputs)));
  const wanted = new Map(Object.entries(outputs).filter(([name]) => name !== "loss"));
  const program = await device.compile(wanted);
  const values: number[] = [];
  for (const array of (await program.run(inputs as never, parameters)).values()) {
    values.push(...(await array.read()));
  }
  await program.dispose();
  return { values, reads: new Set(program.parameterAddresses) };
}

function expectNear(got: readonly number[], want: readonly number[], tolerance: number): void {
  expect(got.length).toBe(want.length);
  want.forEach((value, index) => {
    expect(Math.abs(got[index]! - value)).toBeLessThan(tolerance * (1 + Math.abs(value)));
  });
}

describe.each(names)("%s with adapters on all linear layers", (name) => {
  const base = modelOf(name);
  const adaptation = adaptModel(base, lora());

  test("computes at first what the base model does, and reads every adapter", async () => {
    const { values, reads } = await forward(adaptation.model, await valuesOf(adaptation.model));
    expect(values).toEqual((await forward(base, await valuesOf(base))).values);
    for (const { address } of adaptation.layers) {
      for (const part of ["down", "up"]) expect(reads).toContain(`${address}.adapter.${part}`);
    }
    const linear = [...listParameters(base.parameters)].filter(
      ([address, { dims }]) => /layers\.\d.*\.weight$/.test(address) && dims.length === 2,
    );
    expect(adaptation.layers.map(({ address }) => `${address}.weight`)).toEqual(
      expect.arrayContaining(linear.map(([address]) => address)),
    );
  });

  test("computes the same when they are merged", async () => {
    const parameters = await valuesOf(adaptation.model, 0.3);
    const { values } = await forward(adaptation.model, parameters);
    const read = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    for (const [address, array] of parameters) {
      read.set(address, { shape: array.shape, data: (await array.read()) as Float32Array });
    }
    const merged = new Map<string, DeviceArray>();
    for (const [address, { shape, data }] of mergeAdapters(adaptation, read)) {
      const array = device.allocate("float32", shape);
      await array.write(data);
      merged.set(address, array);
    }
    const unadapted = await forward(base, parameters);
    expect(values).not.toEqual(unadapted.values);
    expectNear((await forward(base, merged)).values, values, 2e-5);
  });
});

test("the first values are PEFT's: A within 1 / sqrt(inputs), B zero; the scale is alpha / r", async () => {
  const { model, scale } = adaptModel(modelOf("bert"), lora({ r: 4 }));
  expect(scale).toBe(1.5);
  expect(adaptModel(modelOf("bert"), lora({ r: 4, use_rslora: true })).scale).toBe(3);
  const parameters = await valuesOf(model);
  const address = "encoder.layers.0.feedForward.outer.adapter";
  const down = await parameters.get(`${address}.down`)!.read();
  expect(parameters.get(`${address}.down`)!.shape).toEqual([4, 12]);
  const largest = Math.max(...down.map(Math.abs));
  expect(largest).toBeLessThan(1 / Math.sqrt(12));
  expect(largest).toBeGreaterThan(0.8 / Math.sqrt(12));
  expect(parameters.get(`${address}.up`)!.shape).toEqual([8, 4]);
  expect((await parameters.get(`${address}.up`)!.read()).every((value) => value === 0)).toBe(true);
});

/** A classifier's loss over given labels. */
function objectiveOf({ model, learned }: Adaptation, base: ReadonlyMap<string, DeviceArray>) {
  const inputs = inputsFromJson(model, {
    input_ids: [
      [3, 7, 5],
      [4, 6, 1],
    ],
    labels: [2, 0],
  });
  const objective: Objective<unknown, HostInputs> = {
    parameters: model.parameters,
    fixed: new Map([...base].filter(([address]) => !learned.has(address))),
    loss: (parameters) =>
      model.forward(parameters, inputTensors(model, Object.keys(inputs)), "training").loss!.sum!,
    feeds: (batch) => batch as never,
    count: () => 2,
  };
  return { objective, inputs };
}
const withoutDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
const quiet = () => createModel({ ...configs.bert, ...withoutDropout }, {}, "bert");

test("gradients are those of finite differences, with dropout before the adapters", async () => {
  const adaptation = adaptModel(quiet(), lora({ target_modules: ["query", "dense"], lora_dropout: 0.25 }));
  const { objective, inputs } = objectiveOf(adaptation, new Map());
  const tree = adaptation.model.parameters;
  const outputs = gradientOutputs(objective, (address) => adaptation.learned.has(address));
  const point = new Map<string, Float64Array>();
  for (const [address, spec] of listParameters(tree)) {
    const random = new RandomStream(randomKey(9, address));
    point.set(
      address,
      Float64Array.from(initialValues(spec, address, 3), (value) => value + 0.3 * random.normal()),
    );
  }
  const feeds = new Map(
    Object.entries(inputs).map(([key, { data }]) => [key, Float64Array.from(data as Int32Array)]),
  );
  const lengths = new Map([
    ["batch", 2],
    ["sequence", 3],
  ]);
  const run = (parameters: ReadonlyMap<string, Float64Array>) =>
    evaluate(outputs, { inputs: feeds, parameters, randomness: { seed: 1, step: 2 } } as never, lengths);
  const [lossName, ...addresses] = [...outputs.keys()];
  expect(new Set(addresses)).toEqual(adaptation.learned);
  expect(addresses).toContain("textClassifier.weight");
  const flows = run(point);
  for (const address of addresses) {
    const gradient = flows.get(address)!.data as Float64Array;
    const length = Math.hypot(...gradient);
    expect(length, address).toBeGreaterThan(1e-9);
    const step = 1e-5;
    const along = (sign: number) => {
      const values = point.get(address)!;
      const moved = values.map((value, index) => value + (sign * step * gradient[index]!) / length);
      return run(new Map(point).set(address, moved)).get(lossName!)!.data[0]!;
    };
    expect((along(1) - along(-1)) / (2 * step) / length, address).toBeCloseTo(1, 5);
  }
});

test("dropout of adapters acts in training alone, and is another for each layer", () => {
  const { model } = adaptModel(quiet(), lora({ lora_dropout: 0.5 }));
  const masks = (mode: "training" | "inference") => {
    const inputs = inputsOf(model);
    const { logits } = model.forward(
      parameterTensors(model.parameters),
      inputTensors(model, Object.keys(inputs)),
      mode,
    );
    const found = new Set<string>();
    const seen = new Set<unknown>();
    const visit = (node: NonNullable<typeof logits>["node"]): void => {
      if (seen.has(node)) return;
      seen.add(node);
      if (node.operator === "dropoutMask") found.add((node.attributes as { address: string }).address);
      for (const input of node.inputs) visit(input.node);
    };
    visit(logits!.node);
    return [...found].filter((address) => address.includes("adapter"));
  };
  expect(masks("inference")).toEqual([]);
  // Six in each of two layers, and the pooler's.
  expect(masks("training")).toHaveLength(13);
});

test("only adapters and the classifier are learned and kept in checkpoints", async () => {
  const base = quiet();
  const values = await valuesOf(base, 0.1);
  const adaptation = adaptModel(base, lora({ target_modules: ["query", "value"] }));
  const { objective, inputs } = objectiveOf(adaptation, values);
  const learner = await Learner.create(device, objective, {
    ...{ seed: 1, optimizer: sgd({ momentum: 0.9, nesterov: false }), maxGradientNorm: 0 },
    groups: parameterGroups(adaptation.model.parameters, { freeze: [...objective.fixed!.keys()] }),
    emaDecay: 0.5,
  });
  const before = new Map<string, Float32Array>();
  for (const [address, array] of values) before.set(address, Float32Array.from(await array.read()));
  const losses: number[] = [];
  for (let step = 0; step < 60; step++) losses.push((await learner.update([inputs], 0.1)).loss);
  expect(losses.at(-1)!).toBeLessThan(0.2 * losses[0]!);
  for (const [address, array] of values) {
    if (!adaptation.learned.has(address)) expect(await array.read()).toEqual(before.get(address));
  }
  const { parameters, states, averages } = learner.arrays;
  expect(new Set(parameters.keys())).toEqual(adaptation.learned);
  expect(new Set(averages!.keys())).toEqual(adaptation.learned);
  expect(states.size).toBe(adaptation.learned.size);
  await learner.dispose();
});

describe("PEFT's folders", () => {
  const keysOf = (folder: string) =>
    Object.fromEntries(
      [...parse(readFileSync(join(folder, "adapter_model.safetensors"))).tensors].map(([key, { shape }]) => [
        key,
        shape,
      ]),
    );
  const save = async (name: Name, folder: string, choices: object) => {
    const adaptation = adaptModel(modelOf(name), lora(choices));
    const parameters = await valuesOf(adaptation.model, 0.2);
    await writeAdapterFolder(join(scratch, folder), adaptation, parameters, {
      ...{ baseModel: "models/base", config: configs[name] },
    });
    return { adaptation, parameters, folder: join(scratch, folder) };
  };

  test("have PEFT's names and shapes, and its configuration", async () => {
    const { folder } = await save("bert", "bert-names", { target_modules: ["query"] });
    const layer = (index: number) => `base_model.model.bert.encoder.layer.${index}.attention.self.query`;
    expect(keysOf(folder)).toEqual({
      [`${layer(0)}.lora_A.weight`]: [2, 8],
      [`${layer(0)}.lora_B.weight`]: [8, 2],
      [`${layer(1)}.lora_A.weight`]: [2, 8],
      [`${layer(1)}.lora_B.weight`]: [8, 2],
      "base_model.model.classifier.weight": [3, 8],
      "base_model.model.classifier.bias": [3],
    });
    expect(JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"))).toEqual({
      base_model_name_or_path: "models/base",
      bias: "none",
      fan_in_fan_out: false,
      inference_mode: true,
      init_lora_weights: true,
      lora_alpha: 6,
      lora_dropout: 0,
      modules_to_save: ["classifier"],
      peft_type: "LORA",
      r: 2,
      target_modules: ["query"],
      task_type: "SEQ_CLS",
      use_rslora: false,
    });
  });

  test("tell a layer that keeps its inputs first, and leave the base away where the model is the base", async () => {
    const { folder } = await save("gpt2", "gpt2-names", { target_modules: ["c_attn"] });
    const key = "base_model.model.transformer.h.0.attn.c_attn";
    expect(keysOf(folder)[`${key}.lora_A.weight`]).toEqual([2, 8]);
    expect(keysOf(folder)[`${key}.lora_B.weight`]).toEqual([24, 2]);
    const json = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
    expect(json).toMatchObject({ fan_in_fan_out: true, task_type: "CAUSAL_LM", modules_to_save: null });
    const base = await save("bertBase", "base-names", { target_modules: ["value"] });
    expect(Object.keys(keysOf(base.folder))[0]).toBe(
      "base_model.model.encoder.layer.0.attention.self.value.lora_A.weight",
    );
    const roberta = await save("roberta", "roberta-names", { target_modules: ["query"] });
    expect(Object.keys(keysOf(roberta.folder)).filter((name) => name.includes("classifier"))).toEqual([
      "base_model.model.classifier.dense.bias",
      "base_model.model.classifier.dense.weight",
      "base_model.model.classifier.out_proj.bias",
      "base_model.model.classifier.out_proj.weight",
    ]);
  });

  test.each(names)("%s: are read as they were written; merged they are an ordinary model", async (name) => {
    const { adaptation, parameters, folder } = await save(name, `round-${name}`, { lora_dropout: 0.1 });
    const base = join(scratch, `base-${name}`);
    const own = new Map(
      [...listParameters(adaptation.base.parameters).keys()].map((address) => [
        address,
        parameters.get(address)!,
      ]),
    );
    await writeModelFolder(base, { model: adaptation.base, config: configs[name] }, own);
    const opened = await openModelFolder(base, { adapter: folder, device, mapped: false });
    for (const [address, array] of parameters) {
      expect(await opened.parameters.get(address)!.read(), address).toEqual(await array.read());
    }
    const { values } = await forward(adaptation.model, parameters);
    const merged = join(scratch, `merged-${name}`);
    await mergeAdapterFolder(base, folder, merged);
    const ordinary = await openModelFolder(merged, { device, mapped: false });
    expectNear((await forward(ordinary.model, ordinary.parameters)).values, values, 2e-5);
  });

  test("with the names of an adapter in memory are read too", async () => {
    const { adaptation, folder } = await save("bert", "default-names", { target_modules: ["query"] });
    const path = join(folder, "adapter_model.safetensors");
    const renamed = new Map(
      [...parse(readFileSync(path)).tensors].map(([name, tensor]) => [
        name
          .replace(/(lora_[AB])\./, "$1.default.")
          .replace("classifier.", "classifier.modules_to_save.default."),
        tensor,
      ]),
    );
    writeFileSync(path, serialize(renamed));
    const { bound } = await openAdapterFolder(folder, adaptation.base);
    expect(new Set(bound.keys())).toEqual(adaptation.learned);
  });

  test("for another model, or with too little, are refused", async () => {
    const { folder } = await save("bert", "refused", { target_modules: ["query"] });
    await expect(openAdapterFolder(folder, modelOf("gpt2"))).rejects.toThrow(
      'no linear layer is called "query"; there are c_attn, c_proj, c_fc',
    );
    const wider = createModel({ ...configs.bert, hidden_size: 10 }, {}, "wider");
    await expect(openAdapterFolder(folder, wider)).rejects.toThrow(
      /adapter_model\.safetensors: must hold the adapter of BertForSequenceClassification .*; got different: /,
    );
    const config = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
    writeFileSync(
      join(folder, "adapter_config.json"),
      JSON.stringify({ ...config, modules_to_save: null, target_modules: ["query", "key"] }),
    );
    await expect(openAdapterFolder(folder, modelOf("bert"))).rejects.toThrow(
      /got missing: .*key\.lora_A\.weight.*; left over: classifier/,
    );
    await expect(openAdapterFolder(join(scratch, "nowhere"), modelOf("bert"))).rejects.toThrow(
      /adapter_config\.json: there is no such file; name the folder of an adapter/,
    );
    const merged = mergeAdapterFolder(scratch, folder, folder);
    await expect(merged).rejects.toThrow("merge: needs a folder of its own");
    copyFileSync(join(folder, "adapter_config.json"), join(scratch, "adapter_config.json"));
  });
});

describe("what an adapter may be", () => {
  const file = { peft_type: "LORA", target_modules: ["query"] };
  const known = {
    ...{ alpha_pattern: {}, auto_mapping: null, base_model_name_or_path: "bert-base-uncased", bias: "none" },
    ...{ fan_in_fan_out: false, inference_mode: true, init_lora_weights: true, layer_replication: null },
    ...{
      layers_pattern: null,
      layers_to_transform: null,
      loftq_config: {},
      lora_alpha: 16,
      lora_dropout: 0.1,
    },
    ...{ megatron_config: null, megatron_core: "megatron.core", modules_to_save: ["classifier", "score"] },
    ...{ peft_type: "LORA", r: 4, rank_pattern: {}, revision: null, target_modules: ["query", "value"] },
    ...{ task_type: "SEQ_CLS", use_dora: false, use_rslora: false, trainable_token_indices: null },
  };

  test("is read from PEFT's file, defaults left out or written out", () => {
    expect(readAdapterConfig(file, "f")).toMatchObject({ r: 8, lora_alpha: 8, modules_to_save: [] });
    const config = readAdapterConfig(known, "f");
    expect(config).toMatchObject({
      r: 4,
      lora_alpha: 16,
      lora_dropout: 0.1,
      target_modules: ["query", "value"],
    });
    expect(adaptModel(modelOf("bert"), config).learned).toContain("textClassifier.bias");
  });

  test.each([
    [{ ...file, peft_type: "IA3" }, /f: peft_type: /],
    [{ ...file, bias: "all" }, /f: bias: /],
    [{ ...file, use_dora: true }, /f: use_dora must be left out; got true/],
    [{ ...file, rank_pattern: { query: 4 } }, /f: rank_pattern must be left out; got \{"query":4\}/],
    [{ ...file, init_lora_weights: "pissa" }, /f: init_lora_weights: /],
    [{ peft_type: "LORA", target_modules: null }, /f: target_modules: /],
  ])("%j is refused by the name of the choice", (json, message) => {
    expect(() => readAdapterConfig(json, "f")).toThrow(message);
  });

  test.each<[Name, object, string | RegExp]>([
    ["bert", { target_modules: ["quer"] }, 'no linear layer is called "quer" (did you mean "query"?)'],
    [
      "bert",
      { target_modules: ["classifier"] },
      "got classifier; leave it out, or put it into modules_to_save",
    ],
    ["bert", { target_modules: ["word_embeddings"] }, "got bert.embeddings.word_embeddings"],
    [
      "bert",
      { modules_to_save: ["clasifier"] },
      'no module is called "clasifier" (did you mean "classifier"?)',
    ],
    ["bert", { target_modules: "(" }, /must be a list of names, a regular expression or "all-linear"/],
    [
      "bert",
      { target_modules: ["query"], modules_to_save: ["query"] },
      /some linear layer must get an adapter; got .*, all of them in modules_to_save/,
    ],
  ])("%s with %j is refused", (name, choices, message) => {
    expect(() => adaptModel(modelOf(name), lora(choices))).toThrow(message);
  });

  test("modules are named by endings, or by an expression for whole names", () => {
    const addresses = (target_modules: string | string[]) =>
      adaptModel(modelOf("bert"), lora({ target_modules })).layers.map(({ address }) => address);
    expect(addresses(["self.query"])).toEqual([
      "encoder.layers.0.selfAttention.query",
      "encoder.layers.1.selfAttention.query",
    ]);
    expect(addresses(".*layer\\.1\\.attention\\.self\\.(query|value)")).toEqual([
      "encoder.layers.1.selfAttention.query",
      "encoder.layers.1.selfAttention.value",
    ]);
    expect(addresses("all-linear")).not.toContain("textClassifier");
    const { layers, config } = adaptModel(modelOf("roberta"), lora({ target_modules: ["dense"] }));
    expect(layers.map(({ address }) => address)).not.toContain("textLayer");
    expect(config.target_modules).toEqual(layers.map(({ module }) => module));
  });
});
