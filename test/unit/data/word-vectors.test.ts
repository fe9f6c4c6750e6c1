import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readWordVectors } from "../../../src/data/node/word-vectors.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "qkv-vectors-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const file = (text: string): string => {
  const path = join(folder, "vectors.txt");
  writeFileSync(path, text);
  return path;
};

test("reads the wanted words, with a header line or without", () => {
  const lines = "cat 1 2 3\ndog -1 0.5 2e-1\nbird 0 0 1\n";
  for (const text of [lines, `3 3\n${lines}`]) {
    const { dimension, vectors } = readWordVectors(file(text), (word) => word !== "dog", 3);
    expect(dimension).toBe(3);
    expect([...vectors]).toEqual([
      ["cat", Float32Array.of(1, 2, 3)],
      ["bird", Float32Array.of(0, 0, 1)],
    ]);
  }
});

test("a word may have blanks in it", () => {
  const { vectors } = readWordVectors(file(". . . 1 2 3\nat x@y.org -1 0 1\n"), () => true, 3);
  expect([...vectors.keys()]).toEqual([". . .", "at x@y.org"]);
  expect(vectors.get(". . .")).toEqual(Float32Array.of(1, 2, 3));
});

test("names the line that does not fit", () => {
  expect(() => readWordVectors(file("cat 1 2 3 4 5\n"), () => true, 3)).toThrow(
    /line 1: needs a word and 3 numbers, as wide as d_model; got 5 numbers/,
  );
  expect(() => readWordVectors(file("cat 1 2 3\ndog 1 2\n"), () => true, 3)).toThrow(
    /line 2: needs a word and 3 numbers, as wide as d_model; got 2 numbers/,
  );
  expect(() => readWordVectors(file("cat 1 x 3\n"), () => true, 3)).toThrow(
    /line 1: the vector of "cat" has a value/,
  );
  expect(() => readWordVectors(join(folder, "none.txt"), () => true, 3)).toThrow(/none\.txt/);
});
