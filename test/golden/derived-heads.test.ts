/**
 * Models for which the reference has no outputs, checked against what follows from those that it has: the reference's
 * hidden states, and the formula of the head in double precision.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { generateFromIds } from "../../src/tasks/node/generate-ids.ts";
import { openModelFolder } from "../../src/tasks/node/model-folder.ts";
import { RandomStream, randomKey } from "../../src/util/random.ts";
import { parse, serialize } from "../../src/weights/safetensors.ts";
import { type StoredTensor, toFloat32 } from "../../src/weights/stored-tensor.ts";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../shared.ts";
import { expectClose, type GoldenTensor, readGolden } from "./compare.ts";
import { type ForwardCase, inputsOf, readFamilyGolden, runForward } from "./family-goldens.ts";

const close = { absolute: 2e-5, relative: 1e-5 };
const ignored = -100;

/** Random numbers of a head that no checkpoint has. */
function randomMatrix(name: string, rows: number, columns: number): number[][] {
  const random = new RandomStream(randomKey(3, name));
  return Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.normal() * 0.3));
}

const float32 = (shape: readonly number[], values: readonly number[]): StoredTensor => ({
  dtype: "F32",
  shape,
  data: Float32Array.from(values),
});

/** The rows of the last axis. */
function rowsOf({ shape, data }: GoldenTensor): number[][] {
  const width = shape.at(-1)!;
  return Array.from({ length: data.length / width }, (_, row) => [
    ...data.subarray(row * width, (row + 1) * width),
  ]);
}

const dot = (left: readonly number[], right: readonly number[]): number =>
  left.reduce((sum, value, index) => sum + value * right[index]!, 0);

/** -log softmax(scores)[label] */
function crossEntropy(scores: readonly number[], label: number): number {
  const highest = Math.max(...scores);
  const total = scores.reduce((sum, score) => sum + Math.exp(score - highest), 0);
  return Math.log(total) + highest - scores[label]!;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe.skipIf(!hasShared)(`heads derived from the reference's hidden states${needsShared}`, () => {
  let device: Device;
  let scratch: string;
  const errors = new Map<string, number>();
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
    scratch = mkdtempSync(join(tmpdir(), "qkv-heads-"));
  });
  afterAll(async () => {
    await device.dispose();
    rmSync(scratch, { recursive: true });
    const rows = [...errors].map(
      ([name, error]) => `${name}: ${error.toExponential(1)} of ${close.absolute}`,
    );
    console.log(["largest absolute error", ...rows].join("\n"));
  });

  /** Compares, and keeps the largest error for the table. */
  function compare(model: string, what: string, got: ArrayLike<number>, expected: ArrayLike<number>): void {
    const tolerance = what === "loss" ? { absolute: 0, relative: 1e-5 } : close;
    const error = expectClose(`${model}: ${what}`, got, expected, tolerance);
    errors.set(model, Math.max(errors.get(model) ?? 0, error));
  }

  /** A folder with the weights of a reference model and another architecture. */
  function folderLike(
    golden: string,
    config: Record<string, unknown>,
    change: (tensors: Map<string, StoredTensor>) => void = () => {},
  ): string {
    const folder = mkdtempSync(join(scratch, "model-"));
    mkdirSync(folder, { recursive: true });
    const old = readSharedJson<object>(`goldens/${golden}/config.json`);
    writeFileSync(join(folder, "config.json"), JSON.stringify({ ...old, ...config }));
    const tensors = new Map(parse(readFileSync(sharedPath(`goldens/${golden}/model.safetensors`))).tensors);
    change(tensors);
    writeFileSync(join(folder, "model.safetensors"), serialize(tensors));
    return folder;
  }

  /** A case of the reference: its inputs, and a value that it gave. */
  function referenceCase(golden: string, name: string) {
    const all = readFamilyGolden(golden);
    const forward = all.forward.find((one) => one.name === name)!;
    const values = readGolden(`goldens/${golden}/golden.safetensors`);
    const value = (output: string) => values.get(`${name}/${output}`)!;
    return { inputs: inputsOf(all, forward as ForwardCase), value };
  }

  async function run(folder: string, inputs: Record<string, unknown>) {
    return await runForward(device, await openModelFolder(folder, { device }), inputs);
  }

  test.each([
    ["RobertaForTokenClassification", "roberta/base", "padded", "hidden_states.2", "roberta."],
    ["DistilBertForTokenClassification", "distilbert/seqcls", "padded", "hidden_states.2", "distilbert."],
    ["T5ForTokenClassification", "t5/v1_0", "padded", "encoder_last_hidden_state", "transformer."],
    ["T5ForTokenClassification", "t5/v1_1", "padded", "encoder_last_hidden_state", "transformer."],
  ])("%s from %s", async (architecture, golden, name, output, base) => {
    const [weight, [bias]] = [randomMatrix("tokens", 3, 32), randomMatrix("bias", 1, 3)];
    const id2label = { 0: "O", 1: "B-X", 2: "I-X" };
    const folder = folderLike(golden, { architectures: [architecture], id2label }, (tensors) => {
      for (const [key, tensor] of [...tensors]) {
        tensors.delete(key);
        if (!/^(pooler|classifier|pre_classifier|decoder|lm_head)/.test(key))
          tensors.set(key.startsWith(base) ? key : base + key, tensor);
      }
      tensors.set("classifier.weight", float32([3, 32], weight.flat()));
      tensors.set("classifier.bias", float32([3], bias!));
    });
    const { inputs, value } = referenceCase(golden, name);
    const hidden = value(output);
    const scores = rowsOf(hidden).map((h) => weight.map((row, label) => dot(row, h) + bias![label]!));
    const [batch, length] = hidden.shape as [number, number];
    const labels = Array.from({ length: batch }, (_, row) =>
      Array.from({ length }, (_, place) => ((row + place) % 4 === 3 ? ignored : (row + place) % 4)),
    );
    const { decoder_input_ids, decoder_attention_mask, ...ofEncoder } = inputs as Record<string, unknown>;
    const got = await run(folder, { ...ofEncoder, labels });
    expect(got.get("logits")!.shape).toEqual([batch, length, 3]);
    compare(architecture, "logits", got.get("logits")!.data, scores.flat());
    const losses = labels
      .flat()
      .flatMap((label, place) => (label === ignored ? [] : [crossEntropy(scores[place]!, label)]));
    compare(architecture, "loss", got.get("loss")!.data, [mean(losses)]);
  });

  test.each([
    ["RobertaForQuestionAnswering", "roberta/base", "padded", "hidden_states.2", "roberta."],
    ["DistilBertForQuestionAnswering", "distilbert/seqcls", "padded", "hidden_states.2", "distilbert."],
  ])("%s", async (architecture, golden, name, output, base) => {
    const [weight, [bias]] = [randomMatrix("span", 2, 32), randomMatrix("spanBias", 1, 2)];
    const folder = folderLike(golden, { architectures: [architecture] }, (tensors) => {
      for (const [key, tensor] of [...tensors]) {
        tensors.delete(key);
        if (!/^(pooler|classifier|pre_classifier)/.test(key))
          tensors.set(key.startsWith(base) ? key : base + key, tensor);
      }
      tensors.set("qa_outputs.weight", float32([2, 32], weight.flat()));
      tensors.set("qa_outputs.bias", float32([2], bias!));
    });
    const { inputs, value } = referenceCase(golden, name);
    const hidden = value(output);
    const [batch, length] = hidden.shape as [number, number];
    // One place lies beyond the text, and does not count.
    const places = { start_positions: [2, 0, length], end_positions: [5, 3, 1] };
    const got = await run(folder, { ...inputs, ...places });
    const means = (["start", "end"] as const).map((side, index) => {
      const scores = rowsOf(hidden).map((h) => dot(weight[index]!, h) + bias![index]!);
      compare(architecture, `${side}_logits`, got.get(`${side}_logits`)!.data, scores);
      const ends = places[`${side}_positions`];
      expect(ends).toHaveLength(batch);
      return mean(
        ends.flatMap((place, row) =>
          place < length ? [crossEntropy(scores.slice(row * length, (row + 1) * length), place)] : [],
        ),
      );
    });
    compare(architecture, "loss", got.get("loss")!.data, [mean(means)]);
  });

  test.each([
    ["DistilBertModel", "distilbert/maskedlm", "padded", "hidden_states.2"],
    ["GPT2Model", "gpt2/lm", "plain", "hidden_states.2"],
    ["BartModel", "bart/plain", "padded", "decoder_hidden_states.2"],
    ["BartModel", "bart/scaled", "padded", "decoder_hidden_states.2"],
    ["MarianModel", "marian", "padded", "decoder_hidden_states.2"],
    ["T5Model", "t5/v1_0", "padded", "decoder_hidden_states.2"],
    ["T5Model", "t5/v1_1", "padded", "decoder_hidden_states.2"],
  ])("%s from %s: the last hidden state", async (architecture, golden, name, output) => {
    const { inputs, value } = referenceCase(golden, name);
    const got = await run(folderLike(golden, { architectures: [architecture] }), inputs);
    compare(architecture, "last_hidden_state", got.get("last_hidden_state")!.data, value(output).data);
    expect(got.has("logits")).toBe(false);
    if (!output.startsWith("decoder")) return;
    const encoded = value("encoder_last_hidden_state").data;
    compare(architecture, "encoder_last_hidden_state", got.get("encoder_last_hidden_state")!.data, encoded);
  });

  test.each([
    [
      "multi_label_classification",
      (x: number, y: number) => crossEntropy([0, x], 1) * y + crossEntropy([0, x], 0) * (1 - y),
    ],
    ["regression", (x: number, y: number) => (x - y) ** 2],
  ] as const)("the loss of %s", async (problem_type, lossOf) => {
    const { inputs, value } = referenceCase("bert/seqcls", "padded");
    const labels = [
      [1, 0, 1],
      [0, 0, 1],
      [1, 1, 0],
    ];
    const got = await run(folderLike("bert/seqcls", { problem_type }), { ...inputs, labels });
    const losses = rowsOf(value("logits")).flatMap((row, index) =>
      row.map((score, label) => lossOf(score, labels[index]![label]!)),
    );
    compare(problem_type, "loss", got.get("loss")!.data, [mean(losses)]);
  });

  test("GPT-2 whose scores are divided by the layer's number, or by nothing", async () => {
    /** A GPT-2 whose queries are larger by a factor in each layer. */
    const withQueries = (factors: readonly number[]) =>
      folderLike("gpt2/lm", {}, (tensors) => {
        for (const [layer, factor] of factors.entries()) {
          for (const part of ["weight", "bias"]) {
            const name = `transformer.h.${layer}.attn.c_attn.${part}`;
            const tensor = tensors.get(name)!;
            const data = toFloat32(tensor, name).map(
              (value, index) => value * (index % 96 < 32 ? factor : 1),
            );
            tensors.set(name, { dtype: "F32", shape: tensor.shape, data });
          }
        }
      });
    const pairs = [
      [{ scale_attn_by_inverse_layer_idx: true }, [1, 1 / 2]],
      [{ scale_attn_weights: false }, [Math.sqrt(8), Math.sqrt(8)]],
    ] as const;
    for (const [config, factors] of pairs) {
      const [one, other] = [folderLike("gpt2/lm", config), withQueries(factors)];
      const { inputs } = referenceCase("gpt2/lm", "plain");
      const [got, want] = [await run(one, inputs), await run(other, inputs)];
      compare(Object.keys(config)[0]!, "logits", got.get("logits")!.data, want.get("logits")!.data);
      const ids = { input_ids: [[43, 10, 8]] };
      const generated = await generateFromIds(device, one, ids, { max_new_tokens: 12 });
      expect(generated).toEqual(await generateFromIds(device, other, ids, { max_new_tokens: 12 }));
    }
  });
});
