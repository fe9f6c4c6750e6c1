/** What somebody gets wrong about a training is said in a sentence, with exit code 2, before anything takes long. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { makeFolder, output, qkv } from "./qkv.ts";
import { smallModels, smallTraining, writeTrainingData } from "./training-data.ts";

const folder = makeFolder();
writeTrainingData(folder);
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return name;
};
let runs = 0;

/** Runs a training of a recipe that is wrong, and gives back what it says. */
async function refused(recipe: object, ...flags: string[]): Promise<string> {
  const path = join(folder, file(`wrong${runs++}.json`, JSON.stringify(recipe)));
  return await refusedCommand("train", path, "--out", join(folder, `run${runs}`), "--threads", "1", ...flags);
}

async function refusedCommand(...args: string[]): Promise<string> {
  const { code, stderr, stdout } = await qkv(args, { cwd: folder });
  expect(code, stderr + stdout).toBe(2);
  const said = stderr.split("\n").filter((line) => line.startsWith("qkv: ") || line.startsWith("error: "));
  expect(said, stderr).toHaveLength(1);
  // Nothing was read through before.
  expect(stderr).not.toContain("tokenizing");
  return said[0]!;
}

const classification = {
  task: "text-classification",
  data: { train: "labels.csv", validation: "valid-labels.csv", columns: { text: "sentence" } },
  tokenizer: { vocab_size: 400 },
  model: smallModels.bert,
  training: { ...smallTraining, max_steps: 2 },
};
const generation = {
  task: "text-generation",
  data: { train: "text.txt", validation: "valid-text.txt" },
  tokenizer: { vocab_size: 300 },
  model: smallModels.gpt2,
  training: { ...smallTraining, max_steps: 2 },
};

describe("the command line", () => {
  const out = ["--out", join(folder, "none")];
  test.each([
    [
      ["train", "toy", "--task", "fill-mask", "--train", "text.txt"],
      "takes a task with its files, or recipe; got both",
    ],
    [
      ["train", "--task", "fill-masks", "--train", "text.txt"],
      'got "fill-masks" (did you mean "fill-mask"?)',
    ],
    [
      ["train", "--task", "translation", "--train", "text.txt"],
      "a translator is trained from source and target",
    ],
    [["train", "--task", "fill-mask"], "the task fill-mask needs a file to train on"],
    [["train", "--train", "text.txt"], "train goes with a task"],
    [["train", "--task", "fill-mask", "--train", "none.txt"], "none.txt: cannot read"],
    [
      ["train", "--task", "fill-mask", "--train", "text.txt", "--model", "nowhere"],
      'there is no folder "nowhere"',
    ],
    [
      ["train", "--task", "fill-mask", "--train", "text.txt", "--set", "mlm_probabilty=0.2"],
      'did you mean "mlm_probability"?',
    ],
    [
      ["train", "--task", "fill-mask", "--train", "text.txt", "--set", "mlm_probability=2"],
      "mlm_probability",
    ],
    [
      ["train", "--task", "fill-mask", "--train", "text.txt", "--set", "sampling=windows"],
      'unknown key "sampling"',
    ],
    [
      ["train", "--task", "fill-mask", "--train", "text.txt", "--set", "hidden_size=32"],
      'unknown key "hidden_size"; if it is a size of the model\'s family, write model.hidden_size',
    ],
    [["train", "--task", "fill-mask", "--train", "text.dat"], "text.dat: cannot read"],
    [
      ["train", "--task", "text-classification", "--train", "pairs.jsonl", "--set", "max_length=1000"],
      "objective.max_length must be from 3 to 128 tokens in this model, special ones included; got 1000",
    ],
    [
      ["train", "--task", "text2text-generation", "--train", "short.jsonl", "--set", "max_source_length=1"],
      "objective.max_source_length must be ",
    ],
  ])("%j", async (args, said) => {
    expect(await refusedCommand(...args, ...out)).toContain(said);
  });

  test("a file of an unknown kind", async () => {
    file("text.dat", "The cat sleeps.\n");
    const said = await refusedCommand("train", "--task", "fill-mask", "--train", "text.dat", ...out);
    expect(said).toContain("text.dat: the file's name must end in one of .txt,");
  });
});

describe("recipes", () => {
  test.each([
    [
      "a metric that there is not",
      { training: { metric_for_best_model: "acuracy" } },
      'must be one of loss, accuracy, macro_f1, matthews_correlation; got "acuracy" (did you mean "accuracy"?)',
    ],
    ["a metric of another task", { training: { metric_for_best_model: "bleu" } }, 'got "bleu"'],
    [
      "a metric without validation",
      {
        data: { train: "labels.csv", columns: { text: "sentence" } },
        training: { metric_for_best_model: "accuracy" },
      },
      "metric_for_best_model needs validation data",
    ],
    [
      "patience without validation",
      {
        data: { train: "labels.csv", columns: { text: "sentence" } },
        training: { early_stopping_patience: 2 },
      },
      "early_stopping_patience needs validation data",
    ],
    [
      "a key of a model that there is not",
      { model: { ...smallModels.bert, n_layer: 2 } },
      'unknown key "n_layer" of a bert model',
    ],
    ["a family that there is not", { model: { model_type: "brt" } }, 'got "brt" (did you mean "bert"?)'],
    [
      "a beginning for positions that are not learned",
      {
        task: "text2text-generation",
        data: { train: "short.jsonl" },
        objective: {},
        model: { ...smallModels.t5, initial_positions: "sinusoidal" },
      },
      'a t5 model has no learned table of positions; take "spread", or leave it out',
    ],
    [
      "a beginning for distances that are not learned",
      { model: { ...smallModels.bert, initial_positions: "spread" } },
      'a bert model learns no biases of distances; take "sinusoidal", or leave it out',
    ],
    [
      "a beginning for positions that were learned before",
      { model: { from: "nowhere", initial_positions: "sinusoidal" } },
      "model.initial_positions: is for a new model",
    ],
    ["a model without the head", { model: smallModels.gpt2 }, "a gpt2 model can be"],
    [
      "heads that do not divide the width",
      { model: { ...smallModels.bert, num_attention_heads: 3 } },
      "hidden_size must be a multiple of num_attention_heads",
    ],
    [
      "frozen parameters that there are not",
      { training: { freeze: ["encoder.layer.0.*"] } },
      "freeze: no parameter has the address",
    ],
    [
      "labels of a regression",
      { objective: { problem_type: "regression", labels: ["a"] } },
      "objective.labels: a regression has none",
    ],
    [
      "weights for too few classes",
      { objective: { class_weights: [1, 2, 3] } },
      "one number for each label (animal, thing); got 3",
    ],
    [
      "a column that is called otherwise",
      { data: { train: "labels.csv", columns: { text: "sentences" } } },
      'has no column "sentences" (did you mean "sentence"?); got "sentence", "label"',
    ],
    [
      "a field that the task has not",
      { data: { train: "labels.csv", columns: { txt: "sentence" } } },
      'got "txt" (did you mean "text"?)',
    ],
    ["a teacher that is no model", { teacher: { from: "nowhere" } }, 'there is no folder "nowhere"'],
  ])("%s", async (_, changes, said) => {
    const training = { ...classification.training, ...("training" in changes ? changes.training : {}) };
    expect(await refused({ ...classification, ...changes, training })).toContain(said);
  });

  test.each([
    [
      "blocks that are longer than positions",
      { objective: { block_size: 64 } },
      "objective.block_size can be 16 at most in this model; got 64",
    ],
    [
      "windows without a number of steps",
      { objective: { sampling: "windows" }, training: smallTraining },
      "training.max_steps: is needed, since windows have no epochs",
    ],
  ])("%s", async (_, changes, said) => {
    expect(await refused({ ...generation, ...changes })).toContain(said);
  });

  test("pairs of segments are BERT's alone", async () => {
    const recipe = {
      ...generation,
      task: "fill-mask",
      model: smallModels.roberta,
      objective: { next_sentence: true },
    };
    expect(await refused(recipe)).toContain("a roberta model can be");
  });

  test("pairs of segments are no whole sentences", async () => {
    const objective = { next_sentence: true, packing: "whole_sentences" };
    const recipe = { ...generation, task: "fill-mask", model: smallModels.bert, objective };
    expect(await refused(recipe)).toContain(
      "objective.packing: pairs of segments are cut from continuous text",
    );
  });

  test("a teacher where there is nothing to be taught", async () => {
    const recipe = { task: "sentence-similarity", data: { train: "pairs.jsonl" }, teacher: { from: "x" } };
    expect(await refused(recipe)).toContain("teacher: goes with a task whose models give scores");
  });
});

describe("data", () => {
  const questions = (rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const good = { question: "Who?", context: "The cat sleeps.", answers: ["cat"] };
  const bad = { question: "Who?", context: "The cat sleeps.", answers: ["dog"] };
  const answering = (train: string, more: object = {}) => ({
    task: "question-answering",
    data: { train, ...more },
    tokenizer: { vocab_size: 100 },
    model: smallModels.bert,
    training: { ...smallTraining, max_steps: 2 },
  });

  test("a label of the validation that training has not, before the training data are tokenized", async () => {
    file("valid-strange.csv", "sentence,label\nThe sun shines.,star\n");
    const data = { ...classification.data, validation: "valid-strange.csv" };
    const said = await refused({ ...classification, data });
    expect(said).toContain('valid-strange.csv:2: a label must be one of animal, thing; got "star"');
  });

  test("a single label, unless the recipe names more", async () => {
    file("alike.csv", "sentence,label\nred,pos\nblue,pos\n");
    const data = { train: "alike.csv", columns: { text: "sentence" } };
    expect(await refused({ ...classification, data })).toContain(
      'alike.csv: all records have the label "pos"; a classifier needs at least two labels; add records, or name all ' +
        `labels in objective.labels: --set labels='["pos", "..."]'`,
    );
    const recipe = { ...classification, data, objective: { labels: ["neg", "pos"] } };
    const path = join(folder, file("alike.json", JSON.stringify(recipe)));
    await output(["train", path, "--out", join(folder, "alike"), "--threads", "1"]);
  });

  test("an empty file", async () => {
    file("empty.csv", "");
    const data = { ...classification.data, train: "empty.csv" };
    expect(await refused({ ...classification, data })).toContain("empty.csv");
    file("empty.txt", "");
    const recipe = { ...generation, data: { train: "empty.txt" } };
    expect(await refused(recipe)).toContain("empty.txt: must hold at least one good row; got an empty file");
  });

  test("an answer that the context does not hold", async () => {
    file("bad-questions.jsonl", questions([good, bad]));
    const said = await qkv([
      "train",
      join(folder, file("bad-questions.json", JSON.stringify(answering("bad-questions.jsonl")))),
      "--out",
      join(folder, "bad-questions"),
    ]);
    expect(said.stderr).toContain('bad-questions.jsonl:2: the context must hold the answer; got "dog"');
    expect(said.code).toBe(2);
  });

  test("is left out where bad rows are, and told", async () => {
    file("some-questions.jsonl", questions([good, bad, good]));
    const recipe = answering("some-questions.jsonl", { on_bad_row: "skip" });
    const path = join(folder, file("some-questions.json", JSON.stringify(recipe)));
    const { code, stderr } = await qkv(["train", path, "--out", join(folder, "some-questions")]);
    expect(stderr).toContain("train: left out 1 more: ");
    expect(stderr).toContain('some-questions.jsonl:2: the context must hold the answer; got "dog"');
    expect(stderr).toContain("train: 2 examples");
    expect(code).toBe(0);
  });

  test("tags and words that are not as many", async () => {
    file("tags.jsonl", `${JSON.stringify({ tokens: ["a", "b"], tags: ["O"] })}\n`);
    const recipe = { task: "token-classification", data: { train: "tags.jsonl" }, model: smallModels.bert };
    const path = join(folder, file("tags.json", JSON.stringify(recipe)));
    const { code, stderr } = await qkv(["train", path, "--out", join(folder, "tags")]);
    expect(stderr).toContain("tags.jsonl:1: each word needs one tag; got 2 words and 1 tags");
    expect(code).toBe(2);
  });

  test("too few records to hold some out: none are, and it is said", async () => {
    file("three.csv", "text,label\nred,a\nblue,b\ngreen,a\n");
    const args = [
      "train",
      "--task",
      "text-classification",
      "--train",
      "three.csv",
      "--out",
      "three",
      "--max-steps",
      "1",
    ];
    const { code, stderr } = await qkv(args, { cwd: folder });
    expect(stderr).toContain("validation: none, since there are too few records to hold some out");
    expect(code).toBe(0);
  });

  test("one number to validate a regression on has no correlation, and that is no reason to stop", async () => {
    file("one.tsv", "text\tlabel\nred\t1\n");
    const data = { train: "numbers.tsv", validation: "one.tsv" };
    const objective = { problem_type: "regression" };
    const training = { ...smallTraining, max_steps: 2, metric_for_best_model: "pearson" };
    const recipe = { ...classification, data, objective, training };
    const path = join(folder, file("one.json", JSON.stringify(recipe)));
    const { code, stderr } = await qkv(["train", path, "--out", join(folder, "one")]);
    expect(code, stderr).toBe(0);
    await output(["train", "--out", join(folder, "one"), "--resume", "--max-steps", "3"]);
  });
});

describe("evaluate", () => {
  beforeAll(async () => {
    const path = join(folder, file("good.json", JSON.stringify(classification)));
    await output(["train", path, "--out", join(folder, "good")]);
  });

  test.each([
    [["good"], "has no test data; got train and validation; take another part (--split)"],
    [["good", "--split", "validation", "--input", "valid-labels.csv"], "takes --split or --input"],
    [
      ["good", "--split", "validation", "--num-beams", "2"],
      "--num-beams goes with --source and --references",
    ],
    [["good", "--input", "none.csv"], "none.csv: cannot read"],
    [["good", "--input", "numbers.tsv"], 'has no column "sentence"'],
    [["none"], "none"],
  ])("%j", async (args, said) => {
    expect(await refusedCommand("evaluate", ...args)).toContain(said);
  });

  test("other records of the same kind", async () => {
    const printed = await output(["evaluate", "good", "--input", "valid-labels.csv", "--json"], {
      cwd: folder,
    });
    expect(Object.keys(JSON.parse(printed))).toEqual([
      "loss",
      "accuracy",
      "macro_f1",
      "matthews_correlation",
    ]);
  });
});
