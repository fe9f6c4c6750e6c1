/** What goes wrong is told in one sentence, with the place and the way out, and the right exit code. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeFolder, qkv, tiny, writeCorpus } from "./qkv.ts";

const folder = makeFolder();
const { en, de } = writeCorpus(folder, "train", 50);
const file = (name: string, content: string | Uint8Array) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const short = file("short.de", "eins\nzwei\n");
const latin = file(
  "latin.de",
  Buffer.concat([Buffer.from("eins\n".repeat(30)), Buffer.from([0x66, 0xfc, 0x72, 10])]),
);
const empty = file("empty.txt", "");
const blank = file("blank.txt", "\n".repeat(50));
const brokenRecipe = file("broken.json", "{ not json");
const data = { train_source: "train.en", train_target: "train.de" };
const misspelled = file(
  "misspelled.json",
  JSON.stringify({ data, training: { learning_rat: 1 }, modle: {} }),
);
const wrongValue = file(
  "wrong.json",
  JSON.stringify({ data, training: { max_steps: -1 }, model: { dropout: "x" } }),
);
const out = join(folder, "run");
const train = (...args: string[]) => ["train", "--out", out, ...args, ...tiny];

/** A folder that says which model it holds, and holds no more. */
const kind = (modelType: string, architecture: string) => {
  const path = join(folder, architecture);
  mkdirSync(path);
  const config = { model_type: modelType, architectures: [architecture] };
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return path;
};
const classifier = kind("bert", "BertForSequenceClassification");
const languageModel = kind("gpt2", "GPT2LMHeadModel");
const translator = kind("transformer", "TransformerForConditionalGeneration");

const cases: [what: string, args: string[], messages: string[]][] = [
  [
    "unequal line counts",
    train("--source", en, "--target", short),
    [en, short, "must have the same number of lines; got 50 and 2"],
  ],
  [
    "a missing file",
    train("--source", en, "--target", join(folder, "nowhere.de")),
    ["nowhere.de: cannot read; there is no such file or folder; check the path"],
  ],
  [
    "a folder instead of a file",
    train("--source", en, "--target", folder),
    ["it is a folder, where a file is needed"],
  ],
  [
    "invalid UTF-8",
    train("--source", latin, "--target", latin),
    [
      `${latin}: line 31: not valid UTF-8; got byte 0xFC at position 2 of the line; convert the file to UTF-8`,
    ],
  ],
  ["empty files", train("--source", empty, "--target", empty), ["got empty files; check the paths"]],
  [
    "files of blank lines",
    train("--source", blank, "--target", blank),
    ["at least one pair must be left", "50 with an empty source"],
  ],
  ["only one side", train("--source", en), ["got only the source; add the target"]],
  [
    "neither recipe nor files",
    train(),
    ["needs a recipe, a task with its files, or a source and a target file", '"toy"'],
  ],
  ["recipe and files", train("toy", "--source", en, "--target", de), ["got both; leave one out"]],
  ["an unknown recipe", train("toi"), ['got "toi" (did you mean "toy"?)', "multi30k-en-de"]],
  ["a recipe that is not JSON", train(brokenRecipe), [`${brokenRecipe}: is not valid JSON`]],
  [
    "unknown keys of a recipe",
    train(misspelled),
    [
      'unknown key "training.learning_rat" (did you mean "learning_rate"?)',
      'unknown key "modle" (did you mean "model"?)',
    ],
  ],
  ["wrong values of a recipe", train(wrongValue), ["training.max_steps", "model.dropout"]],
  [
    "an unknown key in --set",
    train("--source", en, "--target", de, "--set", "learning_rat=1"),
    ['--set: unknown key "learning_rat" (did you mean "learning_rate"?)'],
  ],
  ["--set without a value", train("toy", "--set", "seed"), ['--set: needs key=value; got "seed"']],
  ["a generated corpus with a data folder", train("toy", "--data", folder), ["makes its own data"]],
  [
    "a run's folder that is a file",
    ["train", "toy", "--out", en],
    [`${en}: a run needs a folder; got a file`],
  ],
  ["no run's folder", ["train", "toy"], ["required option '--out <folder>' not specified"]],
  [
    "an unknown option",
    train("toy", "--max-step", "3"),
    ["unknown option '--max-step'", "(Did you mean --max-steps?)"],
  ],
  ["an unknown command", ["tarin"], ["unknown command 'tarin'", "(Did you mean train?)"]],
  [
    "a number that is none",
    train("toy", "--max-steps", "many"),
    ["argument 'many' is invalid. It must be a whole number"],
  ],
  [
    "too many threads",
    train("toy", "--threads", "100000"),
    ["threads: must be a whole number from 1 to 1024"],
  ],
  [
    "a model that is missing",
    ["translate", "--model", join(folder, "nomodel"), "x"],
    ["there is no folder", "nomodel"],
  ],
  ["a model that is a file", ["translate", "--model", en, "x"], ["a model is a folder; got a file"]],
  [
    "a folder without a model",
    ["translate", "--model", folder, "x"],
    ["is no model folder, since it holds no config.json"],
  ],
  ["texts and a file", ["translate", "--input", en, "x"], ["in the arguments or in --input, not in both"]],
  ["an input that is missing", ["translate", "--input", join(folder, "no.en")], ["no.en: cannot read"]],
  ["a tokenizer that is missing", ["tokenize", folder, "--text", "x"], ["holds no tokenizer"]],
  ["a file that is no tokenizer", ["tokenize", misspelled, "--text", "x"], [misspelled]],
  [
    "nothing to learn from",
    ["tokenizer", "learn", "--input", empty, "--out", join(folder, "t.json")],
    ["got empty files"],
  ],
  ["an unknown corpus", ["data", "get", "tinyshakespear"], ['(did you mean "tinyshakespeare"?)']],
  [
    "unequal files to evaluate",
    ["evaluate", folder, "--source", en, "--references", short],
    ["must have the same number of lines; got 50 and 2"],
  ],
  [
    "a classifier that is to translate",
    ["translate", "--model", classifier, "hi"],
    [
      `qkv: ${classifier}: writes no text; got BertForSequenceClassification; try qkv classify --model ${classifier}\n`,
    ],
  ],
  [
    "a language model that is to translate",
    ["translate", "--model", languageModel, "hi"],
    [`got GPT2LMHeadModel; try qkv complete --model ${languageModel}\n`],
  ],
  [
    "a text that a classifier is to be followed through",
    ["trace", classifier, "--text", "hi"],
    [
      `qkv: ${classifier}: --text is for translators of qkv's own kind; got BertForSequenceClassification; give token ids with --inputs FILE\n`,
    ],
  ],
  [
    "a classifier that is measured as a translator",
    ["evaluate", classifier, "--source", en, "--references", de],
    [
      `qkv: ${classifier}: --source and --references are for models that translate; got BertForSequenceClassification; use --split or --input\n`,
    ],
  ],
  [
    "a translator that is measured without files",
    ["evaluate", translator],
    [`qkv: ${translator}: a translator is measured with --source FILE and --references FILE; got neither\n`],
  ],
  [
    "a model without a recipe that is measured",
    ["evaluate", classifier],
    [`qkv: ${classifier}: must be the folder of a run with its recipe; got a model without one\n`],
  ],
  [
    "a run that is missing",
    ["evaluate", "runs/nope"],
    ['qkv: model: there is no folder "runs/nope"; check the path\n'],
  ],
  [
    "a shipped model whose name is mistyped",
    ["evaluate", "tatoeba-en-d"],
    ['there is no folder "tatoeba-en-d" (did you mean "tatoeba-en-de"?); check the path'],
  ],
  [
    "a model of a kind that there is not",
    ["info", kind("mamba", "MambaForCausalLM")],
    ['got "mamba" (MambaForCausalLM); qkv has no such model yet'],
  ],
  [
    "an unknown metric",
    ["evaluate", folder, "--source", en, "--references", de, "--metric", "bleu,chr"],
    ['"chr" is not one of bleu, chrf, chrf++ (did you mean "chrf"?)'],
  ],
  ["empty files to score", ["score", "--hypotheses", empty, "--references", empty], ["got an empty file"]],
  [
    "invalid UTF-8 to score",
    ["score", "--hypotheses", latin, "--references", latin],
    ["line 31: not valid UTF-8"],
  ],
];

describe("exit code 2 and a sentence for", () => {
  test.each(cases)("%s", async (_, args, messages) => {
    const { code, stdout, stderr } = await qkv(args);
    for (const message of messages) expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^ {4}at /m);
    expect(stdout).toBe("");
    expect(code).toBe(2);
    expect(existsSync(join(out, "model.safetensors"))).toBe(false);
  });

  test("--debug shows the stack too", async () => {
    const { code, stderr } = await qkv(["translate", "--model", folder, "x", "--debug"]);
    expect(stderr).toMatch(/^ {4}at /m);
    expect(code).toBe(2);
  });
});

test("invalid UTF-8 on standard input is told with its line", async () => {
  const tokenizer = join(folder, "tokenizer.json");
  await qkv(["tokenizer", "learn", "--input", en, "--vocab-size", "270", "--out", tokenizer]);
  const input = Buffer.concat([Buffer.from("one\ntwo\n"), Buffer.from([0xff, 10])]);
  const { code, stderr } = await qkv(["tokenize", tokenizer], { input });
  expect(stderr).toBe("qkv: standard input: line 3: is not valid UTF-8; convert the text to UTF-8\n");
  expect(code).toBe(2);
  const decoded = await qkv(["tokenize", tokenizer, "--decode"], { input: "1 2\n3 x\n" });
  expect(decoded.stderr).toContain('line 2: must hold ids, whole numbers with spaces between; got "x"');
  expect(decoded.code).toBe(2);
});

test.skipIf(process.getuid?.() === 0)("an output that may not be written", async () => {
  const locked = join(folder, "locked");
  writeFileSync(locked, "");
  chmodSync(locked, 0o400);
  const { code } = await qkv(["tokenizer", "learn", "--input", en, "--out", join(locked, "t.json")]);
  expect(code).toBe(2);
});
