import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import testIds from "../../../recipes/tatoeba-en-de/test-ids.json" with { type: "json" };
import { readLines, surveyTextFile } from "../../../src/data/node/line-reader.ts";
import { writeTatoebaFiles } from "../../../src/data/node/tatoeba-files.ts";
import { parseTatoebaLine, splitTatoeba, tatoebaSplitOptions } from "../../../src/data/tatoeba.ts";
import { hasShared, needsShared, sharedPath } from "../../shared.ts";

describe("parseTatoebaLine", () => {
  test("leaves the attribution out", () => {
    expect(parseTatoebaLine("Hi.\tHallo!\tCC-BY 2.0", 1)).toEqual({ english: "Hi.", translation: "Hallo!" });
  });
  test("a line that is no pair", () => {
    expect(() => parseTatoebaLine("Hi. Hallo!", 7)).toThrow(/line 7: a line holds English, a tab/);
    expect(() => parseTatoebaLine("\tHallo!", 7)).toThrow(/line 7/);
  });
});

test("splitTatoeba counts lines from 1", () => {
  const split = splitTatoeba(["a\tb", "c\td"], { seed: 1, test: 1, validation: 1 });
  expect([...split.test, ...split.validation].sort()).toEqual([1, 2]);
  expect(() => splitTatoeba(["a\tb", "c"], { seed: 1, test: 1, validation: 1 })).toThrow(/line 2/);
});

describe.skipIf(!hasShared)(`the split of the Tatoeba recipe${needsShared}`, () => {
  const pairsFile = sharedPath("data/tatoeba-en-de/pairs.tsv");

  test("is the committed one, and training shares no sentence with what is held out", () => {
    const lines = [...readLines(pairsFile)];
    expect(surveyTextFile(pairsFile)).toMatchObject({
      lines: testIds.file.lines,
      sha256: testIds.file.sha256,
    });
    const split = splitTatoeba(lines);
    expect(testIds.seed).toBe(tatoebaSplitOptions.seed);
    expect([...split.test]).toEqual(testIds.test);
    expect([...split.validation]).toEqual(testIds.validation);
    expect(split.train.length + 4000 + split.unused.length).toBe(lines.length);

    // Written apart from the code under test: case, punctuation and runs of white space ignored.
    const plain = (sentence: string): string =>
      sentence.normalize("NFC").toLowerCase().replace(/\p{P}/gu, "").replace(/\s+/gu, " ").trim();
    for (const column of [0, 1]) {
      const sentences = (numbers: Iterable<number>): string[] =>
        Array.from(numbers, (number) => plain(lines[number - 1]!.split("\t")[column]!));
      const train = new Set(sentences(split.train));
      const validation = new Set(sentences(split.validation));
      const heldOut = sentences(split.test);
      expect([...heldOut, ...validation].filter((sentence) => train.has(sentence))).toEqual([]);
      expect(heldOut.filter((sentence) => validation.has(sentence))).toEqual([]);
      if (column === 0) expect([new Set(heldOut).size, validation.size]).toEqual([2000, 2000]);
    }
  });

  test("writeTatoebaFiles writes the parts as parallel files", async () => {
    const folder = mkdtempSync(join(tmpdir(), "qkv-tatoeba-"));
    const split = await writeTatoebaFiles(pairsFile, folder);
    const linesOf = (name: string): string[] => readFileSync(join(folder, name), "utf8").split("\n");
    for (const [name, numbers] of [
      ["train", split.train],
      ["valid", split.validation],
      ["test", split.test],
    ] as const) {
      expect(linesOf(`${name}.en`).length).toBe(numbers.length + 1);
      expect(linesOf(`${name}.de`).length).toBe(numbers.length + 1);
    }
    const line = readFileSync(pairsFile, "utf8").split("\n")[split.test[3]! - 1]!;
    expect(`${linesOf("test.en")[3]}\t${linesOf("test.de")[3]}`).toBe(line);
    rmSync(folder, { recursive: true });
  });
});
