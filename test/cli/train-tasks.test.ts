/** Every task is trained from small files: the run's folder is a model's, is measured, and goes on bit by bit. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { makeFolder, output, qkv } from "./qkv.ts";
import { smallModels, smallTraining, writeTrainingData } from "./training-data.ts";

const folder = makeFolder();
writeTrainingData(folder);
const run = (name: string) => join(folder, "runs", name);

interface Case {
  readonly recipe: {
    readonly task: string;
    readonly data: { readonly train: string; readonly [key: string]: unknown };
    readonly model?: object;
    readonly training?: object;
    readonly [section: string]: unknown;
  };
  /** A command that runs the model, and what it prints. */
  readonly use: (out: string) => readonly string[];
  readonly prints: RegExp;
  readonly metrics: readonly string[];
}

const cases: Readonly<Record<string, Case>> = {
  "text-generation": {
    recipe: {
      task: "text-generation",
      data: { train: "text.txt", documents: "file" },
      model: smallModels.gpt2,
    },
    use: (out) => ["complete", "The red", "--model", out, "--max-new-tokens", "3"],
    prints: /^The red/,
    metrics: ["perplexity", "bits_per_byte"],
  },
  "text-generation of characters in windows": {
    recipe: {
      task: "text-generation",
      data: { train: "text.txt", documents: "file" },
      tokenizer: { type: "characters" },
      model: smallModels.gpt2,
      objective: { sampling: "windows" },
    },
    use: (out) => ["complete", "The red", "--model", out, "--max-new-tokens", "3"],
    prints: /^The red/,
    metrics: ["perplexity", "bits_per_byte"],
  },
  "fill-mask": {
    recipe: {
      task: "fill-mask",
      data: { train: "text.txt" },
      model: smallModels.bert,
      objective: { block_size: 16 },
    },
    use: (out) => ["fill-mask", "The [MASK] sleeps.", "--model", out, "--top-k", "2"],
    prints: /^0\.\d+\t.+\tthe|^0\.\d+\t/i,
    metrics: ["perplexity"],
  },
  "fill-mask, static": {
    recipe: {
      task: "fill-mask",
      data: { train: "text.txt", documents: "document" },
      model: smallModels.roberta,
      objective: { block_size: 16, masking: "static" },
    },
    use: (out) => ["fill-mask", "The <mask> sleeps.", "--model", out, "--top-k", "2"],
    prints: /^0\.\d+\t/,
    metrics: ["perplexity"],
  },
  "fill-mask of whole sentences": {
    recipe: {
      task: "fill-mask",
      data: { train: "text.txt", documents: "document" },
      model: smallModels.roberta,
      objective: { block_size: 16, packing: "whole_sentences" },
    },
    use: (out) => ["fill-mask", "The <mask> sleeps.", "--model", out, "--top-k", "2"],
    prints: /^0\.\d+\t/,
    metrics: ["perplexity"],
  },
  "text-infilling": {
    recipe: { task: "text-infilling", data: { train: "text.txt" }, model: smallModels.bart },
    use: (out) => ["summarize", "The red <mask> sleeps.", "--model", out, "--max-new-tokens", "3"],
    prints: /^/,
    metrics: ["perplexity"],
  },
  "span-corruption": {
    recipe: {
      task: "span-corruption",
      data: { train: "text.txt" },
      model: smallModels.t5,
      objective: { block_size: 24 },
      training: { optimizer: "adafactor", weight_decay: 0 },
    },
    use: (out) => ["summarize", "The red <extra_id_0> sleeps.", "--model", out, "--max-new-tokens", "3"],
    prints: /^/,
    metrics: ["perplexity"],
  },
  "text2text-generation": {
    recipe: {
      task: "text2text-generation",
      data: { train: "short.jsonl" },
      model: smallModels.t5,
      objective: { source_prefix: "shorten: ", eval_generate_samples: 4 },
    },
    use: (out) => ["summarize", "The red cat sleeps.", "--model", out, "--max-new-tokens", "3"],
    prints: /^/,
    metrics: ["perplexity", "rouge1", "rouge2", "rougeL", "bleu"],
  },
  "text-classification": {
    recipe: {
      task: "text-classification",
      data: { train: "labels.csv", columns: { text: "sentence" } },
      model: smallModels.bert,
      objective: { word_dropout: 0.2 },
      training: { gradient_accumulation_steps: 2, ema_decay: 0.9 },
    },
    use: (out) => ["classify", "The red cat sleeps.", "--model", out],
    prints: /^0\.\d+\t(animal|thing)/,
    metrics: ["accuracy", "macro_f1", "matthews_correlation"],
  },
  "text-classification with several labels": {
    recipe: {
      task: "text-classification",
      data: { train: "several.jsonl" },
      model: smallModels.bert,
      objective: { problem_type: "multi_label_classification" },
    },
    use: (out) => ["classify", "The red cat sleeps.", "--model", out],
    prints: /^0\.\d+\t(red|green|blue|small|large|old|new)/,
    metrics: ["micro_f1", "exact_match"],
  },
  "text-classification as regression": {
    recipe: {
      task: "text-classification",
      data: { train: "numbers.tsv" },
      model: smallModels.roberta,
      objective: { problem_type: "regression" },
    },
    use: (out) => ["classify", "The red cat sleeps.", "--model", out],
    prints: /^-?\d\.\d+\tLABEL_0/,
    metrics: ["pearson", "spearman"],
  },
  "text-classification of pairs": {
    recipe: {
      task: "text-classification",
      data: { train: "pairs.jsonl", columns: { text_pair: "text_pair" } },
      model: smallModels.bert,
      training: { optimizer: "sgd", sgd_momentum: 0.9 },
    },
    use: (out) => ["evaluate", out, "--input", join(folder, "valid-pairs.jsonl")],
    prints: /accuracy \d/,
    metrics: ["accuracy", "macro_f1", "matthews_correlation"],
  },
  "token-classification": {
    recipe: {
      task: "token-classification",
      data: { train: "tags.conll", column_names: ["tokens", "tags"] },
      model: smallModels.bert,
      objective: { class_weights: "balanced", word_dropout: 0.2 },
    },
    use: (out) => ["tag", "The red cat sleeps .", "--model", out, "--json"],
    prints: /^\{"text":"The red cat/,
    metrics: ["f1", "precision", "recall", "accuracy"],
  },
  "token-classification with T5's encoder": {
    recipe: {
      task: "token-classification",
      data: { train: "tags.conll", column_names: ["tokens", "tags"] },
      model: smallModels.t5,
      objective: { max_length: 64, word_dropout: 0.2 },
    },
    use: (out) => ["tag", "The red cat sleeps .", "--model", out, "--json"],
    prints: /^\{"text":"The red cat/,
    metrics: ["f1", "precision", "recall", "accuracy"],
  },
  "question-answering": {
    recipe: { task: "question-answering", data: { train: "questions.jsonl" }, model: smallModels.bert },
    use: (out) => ["answer", "What is it?", "--context", "The red cat sleeps.", "--model", out],
    prints: /\S/,
    metrics: ["exact_match", "f1"],
  },
  "sentence-similarity": {
    recipe: { task: "sentence-similarity", data: { train: "pairs.jsonl" }, model: smallModels.bert },
    use: (out) => [
      "search",
      "a cat",
      "--model",
      out,
      "--input",
      join(folder, "valid-text.txt"),
      "--top-k",
      "1",
    ],
    prints: /\d\tThe /,
    metrics: ["recall_at_1", "mrr"],
  },
};

function writeRecipe(name: string, { recipe }: Pick<Case, "recipe">): string {
  const path = join(folder, `${name.replaceAll(" ", "-")}.json`);
  const data = { ...recipe.data, validation: `valid-${recipe.data.train}` };
  const training = { ...smallTraining, ...recipe.training };
  const tokenizer = { vocab_size: 400, ...(recipe.tokenizer as object) };
  writeFileSync(path, JSON.stringify({ ...recipe, data, tokenizer, training }));
  return path;
}

const train = (recipe: string, out: string, steps: number) => [
  ...["train", recipe, "--out", out, "--max-steps", String(steps), "--threads", "1"],
];
const stepsOf = (out: string) =>
  readFileSync(join(out, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; step: number; loss: number; metrics?: object })
    .filter(({ type }) => type === "step")
    .map(({ step, loss }) => [step, loss]);

describe.each(Object.entries(cases))("%s", (name, own) => {
  const whole = run(name);
  let told: string;
  beforeAll(async () => {
    told = (await qkv(train(writeRecipe(name, own), whole, 8))).stderr;
  });

  test("is trained, and the folder is a model that runs", async () => {
    expect(told).toContain("Finished.");
    expect(told).toContain(whole);
    const losses = stepsOf(whole).map(([, loss]) => loss!);
    expect(losses).toHaveLength(8);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    for (const file of ["config.json", "tokenizer.json", "model.safetensors", "best/config.json"])
      expect(existsSync(join(whole, file)), file).toBe(true);
    expect(await output([...own.use(whole), "--threads", "1"])).toMatch(own.prints);
  });

  test("is measured as its training measured it", async () => {
    const measured = JSON.parse(
      await output(["evaluate", whole, "--split", "validation", "--json"]),
    ) as Record<string, number>;
    const { split: _, loss, ...metrics } = measured;
    expect(Object.keys(metrics)).toEqual(own.metrics);
    const best = readFileSync(join(whole, "log.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .findLast(({ type, best: isBest }) => type === "validation" && isBest);
    expect(loss).toBeCloseTo(best.loss, 5);
    for (const [metric, value] of Object.entries(metrics))
      expect(value, metric).toBeCloseTo(best.metrics[metric], 4);
  });

  test("goes on where it was stopped with the same bytes", async () => {
    const parts = run(`${name} in parts`);
    await output(train(writeRecipe(name, own), parts, 3));
    await output(["train", "--out", parts, "--resume", "--max-steps", "8", "--threads", "1"]);
    expect(stepsOf(parts)).toEqual(stepsOf(whole));
    for (const file of ["model", "optimizer"]) {
      const bytes = (out: string) => readFileSync(join(out, "checkpoints", "step-8", `${file}.safetensors`));
      expect(bytes(parts).equals(bytes(whole)), file).toBe(true);
    }
  });
});

test("a vocabulary of characters has the line breaks of a text that is read as a whole", () => {
  const path = join(run("text-generation of characters in windows"), "tokenizer.json");
  const { model } = JSON.parse(readFileSync(path, "utf8")) as { model: { vocab: Record<string, number> } };
  expect(model.vocab["\n"]).toBeGreaterThan(0);
});
