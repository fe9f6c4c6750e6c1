/** Adapters on the command line and in pipelines: they change what a model says, and merged they say the same. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adaptModel } from "../../src/models/lora.ts";
import { loraSchema } from "../../src/models/lora-config.ts";
import { listParameters, shapeOf } from "../../src/nn/parameters.ts";
import { loadTranslator, pipeline } from "../../src/node.ts";
import type { Device, DeviceArray } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { writeAdapterFolder } from "../../src/tasks/node/adapter-folder.ts";
import { readModel } from "../../src/tasks/node/model-folder.ts";
import { RandomStream, randomKey } from "../../src/util/random.ts";
import { parse } from "../../src/weights/safetensors.ts";
import { hasShared, needsShared } from "../shared.ts";
import { makeModelFolder, pairEncoding, wordPiece } from "../unit/tasks/task-folders.ts";
import { makeFolder, output, qkv } from "./qkv.ts";

const folder = makeFolder();
let device: Device;
beforeAll(async () => {
  device = await openCpu({ threads: 1 });
});
afterAll(() => device.dispose());

/** An adapter of noise for a model folder. */
async function makeAdapter(model: string, name: string, target_modules: string[]): Promise<string> {
  const { model: base, config } = await readModel(model);
  const adaptation = adaptModel(base, loraSchema.parse({ r: 2, lora_alpha: 8, target_modules }));
  const parameters = new Map<string, DeviceArray>();
  for (const [address, spec] of listParameters(adaptation.model.parameters)) {
    const array = device.allocate("float32", shapeOf(spec));
    const random = new RandomStream(randomKey(6, address));
    await array.write(
      Float32Array.from({ length: array.shape.reduce((a, b) => a * b) }, () => random.normal()),
    );
    parameters.set(address, array);
  }
  const out = join(folder, name);
  await writeAdapterFolder(out, adaptation, parameters, { baseModel: model, config });
  return out;
}

describe.skipIf(!hasShared)(`adapters${needsShared}`, () => {
  test("classify: with an adapter, and with the model that it was merged into", async () => {
    const model = makeModelFolder("bert/seqcls", await wordPiece());
    const adapter = await makeAdapter(model, "bert", ["query", "value"]);
    const merged = join(folder, "bert-merged");
    const { code, stderr } = await qkv(["merge", model, "--adapter", adapter, "--out", merged]);
    expect([code, stderr]).toEqual([0, `Merged ${adapter} into ${model}: ${merged}\n`]);
    const classify = async (...args: string[]) => {
      const stdout = await output([
        "classify",
        ...args,
        "--top-k",
        "5",
        "--json",
        "the cat",
        "two red trees",
      ]);
      return stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { labels: { label: string; score: number }[] });
    };
    const adapted = await classify("--model", model, "--adapter", adapter);
    const ordinary = await classify("--model", merged);
    expect(adapted).not.toEqual(await classify("--model", model));
    adapted.forEach(({ labels }, index) => {
      labels.forEach(({ label, score }, place) => {
        expect(ordinary[index]!.labels[place]!.label).toBe(label);
        expect(ordinary[index]!.labels[place]!.score).toBeCloseTo(score, 5);
      });
    });
    const pipe = await pipeline("text-classification", model, { adapter });
    const [result] = (await pipe(["the cat"])).flat();
    // Alone in its batch, so that the last bits may differ.
    expect(result!.label).toBe(adapted[0]!.labels[0]!.label);
    expect(result!.score).toBeCloseTo(adapted[0]!.labels[0]!.score, 5);
    await pipe.dispose();
  });

  test.each([
    ["complete", "gpt2/lm", "none", ["c_attn", "c_fc"], "the cat"],
    ["summarize", "bart/plain", "eos", ["q_proj", "v_proj", "fc1"], "the cat sees a tree"],
  ] as const)("%s: caches know adapters too", async (verb, golden, template, targets, text) => {
    const model = makeModelFolder(golden, await pairEncoding(template));
    const adapter = await makeAdapter(model, verb, [...targets]);
    const merged = join(folder, `${verb}-merged`);
    await output(["merge", model, "--adapter", adapter, "--out", merged]);
    const written = (...args: string[]) => output([verb, ...args, "--max-new-tokens", "8", text]);
    const adapted = await written("--model", model, "--adapter", adapter);
    expect(adapted).toBe(await written("--model", merged));
    expect(adapted).not.toBe(await written("--model", model));
  });

  test("translate: takes one for a model of another family, and none for its own", async () => {
    const model = makeModelFolder("bart/plain", await pairEncoding("eos"));
    const adapter = await makeAdapter(model, "translate", ["q_proj"]);
    const translator = await loadTranslator(model, { adapter, threads: 1 });
    expect(await translator.translate(["the cat"], { maxNewTokens: 4 })).toHaveLength(1);
    await translator.dispose();
    const { code, stderr } = await qkv(["translate", "--adapter", adapter, "one"]);
    expect(stderr).toContain("a model of type transformer takes no adapter; leave it out");
    expect(code).toBe(2);
  });

  test("train: adapters are learned, kept alone in checkpoints, merged and as a folder; resuming is exact", async () => {
    const model = makeModelFolder("bert/seqcls", await wordPiece());
    const rows = Array.from({ length: 24 }, (_, index) =>
      index % 2 === 0 ? "the cat sees a tree\tanimal" : "ten green trees\tplant",
    );
    writeFileSync(join(folder, "train.tsv"), `text\tlabel\n${rows.join("\n")}\n`);
    const recipe = {
      ...{ name: "adapters", task: "text-classification", model: { from: model } },
      data: { train: "train.tsv", validation: "train.tsv" },
      training: {
        ...{ max_steps: 12, eval_steps: 6, logging_steps: 1, lr_scheduler_type: "constant", warmup_steps: 0 },
        ...{ learning_rate: 0.02, ema_decay: 0.5, average_checkpoints: 2 },
        peft: { r: 2, lora_alpha: 4, lora_dropout: 0.1, target_modules: ["query", "value"] },
      },
    };
    writeFileSync(join(folder, "recipe.json"), JSON.stringify(recipe));
    const run = (name: string) => join(folder, name);
    const train = (name: string, steps: number) =>
      output(["train", join(folder, "recipe.json"), "--out", run(name), "--max-steps", String(steps)]);
    await train("whole", 12);
    await train("parts", 6);
    await output(["train", "--out", run("parts"), "--resume", "--max-steps", "12"]);
    const bytes = (path: string) => readFileSync(join(folder, path));
    for (const file of ["model.safetensors", "adapter/adapter_model.safetensors"])
      expect(bytes(`parts/${file}`).equals(bytes(`whole/${file}`)), file).toBe(true);
    const kept = [...parse(bytes("whole/checkpoints/step-12/model.safetensors")).tensors.keys()];
    expect(kept).toContain("encoder.layers.0.selfAttention.query.adapter.down");
    expect(kept.every((name) => /adapter|textClassifier/.test(name))).toBe(true);
    const classify = async (...args: string[]) =>
      JSON.parse(await output(["classify", ...args, "--json", "ten green trees"])).labels[0];
    const merged = await classify("--model", run("whole"));
    const beside = await classify("--model", model, "--adapter", join(run("whole"), "adapter"));
    expect(merged.label).toBe("plant");
    expect(beside.label).toBe("plant");
    expect(beside.score).toBeCloseTo(merged.score, 5);
    const { from: _, ...anew } = { ...recipe.model, model_type: "bert" };
    writeFileSync(run("anew.json"), JSON.stringify({ ...recipe, model: anew }));
    const { code, stderr } = await qkv(["train", run("anew.json"), "--out", run("anew")]);
    expect(stderr).toContain("adapters are for a model that was trained before; name it (--model FOLDER,");
    expect(code).toBe(2);
  });

  test("train: what the base model does not have is learned and saved with the adapters", async () => {
    const model = makeModelFolder("bert/maskedlm", await wordPiece());
    const rows = ["the cat sees a tree\tanimal", "ten green trees\tplant"];
    writeFileSync(join(folder, "two.tsv"), `text\tlabel\n${rows.join("\n")}\n`);
    const [train, run] = [join(folder, "two.tsv"), join(folder, "more")];
    const given = [
      "--task",
      "text-classification",
      "--model",
      model,
      "--train",
      train,
      "--validation",
      train,
    ];
    const peft = 'training.peft={"r":2,"target_modules":["query","dense"]}';
    await output(["train", ...given, "--out", run, "--max-steps", "3", "--set", peft]);
    const adapter = join(run, "adapter");
    const { modules_to_save } = JSON.parse(readFileSync(join(adapter, "adapter_config.json"), "utf8"));
    expect(modules_to_save).toEqual(["classifier", "pooler.dense"]);
    const names = [...parse(readFileSync(join(adapter, "adapter_model.safetensors"))).tensors.keys()];
    expect(names.filter((name) => name.includes("pooler"))).toEqual([
      "base_model.model.bert.pooler.dense.bias",
      "base_model.model.bert.pooler.dense.weight",
    ]);
    const classify = async (...args: string[]) =>
      JSON.parse(await output(["classify", ...args, "--json", "ten green trees"])).labels[0];
    const merged = await classify("--model", run);
    const beside = await classify("--model", model, "--adapter", adapter);
    expect(beside.label).toBe(merged.label);
    expect(beside.score).toBeCloseTo(merged.score, 5);
  });

  test("what is no adapter is refused", async () => {
    const model = makeModelFolder("bert/seqcls", await wordPiece());
    const missing = await qkv(["classify", "--model", model, "--adapter", folder, "the cat"]);
    expect(missing.stderr).toContain("adapter_config.json: there is no such file");
    expect(missing.code).toBe(2);
    const other = join(folder, "other");
    mkdirSync(other);
    writeFileSync(join(other, "adapter_config.json"), JSON.stringify({ peft_type: "PROMPT_TUNING" }));
    const { code, stderr } = await qkv(["classify", "--model", model, "--adapter", other, "the cat"]);
    expect(stderr).toContain('adapter_config.json: peft_type: only "LORA" is supported');
    expect(code).toBe(2);
    const same = await qkv(["merge", model, "--adapter", other, "--out", model]);
    expect([same.code, same.stderr]).toEqual([2, expect.stringContaining("needs a folder of its own")]);
  });
});

test("a translator begins anew, so a recipe of one has no adapters", async () => {
  const args = ["train", "toy", "--out", join(folder, "toy"), "--max-steps", "1", "--set", 'peft={"r":4}'];
  const { code, stderr } = await qkv(args);
  expect(stderr).toContain("training.peft: adapters are for a model that was trained before");
  expect(code).toBe(2);
});
