/** Trainings that begin from another model: fine-tuning, distillation; and the choices that single tasks have. */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { makeFolder, output, program, qkv } from "./qkv.ts";
import { readFloat32Values } from "./safetensors.ts";
import { smallModels, smallTraining, writeTrainingData } from "./training-data.ts";

const folder = makeFolder();
writeTrainingData(folder);
const run = (name: string) => join(folder, "runs", name);
const startOf = (out: string): { parameters: number } =>
  readFileSync(join(out, "events.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .find(({ type }) => type === "start");
const tensorsOf = (out: string) => readFloat32Values(readFileSync(join(out, "model.safetensors")));
const log = (out: string) =>
  readFileSync(join(out, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; loss: number; metrics?: Record<string, number> });

interface RecipeParts {
  readonly task: string;
  readonly data: { readonly train: string; readonly [key: string]: unknown };
  readonly [section: string]: unknown;
}

let recipes = 0;
function recipeFile({ training, ...recipe }: RecipeParts & { readonly training?: object }): string {
  const path = join(folder, `recipe${recipes++}.json`);
  const data = { validation: `valid-${recipe.data.train}`, ...recipe.data };
  writeFileSync(path, JSON.stringify({ ...recipe, data, training: { ...smallTraining, ...training } }));
  return path;
}

const args = (recipe: RecipeParts & { readonly training?: object }, out: string, steps: number) => [
  ...["train", recipeFile(recipe), "--out", run(out), "--max-steps", String(steps), "--threads", "1"],
];

/** Trains in one part and in two, and compares the bytes. */
async function trainTwice(
  recipe: RecipeParts & { readonly training?: object },
  out: string,
): Promise<string> {
  const { code, stderr } = await qkv(args(recipe, out, 6));
  expect(code, stderr).toBe(0);
  await output(args(recipe, `${out}-parts`, 2));
  await output(["train", "--out", run(`${out}-parts`), "--resume", "--max-steps", "6", "--threads", "1"]);
  for (const file of ["model", "optimizer"]) {
    const bytes = (name: string) =>
      readFileSync(join(run(name), "checkpoints/step-6", `${file}.safetensors`));
    expect(bytes(`${out}-parts`).equals(bytes(out)), file).toBe(true);
  }
  return stderr;
}

const pretraining = {
  task: "fill-mask",
  data: { train: "text.txt" },
  tokenizer: { vocab_size: 400 },
  model: smallModels.bert,
} as const;
const classification = {
  task: "text-classification",
  data: { train: "labels.csv", columns: { text: "sentence" } },
} as const;

beforeAll(async () => {
  await output(args(pretraining, "base", 4));
});

describe("fine-tuning", () => {
  test("takes what the checkpoint has, and says what it has not", async () => {
    const recipe = { ...classification, model: { from: run("base") } };
    const told = await trainTwice(recipe, "tuned");
    expect(told).toContain(`Began from ${run("base")}`);
    expect(told).toContain("it has no");
    expect(told).toContain("textClassifier.weight");
    const config = JSON.parse(readFileSync(join(run("tuned"), "config.json"), "utf8"));
    expect(config.architectures).toEqual(["BertForSequenceClassification"]);
    expect(config.id2label).toEqual({ 0: "animal", 1: "thing" });
    const tokenizer = (name: string) => readFileSync(join(run(name), "tokenizer.json"), "utf8");
    expect(JSON.parse(tokenizer("tuned"))).toEqual(JSON.parse(tokenizer("base")));
  });

  test("labels stay in the checkpoint's order; tags of no entities, in a file that is called .txt", async () => {
    const lines = [
      ["NNP", "VBZ"],
      ["VBZ", "NNP"],
    ]
      .map((tags) => `Ada ${tags[0]}\nlives ${tags[1]}\n\n`)
      .join("");
    writeFileSync(join(folder, "speech.txt"), lines.repeat(10));
    const data = { train: "speech.txt", validation: "speech.txt", format: "conll" };
    const recipe = { task: "token-classification", data, model: { from: run("base") } };
    const stderr = await trainTwice({ ...recipe, objective: { labels: ["VBZ", "NNP"] } }, "speech");
    expect(stderr).toContain("accuracy");
    const config = (name: string) => JSON.parse(readFileSync(join(run(name), "config.json"), "utf8"));
    expect(config("speech").id2label).toEqual({ 0: "VBZ", 1: "NNP" });
    await output(args({ ...recipe, model: { from: run("speech") } }, "speech-again", 1));
    expect(config("speech-again").id2label).toEqual({ 0: "VBZ", 1: "NNP" });
    const taught = { ...recipe, model: smallModels.bert, teacher: { from: run("speech") } };
    await output(args(taught, "speech-taught", 1));
    expect(config("speech-taught").id2label).toEqual({ 0: "VBZ", 1: "NNP" });
  });

  test("leaves frozen parts as they were, and lower layers nearly so with a decay by layers", async () => {
    const recipe = {
      ...classification,
      model: { from: run("base") },
      training: {
        freeze: ["encoder.embedding", "encoder.layers.0.*"],
        layerwise_lr_decay: 0.5,
        eval_steps: 3,
      },
    };
    await output(args(recipe, "frozen", 3));
    const [before, after] = [tensorsOf(run("base")), tensorsOf(run("frozen"))];
    const change = (name: string) =>
      Math.max(...after.get(name)!.data.map((value, at) => Math.abs(value - before.get(name)!.data[at]!)));
    expect(change("bert.embeddings.word_embeddings.weight")).toBe(0);
    expect(change("bert.encoder.layer.0.output.dense.weight")).toBe(0);
    expect(change("bert.encoder.layer.1.output.dense.weight")).toBeGreaterThan(0);
    // The positions lie below all layers: 0.5³ of the rate; Adam's steps are about as long as the rate.
    expect(change("bert.embeddings.position_embeddings.weight")).toBeGreaterThan(0);
    expect(change("bert.embeddings.position_embeddings.weight")).toBeLessThan(
      change("bert.encoder.layer.1.output.dense.weight"),
    );
  });

  test("goes on without the folder that it began from", async () => {
    cpSync(run("base"), run("moved"), { recursive: true });
    await output(args({ ...classification, model: { from: run("moved") } }, "orphan", 2));
    rmSync(run("moved"), { recursive: true });
    await output(["train", "--out", run("orphan"), "--resume", "--max-steps", "3", "--threads", "1"]);
  });

  test("from the command line alone", async () => {
    const small = Object.entries(smallTraining).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const { code, stderr } = await qkv([
      ...[
        "train",
        "--task",
        "text-classification",
        "--train",
        join(folder, "labels.csv"),
        "--model",
        run("base"),
      ],
      ...["--set", 'data.columns={"text":"sentence"}', "--out", run("short"), "--max-steps", "2", ...small],
    ]);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(`Try it: qkv classify --model ${run("short")} "..."`);
  });

  test("of a model that summarizes keeps its prefix for later use", async () => {
    const recipe = {
      task: "text2text-generation",
      data: { train: "short.jsonl" },
      tokenizer: { vocab_size: 300 },
      model: smallModels.bart,
      objective: { source_prefix: "shorten: ", eval_generate_samples: 2, label_smoothing_factor: 0.1 },
    };
    await trainTwice(recipe, "summaries");
    const config = JSON.parse(readFileSync(join(run("summaries"), "config.json"), "utf8"));
    expect(config.task_specific_params.summarization).toEqual({ prefix: "shorten: " });
    const [first] = log(run("summaries")).filter(({ type }) => type === "validation");
    // Smoothing is of the training alone.
    expect(first!.metrics!.perplexity).toBeCloseTo(Math.exp(first!.loss), 6);
  });
});

describe("distillation", () => {
  const teacherOf: Record<string, RecipeParts & { readonly training?: object }> = {
    "text-classification": { ...classification, tokenizer: { vocab_size: 400 }, model: smallModels.bert },
    "fill-mask": pretraining,
    "question-answering": {
      task: "question-answering",
      data: { train: "questions.jsonl" },
      tokenizer: { vocab_size: 400 },
      model: smallModels.bert,
    },
    "text2text-generation": {
      task: "text2text-generation",
      data: { train: "short.jsonl" },
      tokenizer: { vocab_size: 300 },
      model: { ...smallModels.bart, decoder_layers: 2 },
      objective: { eval_generate_samples: 0 },
    },
    "text-generation": {
      task: "text-generation",
      data: { train: "text.txt" },
      tokenizer: { vocab_size: 300 },
      model: { ...smallModels.gpt2, n_layer: 2 },
    },
  };
  const students: Record<string, object> = {
    "text-classification": { ...smallModels.bert, num_hidden_layers: 1 },
    "fill-mask": {
      model_type: "distilbert",
      dim: 16,
      hidden_dim: 16,
      n_heads: 2,
      n_layers: 1,
      max_position_embeddings: 32,
    },
    "question-answering": { ...smallModels.bert, num_hidden_layers: 1 },
    "text2text-generation": smallModels.bart,
    "text-generation": smallModels.gpt2,
  };

  test.each(Object.keys(teacherOf))("for %s", async (task) => {
    const teacher = teacherOf[task]!;
    await output(args(teacher, `teacher-${task}`, 4));
    const { tokenizer: _, ...own } = teacher;
    const student = { ...own, model: students[task], teacher: { from: run(`teacher-${task}`) } };
    const told = await trainTwice(student, `student-${task}`);
    expect(told).toMatch(/Began with \d+ of \d+ parameters of the teacher/);
    const tensors = tensorsOf(run(`student-${task}`));
    // The teacher's parameters are not counted as the student's.
    const size = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
    expect(startOf(run(`student-${task}`)).parameters).toBe(size);
    const names = [...tensors.keys()];
    expect(names.filter((name) => name.includes("teacher"))).toEqual([]);
    const measured = JSON.parse(
      await output(["evaluate", run(`student-${task}`), "--split", "validation", "--json"]),
    );
    expect(measured.loss).toBeGreaterThan(0);
  });

  test("a teacher with other tokens is refused", async () => {
    const recipe = {
      ...classification,
      tokenizer: { vocab_size: 60 },
      model: smallModels.bert,
      teacher: { from: run("teacher-text-classification") },
    };
    const own = { ...recipe, tokenizer: { from: run("teacher-text2text-generation") } };
    const { code, stderr } = await qkv(args(own, "other-tokens", 2));
    expect(stderr).toMatch(
      /^qkv: teacher: student and teacher must have the same vocabulary; got .* for the id \d+/m,
    );
    expect(code).toBe(2);
  });

  test("a teacher of another width is refused, with the way out", async () => {
    const recipe = {
      ...classification,
      model: { ...smallModels.bert, hidden_size: 8 },
      teacher: { from: run("teacher-text-classification") },
    };
    const { code, stderr } = await qkv(args(recipe, "other-width", 2));
    expect(stderr).toContain("teacher: the width (or set teacher.alpha_cos to 0)");
    expect(code).toBe(2);
    const without = { ...recipe, teacher: { ...recipe.teacher, alpha_cos: 0 } };
    await output(args(without, "other-width", 2));
  });
});

describe("choices of single tasks", () => {
  test("next-sentence prediction writes what Hugging Face's BertForPreTraining has", async () => {
    const recipe = { ...pretraining, objective: { next_sentence: true, block_size: 24 } };
    await trainTwice(recipe, "pairs");
    const names = [...tensorsOf(run("pairs")).keys()];
    expect(names).toContain("cls.seq_relationship.weight");
    expect(names).toContain("cls.seq_relationship.bias");
    expect(names).toContain("cls.predictions.transform.dense.weight");
    expect(names).toContain("bert.pooler.dense.weight");
    const config = JSON.parse(readFileSync(join(run("pairs"), "config.json"), "utf8"));
    expect(config.architectures).toEqual(["BertForPreTraining"]);
    expect(await output(["fill-mask", "The [MASK] sleeps.", "--model", run("pairs")])).toMatch(/^0\.\d+\t/);
    const measured = JSON.parse(await output(["evaluate", run("pairs"), "--split", "validation", "--json"]));
    expect(Object.keys(measured)).toEqual(["split", "loss", "perplexity", "next_sentence_accuracy"]);
    const tuned = { ...classification, model: { from: run("pairs") } };
    const { stderr } = await qkv(args(tuned, "tuned-from-pairs", 2));
    expect(stderr).toContain("it has no textClassifier.weight, textClassifier.bias");
    expect(stderr).toContain("Finished.");
  });

  test.each([["balanced"], [[1, 3]]])("classes with weights %j", async (class_weights) => {
    const recipe = {
      ...classification,
      tokenizer: { vocab_size: 400 },
      model: smallModels.bert,
      objective: { class_weights },
    };
    await trainTwice(recipe, `weights-${JSON.stringify(class_weights)}`);
  });
});

describe("a folder in which a training is at work", () => {
  const recipe = { ...classification, tokenizer: { vocab_size: 400 }, model: smallModels.bert };

  test("takes no second one", async () => {
    const long = args({ ...recipe, training: { eval_steps: 100_000 } }, "held", 100_000);
    const child = spawn(process.execPath, [program, ...long, "--json"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      await new Promise<void>((resolve) => {
        child.stdout.on("data", (text: Buffer) => text.includes('"type":"step"') && resolve());
      });
      const { code, stderr } = await qkv([...args(recipe, "held", 2), "--resume"]);
      expect(stderr).toContain(
        `${run("held")}: one training at a time works in a folder; got process ${child.pid}`,
      );
      expect(code).toBe(2);
    } finally {
      const ended = new Promise((resolve) => child.on("close", resolve));
      child.kill("SIGKILL");
      await ended;
    }
    // Whoever was killed holds nothing any more.
    expect(existsSync(join(run("held"), "run.lock"))).toBe(true);
    await output([...args(recipe, "held", 2), "--resume"]);
    expect(existsSync(join(run("held"), "run.lock"))).toBe(false);
  });

  test.each([
    ["of a process that is no more", JSON.stringify({ process: 2 ** 22 + 1, host: hostname(), since: 1 })],
    ["that was not written to its end", '{"process":'],
  ])("a lock %s stands in nobody's way", async (name, text) => {
    mkdirSync(run(name), { recursive: true });
    writeFileSync(join(run(name), "run.lock"), text);
    await output(args(recipe, name, 2));
  });

  test("a lock of another machine is respected", async () => {
    mkdirSync(run("elsewhere"), { recursive: true });
    const owner = { process: 1, host: "elsewhere.example", since: 1 };
    writeFileSync(join(run("elsewhere"), "run.lock"), JSON.stringify(owner));
    const { code, stderr } = await qkv(args(recipe, "elsewhere", 2));
    expect(stderr).toContain("got process 1 on elsewhere.example");
    expect(code).toBe(2);
  });
});

describe("what recipes do to positions and texts", () => {
  test("learned positions that begin as sinusoids: neighbours are equally far from each other everywhere", async () => {
    const positions = async (initial: object, out: string) => {
      const recipe = {
        task: "fill-mask",
        data: { train: "text.txt" },
        model: { ...smallModels.bert, ...initial },
        training: { learning_rate: 1e-9 },
      };
      await output(args(recipe, out, 1));
      const { data, shape } = tensorsOf(run(out)).get("bert.embeddings.position_embeddings.weight")!;
      const width = shape[1]!;
      const product = (left: number, right: number) =>
        data
          .subarray(left * width, (left + 1) * width)
          .reduce((sum, value, index) => sum + value * data[right * width + index]!, 0);
      return Math.abs(product(2, 3) - product(7, 8)) / product(2, 2);
    };
    expect(await positions({ initial_positions: "sinusoidal" }, "waves")).toBeLessThan(1e-3);
    expect(await positions({}, "drawn")).toBeGreaterThan(1e-2);
  });

  test("biases of distances that begin spread are far from nought", async () => {
    const spread = async (initial: object, out: string) => {
      const recipe = {
        task: "span-corruption",
        data: { train: "text.txt" },
        model: { ...smallModels.t5, ...initial },
        objective: { block_size: 24 },
        training: { learning_rate: 1e-9 },
      };
      await output(args(recipe, out, 1));
      const tensors = tensorsOf(run(out));
      return ["encoder", "decoder"].map((stack) => {
        const name = `${stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`;
        const { data } = tensors.get(name)!;
        return Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
      });
    };
    for (const size of await spread({ initial_positions: "spread" }, "far")) expect(size).toBeCloseTo(2, 3);
    for (const size of await spread({}, "near")) expect(size).toBeLessThan(0.5);
  });

  test("pieces and words that are altered in each epoch go on exactly after a stop", async () => {
    const recipe = (objective: object) => ({
      task: "token-classification",
      data: { train: "tags.conll", column_names: ["tokens", "tags"] },
      model: smallModels.bert,
      objective,
    });
    await trainTwice(recipe({ piece_dropout: 0.4, word_dropout: 0.2 }), "altered");
    await output(args(recipe({ word_dropout: 0.2 }), "whole-pieces", 6));
    const losses = (name: string) => log(run(name)).map(({ loss }) => loss);
    expect(losses("altered")).not.toEqual(losses("whole-pieces"));
  });

  test("questions without an answer are learned and measured, where the recipe expects them", async () => {
    const records = ["train", "valid"].map((part) => {
      const name = part === "train" ? "open-questions.jsonl" : "valid-open-questions.jsonl";
      const lines = Array.from({ length: 40 }, (_, index) => {
        const answers = index % 2 === 0 ? ["cat"] : [];
        return JSON.stringify({ question: "What is it?", context: "The red cat sleeps.", answers });
      });
      writeFileSync(join(folder, name), `${lines.join("\n")}\n`);
      return name;
    });
    const recipe = (objective: object) => ({
      task: "question-answering",
      data: { train: records[0]! },
      model: smallModels.bert,
      objective,
    });
    await output(args(recipe({ version_2_with_negative: true }), "open-questions", 4));
    const measured = JSON.parse(
      await output(["evaluate", run("open-questions"), "--split", "validation", "--json"]),
    );
    expect(measured.exact_match).toBeGreaterThanOrEqual(0);
    const { code, stderr } = await qkv(args(recipe({}), "closed-questions", 4));
    expect(code).toBe(2);
    expect(stderr).toMatch(/open-questions\.jsonl:2: .*a list of texts, at least one/);
  });
});
