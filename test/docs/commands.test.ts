import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeModels, whyNotRun } from "./example-models.ts";

/** Runs every command that the docs show, in the order in which they stand, in a folder with small files. */
const root = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);

const pages = [
  "README.md",
  "recipes/README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).map((name) => join("docs", name)),
  ...["recipes", "models"].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(folder, name, "README.md")),
  ),
].filter((page) => page.endsWith(".md") && existsSync(join(root, page)));

/** Commands that are not run, and why. */
const notRun: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^npm ci && npm test$/, "it is what runs this test"],
  [/^npm /, "npm commands are run by .ci/run"],
  [/^npx tsc /, "compiles the benchmarks"],
  [/^node /, "benchmarks are not tests"],
  [/qkv dashboard /, "lives until Ctrl-C; test/cli/dashboard.test.ts runs it"],
  [/qkv data get/, "needs the internet"],
  [/^(git|cd|mkdir|curl|export|apt-get|sudo) /, "not a command of ours"],
];

/** Long trainings are made short, and their networks small. */
const shortTraining = ["max_steps=2", "logging_steps=1", "tokenizer.vocab_size=300", "max_tokens=256"];
const smallTranslator = [
  "max_steps=2",
  "logging_steps=1",
  "eval_bleu_sentences=2",
  "d_model=16",
  "ffn_dim=16",
  "num_attention_heads=2",
  "vocab_size=300",
  "max_tokens=256",
];

function commandsOf(page: string): string[] {
  const text = readFileSync(join(root, page), "utf8");
  const commands: string[] = [];
  for (const [, block] of text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)) {
    for (const line of block!.split("\n")) {
      if (line.trim() !== "" && !line.startsWith("#")) commands.push(line.trim());
    }
  }
  return commands;
}

const settings = (assignments: readonly string[]) =>
  assignments.map((assignment) => `--set ${assignment}`).join(" ");

/** What trains a translator: two files, or one of these recipes. */
const translates = /--source |qkv train (toy|tatoeba-en-de|multi30k-en-de) /;

function shortened(command: string): string {
  const own = command.replace(/^npm ci && /, "");
  if (/qkv experiment /.test(own)) return `${own} --max-steps 1 --seeds 1`;
  if (!/qkv train /.test(own) || /--out \S+ --resume$/.test(own)) return own;
  const choices = translates.test(own) ? smallTranslator : shortTraining;
  return `${own.replace(/--max-steps \S+/, "")} ${settings(choices)}`;
}

const english = [
  "The cat sleeps.",
  "A dog runs in the park.",
  "Where is the station?",
  "I drink water.",
  "It rained all day.",
];
const german = [
  "Die Katze schläft.",
  "Ein Hund rennt im Park.",
  "Wo ist der Bahnhof?",
  "Ich trinke Wasser.",
  "Es hat den ganzen Tag geregnet.",
];

/** Files to score, by their endings: one line for each of the sentences. */
const scored: Readonly<Record<string, readonly string[]>> = {
  labels: ["pos", "neg", "neg", "pos", "neg"],
  tags: ["O B-LOC I-LOC", "O O O", "B-PER O", "", "O B-ORG"],
  numbers: ["1", "2.5", "3", "4e1", "0"],
  ids: ["d1 d2 d3", "d7", "d4 d9", "d5", "d6 d8"],
  answers: ["Denver Broncos", "the park", "at the station", "water", "all day"],
  logprobs: ["-0.5 -1.25", "-2", "-0.1 -0.2 -0.3", "-1", "-0.7 -0.9"],
};

/** What pages of tasks read. */
const texts: Readonly<Record<string, string>> = {
  "reviews.txt": "I would see it again at once.\nIt was too long.\n",
  "beginnings.txt": "Once upon a time\nThe cat\n",
  "letter.txt": "Dear Ada,\nthe letter was written by Charles in London.\n",
  "article.txt": "The cat sleeps.\nA dog runs in the park.\n",
  "sentences.txt": "The cat sleeps.\nWhere is the station?\n\nI drink water.\n",
  "prompts.json": '{"input_ids": [[0, 5, 7], [9, 8, 7]], "attention_mask": [[0, 1, 1], [1, 1, 1]]}',
  "sources.json": '{"input_ids": [[9, 8, 7, 2]]}',
  "beams.json": '{"num_beams": 2, "max_new_tokens": 5}',
  "inputs.json": '{"input_ids": [[5, 7, 9]], "attention_mask": [[1, 1, 1]]}',
};

/** Files to train from: a few records each, again and again. */
const jsonLines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const people = ["Ada", "Ole", "Mia", "Jon"].flatMap((name) =>
  ["London", "Oslo", "Bergen"].map((place) => ({ name, place, text: `${name} lives in ${place}.` })),
);
const records: Readonly<Record<string, string>> = {
  "notes.txt": people
    .map(({ text }) => `${text} The trees are green.\n`)
    .join("")
    .repeat(5),
  "reviews.csv": `text,label\n${people
    .map(({ text, place }) => `${text},${place === "Oslo" ? "neg" : "pos"}\n`)
    .join("")
    .repeat(5)}`,
  "entities.conll": people
    .map(({ name, place }) => `${name} B-PER\nlives O\nin O\n${place} B-LOC\n. O\n\n`)
    .join("")
    .repeat(3),
  "questions.jsonl": jsonLines(
    people.map(({ name, place, text }) => ({
      question: `Who lives in ${place}?`,
      context: text,
      answers: [name],
    })),
  ).repeat(3),
  "summaries.jsonl": jsonLines(people.map(({ name, text }) => ({ text, summary: name }))).repeat(3),
  "pairs.jsonl": jsonLines(
    people.map(({ place, text }) => ({ text, text_pair: `A person of ${place}.` })),
  ).repeat(3),
};

/** What the recipes read, in small. */
const reviewLines = `label\tsentence\n${"1\tIt is good.\n0\tIt is bad.\n".repeat(20)}`;
const taggedWords = "Ada NNP I-NP I-PER\nlives VBZ I-VP O\nin IN I-PP O\nLondon NNP I-NP I-LOC\n\n".repeat(
  30,
);
const corpora: Readonly<Record<string, string>> = {
  "data/tinyshakespeare/input.txt": "ROMEO:\nWhat light is that?\n\nJULIET:\nIt is the east.\n".repeat(40),
  ...Object.fromEntries(["train", "dev", "test"].map((part) => [`data/sst2/${part}.tsv`, reviewLines])),
  ...Object.fromEntries(
    ["train", "testa", "testb"].map((part) => [`data/conll2003/eng.${part}`, taggedWords]),
  ),
  ...Object.fromEntries(
    ["train", "dev", "test"].map((part) => [
      `data/aeslc/${part}.jsonl`,
      jsonLines(english.map((email) => ({ email, subject: email.slice(0, 9) }))).repeat(4),
    ]),
  ),
  ...Object.fromEntries(
    ["train", "valid", "test"].map((part) => [
      `data/wikitext-2/wiki.${part}.tokens`,
      english.join("\n").repeat(30),
    ]),
  ),
};

/** The experiment that a page shows. */
const shownExperiment = /^```json\n(\{\n {2}"recipe": [\s\S]*?)^```$/m.exec(
  readFileSync(join(root, "docs/training.md"), "utf8"),
)![1]!;

/** A folder with what the pages' commands read, and `qkv` and `npx` on its path. */
async function makeFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "qkv-docs-"));
  await mkdir(join(folder, "bin"));
  await writeFile(
    join(folder, "bin", "qkv"),
    `#!/bin/sh\nexec "${process.execPath}" "${root}bin/qkv.js" "$@"\n`,
  );
  await writeFile(join(folder, "bin", "npx"), `#!/bin/sh\nshift\nexec "${folder}/bin/qkv" "$@"\n`);
  for (const name of ["qkv", "npx"]) await chmod(join(folder, "bin", name), 0o755);
  const repeat = (lines: string[], times: number) =>
    `${Array.from({ length: times }, () => lines.join("\n")).join("\n")}\n`;
  const files: Record<string, [string, number]> = {};
  for (const [place, names] of [
    [".", ["train", "valid", "test"]],
    ["data/tatoeba", ["train", "valid", "test"]],
    ["data/multi30k", ["train", "val", "test_2016_flickr", "test_2017_flickr", "test_2017_mscoco"]],
  ] as const) {
    for (const name of names) {
      files[`${place}/${name}.en`] = ["en", name === "train" ? 40 : 1];
      files[`${place}/${name}.de`] = ["de", name === "train" ? 40 : 1];
    }
  }
  files["letters.en"] = ["en", 1];
  files["got.de"] = ["de", 1];
  files["got.txt"] = files["test.txt"] = ["en", 1];
  for (const [path, [language, times]] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), repeat(language === "en" ? english : german, times));
  }
  for (const [kind, lines] of Object.entries(scored)) {
    for (const name of ["got", "test"])
      await writeFile(join(folder, `${name}.${kind}`), `${lines.join("\n")}\n`);
  }
  for (const [name, text] of Object.entries({
    ...texts,
    ...records,
    ...corpora,
    "depth/experiment.json": shownExperiment,
  })) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  await makeModels(folder, root);
  return folder;
}

describe.each(pages)("%s", (page) => {
  const commands = commandsOf(page);
  let folder: string;
  beforeAll(async () => {
    folder = await makeFolder();
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  if (commands.length === 0) test.skip("shows no command", () => {});
  for (const command of commands) {
    const reason = notRun.find(([pattern]) => pattern.test(command))?.[1] ?? whyNotRun(command);
    if (reason !== undefined) {
      test.skip(`${command} (skipped: ${reason})`, () => {});
      continue;
    }
    test(command, async () => {
      const env = { ...process.env, PATH: `${join(folder, "bin")}:${process.env.PATH}`, NO_COLOR: "1" };
      const { stdout } = await run("bash", ["-c", `set -o pipefail; ${shortened(command)}`], {
        cwd: folder,
        env,
        maxBuffer: 1e8,
      });
      if (/qkv translate/.test(command) && !/--output/.test(command)) expect(stdout.trim()).not.toBe("");
    });
  }
});
