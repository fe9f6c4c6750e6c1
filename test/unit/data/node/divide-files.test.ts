import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { divideParallelFiles } from "../../../../src/data/node/divide-files.ts";
import { writeGeneratedCorpus, writeGeneratedRecords } from "../../../../src/data/node/write-generated.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "qkv-divide-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const names = {
  train_source: "train.source",
  train_target: "train.target",
  validation_source: "validation.source",
  validation_target: "validation.target",
};

function divide(source: string, target: string, more: { seed?: number; signal?: AbortSignal } = {}) {
  const [sourceFile, targetFile] = [join(folder, "a"), join(folder, "b")];
  writeFileSync(sourceFile, source);
  writeFileSync(targetFile, target);
  return divideParallelFiles({
    sourceFile,
    targetFile,
    folder: join(folder, "out"),
    names,
    seed: 1,
    ...more,
  });
}
const read = (name: string) =>
  readFileSync(join(folder, "out", name), "utf8")
    .trimEnd()
    .split("\n");

test("divides without loss, pairs together, no source on both sides", async () => {
  const count = 3000;
  const source = Array.from(
    { length: count },
    (_, line) => `Sentence ${line % 1000}${line % 2 ? "!" : "."}\n`,
  );
  const target = Array.from({ length: count }, (_, line) => `Satz ${line % 1000} ${line}\n`);
  const { pairs, heldOut } = await divide(source.join(""), target.join(""));
  expect(pairs).toBe(count);
  expect(heldOut).toBe(60);
  const train = [read(names.train_source), read(names.train_target)] as const;
  const validation = [read(names.validation_source), read(names.validation_target)] as const;
  expect(validation[0]).toHaveLength(heldOut);
  expect(train[0].length + validation[0].length).toBe(count);
  for (const [sources, targets] of [train, validation]) {
    expect(targets).toHaveLength(sources.length);
    sources.forEach((text, line) => {
      expect(targets[line]!.split(" ")[1]).toBe(/\d+/.exec(text)![0]);
    });
  }
  const numberOf = (text: string) => /\d+/.exec(text)![0];
  const trained = new Set(train[0].map(numberOf));
  expect(validation[0].filter((text) => trained.has(numberOf(text)))).toEqual([]);
  expect(readdirSync(join(folder, "out")).sort()).toEqual(Object.values(names).sort());
});

test("the seed decides which", async () => {
  const text = Array.from({ length: 500 }, (_, line) => `word${line}\n`).join("");
  await divide(text, text);
  const first = read(names.validation_source);
  await divide(text, text);
  expect(read(names.validation_source)).toEqual(first);
  await divide(text, text, { seed: 2 });
  expect(read(names.validation_source)).not.toEqual(first);
});

test("a few lines are all for training", async () => {
  expect(await divide("a\nb\n", "c\nd\n")).toEqual({ pairs: 2, heldOut: 0 });
  expect(read(names.train_source)).toEqual(["a", "b"]);
  expect(existsSync(join(folder, "out", names.validation_source))).toBe(false);
});

test("unequal files are refused before anything is written", async () => {
  await expect(divide("a\nb\n", "c\n")).rejects.toThrow("must have the same number of lines; got 2 and 1");
  expect(existsSync(join(folder, "out"))).toBe(false);
});

test("invalid UTF-8 leaves no file behind", async () => {
  const lines = Buffer.from("x\n".repeat(100));
  const targetFile = join(folder, "b");
  writeFileSync(join(folder, "a"), lines);
  writeFileSync(targetFile, Buffer.concat([lines.subarray(2), Buffer.from([0xff, 10])]));
  const options = { sourceFile: join(folder, "a"), targetFile, folder: join(folder, "out"), names, seed: 1 };
  await expect(divideParallelFiles(options)).rejects.toThrow("line 100: not valid UTF-8");
  expect(readdirSync(join(folder, "out")).filter((name) => name.endsWith(".partial"))).toEqual([]);
});

test("a generated corpus has what it says", async () => {
  const files = {
    train_source: "t.en",
    train_target: "t.de",
    validation_source: "v.en",
    validation_target: "v.de",
  };
  const counts = await writeGeneratedCorpus("number-words", join(folder, "made"), files);
  const lines = (name: string) =>
    readFileSync(join(folder, "made", name), "utf8")
      .trimEnd()
      .split("\n");
  expect([lines("t.en").length, lines("v.de").length]).toEqual([counts.train, counts.validation]);
  const trained = new Set(lines("t.en"));
  expect(lines("v.en").filter((line) => trained.has(line))).toEqual([]);
});

test("generated records have what they say", async () => {
  const files = { train: "t.jsonl", validation: "v.jsonl" };
  const counts = await writeGeneratedRecords("small-questions", join(folder, "records"), files);
  const lines = (name: string) =>
    readFileSync(join(folder, "records", name), "utf8")
      .trimEnd()
      .split("\n");
  expect([lines("t.jsonl").length, lines("v.jsonl").length]).toEqual([counts.train, counts.validation]);
  const trained = new Set(lines("t.jsonl"));
  expect(lines("v.jsonl").filter((line) => trained.has(line))).toEqual([]);
  expect(Object.keys(JSON.parse(lines("v.jsonl")[0]!))).toEqual([
    "question",
    "context",
    "answers",
    "answer_start",
  ]);
});
