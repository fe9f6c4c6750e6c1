/** What is wrong with any variant of an experiment is told before the first is trained. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { makeFolder, qkv } from "./qkv.ts";

const folder = makeFolder();
beforeAll(() => {
  mkdirSync(join(folder, "data"));
  writeFileSync(join(folder, "data", "rows.tsv"), "text\tlabel\none red\ta\ntwo blue\tb\n");
});

const recipe = {
  task: "text-classification",
  data: { train: "rows.tsv", validation: "rows.tsv" },
  tokenizer: { vocab_size: 60 },
};

/** What the command says of an experiment whose second variant is this one. */
async function refused(set: object, question: object = {}): Promise<string> {
  const variants = [{ name: "as it is" }, { name: "other", set }];
  const questions = [{ id: "one", question: "?", variants, ...question }];
  writeFileSync(join(folder, "experiment.json"), JSON.stringify({ recipe, questions }));
  const out = join(folder, "out");
  const { code, stderr } = await qkv(["experiment", "experiment.json", "--data", "data", "--out", out], {
    cwd: folder,
  });
  expect(code).toBe(2);
  expect(stderr).not.toContain("seed 1");
  return stderr;
}

test.each([
  [
    "a model that is not there",
    { "model.from": "./nowhere" },
    {},
    'questions.one: "other": model: there is no folder "./nowhere"',
  ],
  ["a vocabulary that is not there", { "tokenizer.from": "./nowhere" }, {}, "./nowhere"],
  [
    "a teacher that no variant above is, though one of its name is there",
    { "teacher.from": "${run:second}" },
    {},
    'questions.one: "other" can use the runs of variants above it only; got "second"',
  ],
  [
    "sizes that a family cannot have",
    { "model.hidden_size": 10, "model.num_attention_heads": 4 },
    {},
    'questions.one: "other": recipe: model: hidden_size',
  ],
  ["keys that a family does not have", { "model.n_layers": 2 }, {}, 'unknown key "n_layers" of a bert model'],
  ["no test data", {}, { split: "test" }, "data.test must name a file to be measured on"],
  ["a metric of another task", {}, { metric: "rouge1" }, "metric must be one of loss, accuracy"],
])("%s", async (_, set, question, said) => {
  expect(await refused(set, question)).toContain(said);
});
