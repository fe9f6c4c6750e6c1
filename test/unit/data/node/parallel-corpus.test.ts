import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  describeCorpusReport,
  openParallelCorpus,
  type PrepareOptions,
  prepareParallelCorpus,
} from "../../../../src/data/node/parallel-corpus.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "qkv-corpus-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = (name: string): string => join(folder, name);
const words = (line: string): number[] => line.split(" ").filter(Boolean).map(Number);

function optionsFor(source: string | Uint8Array, target: string, more: Partial<PrepareOptions> = {}) {
  writeFileSync(path("source.txt"), source);
  writeFileSync(path("target.txt"), target);
  return {
    sourceFile: path("source.txt"),
    targetFile: path("target.txt"),
    folder: path("corpus"),
    encodeSource: words,
    encodeTarget: words,
    sourceVocabSize: 100,
    targetVocabSize: 100,
    tokenizer: "words",
    ...more,
  };
}

/** The message of the error that preparing ends with, the temporary folder's name taken out. */
async function failure(options: PrepareOptions): Promise<string> {
  const before = readdirSync(folder);
  const error = await prepareParallelCorpus(options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "QkvError" });
  expect(readdirSync(folder), "nothing half-written is left").toEqual(before);
  return (error as Error).message.replaceAll(`${folder}/`, "");
}

describe("prepareParallelCorpus", () => {
  test("writes what openParallelCorpus reads, from memory and from the file", async () => {
    const report = await prepareParallelCorpus(optionsFor("1 2 3\n4\n", "5 6\r\n7 8 9 10"));
    expect(report).toMatchObject({ lines: 2, pairs: 2, sourceTokens: 4, targetTokens: 6, reused: false });
    expect(readdirSync(path("corpus")).sort()).toEqual([
      "header.json",
      "source.lengths",
      "source.tokens",
      "target.lengths",
      "target.tokens",
    ]);
    expect([...readFileSync(path("corpus/target.tokens"))]).toEqual([5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10, 0]);
    for (const residentBytes of [undefined, 0]) {
      const corpus = openParallelCorpus(path("corpus"), residentBytes === undefined ? {} : { residentBytes });
      expect(corpus).toMatchObject({ length: 2, sourceVocabSize: 100, fingerprint: report.fingerprint });
      expect(corpus.source(0)).toEqual(Uint16Array.of(1, 2, 3));
      expect(corpus.source(1)).toEqual(Uint16Array.of(4));
      expect(corpus.target(0)).toEqual(Uint16Array.of(5, 6));
      expect(corpus.target(1)).toEqual(Uint16Array.of(7, 8, 9, 10));
      expect([corpus.sourceLength(0), corpus.targetLength(1)]).toEqual([3, 4]);
      corpus.dispose();
    }
  });

  test("ids beyond 65,535 take four bytes", async () => {
    await prepareParallelCorpus(optionsFor("70000\n", "1\n", { sourceVocabSize: 70_001 }));
    const corpus = openParallelCorpus(path("corpus"));
    expect(corpus.source(0)).toEqual(Uint32Array.of(70_000));
    expect(corpus.target(0)).toEqual(Uint16Array.of(1));
  });

  test("counts and reports every pair that is left out", async () => {
    const source = ["1", "", "1", " \t", "1 2 3 4", "1 2 3", "1 2", "", "  "];
    const target = ["1", "1", "\u3000", "1", "1 2 3 4", "1", "1", "", "1"];
    const progress: unknown[] = [];
    const report = await prepareParallelCorpus(
      optionsFor(`${source.join("\n")}\n`, target.join("\n"), {
        maxLength: 3,
        maxLengthRatio: 2,
        onProgress: (at) => progress.push(at),
      }),
    );
    expect(report).toMatchObject({
      lines: 9,
      pairs: 2,
      skipped: { emptySource: 4, emptyTarget: 1, tooLong: 1, lengthRatio: 1 },
    });
    expect(report.firstSkippedLines.map(({ line, reason }) => `${line} ${reason}`)).toEqual([
      "2 emptySource",
      "3 emptyTarget",
      "4 emptySource",
      "5 tooLong",
      "6 lengthRatio",
      "8 emptySource",
      "9 emptySource",
    ]);
    expect(report.firstSkippedLines[3]).toEqual({
      line: 5,
      reason: "tooLong",
      sourceTokens: 4,
      targetTokens: 4,
    });
    expect(describeCorpusReport(report)).toMatchInlineSnapshot(
      `"2 pairs (3 source tokens, 2 target tokens); left out: 4 with an empty source, 1 with an empty target, 1 longer than 3 tokens, 1 with one side more than 2 times as long as the other (lines 2, 3, 4, 5, 6, 8, 9)"`,
    );
    expect(progress.at(-1)).toEqual({ lines: 9, totalLines: 9 });
  });

  test("a tokenizer that finds nothing in a line makes it empty", async () => {
    const encodeTarget = (line: string): number[] => (line === "x" ? [] : [1]);
    const report = await prepareParallelCorpus(optionsFor("1\n1\n", "x\ny\n", { encodeTarget }));
    expect(report).toMatchObject({ pairs: 1, skipped: { emptyTarget: 1 } });
  });

  test("uses an unchanged corpus again, by time and size or by content", async () => {
    let encoded = 0;
    const encodeSource = (line: string): number[] => {
      encoded++;
      return words(line);
    };
    const options = optionsFor("1\n2\n", "3\n4\n", { encodeSource });
    const first = await prepareParallelCorpus(options);
    expect(await prepareParallelCorpus(options)).toEqual({ ...first, reused: true });
    utimesSync(path("source.txt"), 1, 1);
    expect(await prepareParallelCorpus(options)).toEqual({ ...first, reused: true });
    expect(encoded).toBe(2);

    for (const change of [{ tokenizer: "others" }, { maxLength: 7 }, { maxLengthRatio: 3 }]) {
      const changed = await prepareParallelCorpus({ ...options, ...change });
      expect(changed.reused).toBe(false);
      expect(changed.fingerprint).not.toBe(first.fingerprint);
    }
    writeFileSync(path("target.txt"), "3\n5\n");
    utimesSync(path("target.txt"), 2, 2);
    const changed = await prepareParallelCorpus(options);
    expect(changed.reused).toBe(false);
    expect(openParallelCorpus(path("corpus")).target(1)).toEqual(Uint16Array.of(5));
    expect(readdirSync(folder).sort()).toEqual(["corpus", "source.txt", "target.txt"]);
  });

  test("prepares a damaged corpus again", async () => {
    const options = optionsFor("1\n2\n", "3\n4\n");
    await prepareParallelCorpus(options);
    truncateSync(path("corpus/source.tokens"), 2);
    expect((await prepareParallelCorpus(options)).reused).toBe(false);
    writeFileSync(path("corpus/header.json"), "{}");
    expect((await prepareParallelCorpus(options)).reused).toBe(false);
  });

  test("unequal numbers of lines: both figures", async () => {
    expect(await failure(optionsFor("1\n2\n3\n", "1\n2"))).toMatchInlineSnapshot(
      `"source.txt and target.txt: parallel files must have the same number of lines; got 3 and 2; give each line its translation at the same line of the other file"`,
    );
  });

  test("empty files, and files of which nothing is left", async () => {
    expect(await failure(optionsFor("", ""))).toMatchInlineSnapshot(
      `"source.txt and target.txt: must hold one sentence a line; got empty files; check the paths"`,
    );
    expect(await failure(optionsFor("1 2 3\n\n", "1 2 3\n1\n", { maxLength: 2 }))).toMatchInlineSnapshot(
      `"source.txt and target.txt: at least one pair must be left for training; got 0 pairs (0 source tokens, 0 target tokens); left out: 1 with an empty source, 1 longer than 2 tokens (lines 1, 2); check the files and the limits"`,
    );
  });

  test("invalid UTF-8, missing files, folders", async () => {
    const latin = Buffer.from([0x31, 0x0a, 0xfc, 0x0a]);
    expect(await failure(optionsFor(latin, "1\n2\n"))).toMatch(/^source.txt: line 2: not valid UTF-8/);
    const options = optionsFor("1\n", "1\n");
    expect(await failure({ ...options, targetFile: path("none") })).toMatch(
      /^none: cannot read; there is no/,
    );
    expect(await failure({ ...options, sourceFile: folder })).toMatch(/it is a folder/);
    expect(await failure({ ...options, folder: path("source.txt") })).toMatch(/^source.txt: /);
  });

  test("ids that do not fit the vocabulary, options out of range", async () => {
    const options = optionsFor("1\n100\n", "1\n1\n");
    expect(await failure(options)).toMatchInlineSnapshot(
      `"source.txt: line 2: token ids must be whole numbers from 0 to 99; got 100; check that the tokenizer and the vocabulary size belong together"`,
    );
    expect(await failure({ ...options, encodeSource: () => [-1] })).toMatch(/from 0 to 99; got -1/);
    expect(await failure({ ...options, encodeSource: () => [1.5] })).toMatch(/from 0 to 99; got 1.5/);
    expect(await failure({ ...options, maxLength: 0 })).toMatch(
      /maxLength: must be 1 to 65535 tokens; got 0/,
    );
    expect(await failure({ ...options, maxLength: 65_536 })).toMatch(/got 65536/);
    expect(await failure({ ...options, maxLengthRatio: 0.5 })).toMatch(/maxLengthRatio: must be 1 or more/);
    expect(await failure({ ...options, targetVocabSize: 0 })).toMatch(/targetVocabSize: /);
  });

  test("never replaces a folder that holds other files", async () => {
    mkdirSync(path("corpus"));
    writeFileSync(path("corpus/thesis.txt"), "five years of work");
    expect(await failure(optionsFor("1\n", "1\n"))).toMatchInlineSnapshot(
      `"corpus: a prepared corpus needs a folder of its own; got one that holds thesis.txt; name a folder that is new or empty"`,
    );
    expect(readFileSync(path("corpus/thesis.txt"), "utf8")).toBe("five years of work");
  });

  test("a text file that changes while it is read", async () => {
    const options = optionsFor("1\n2\n", "1\n2\n");
    const encodeTarget = (line: string): number[] => {
      appendFileSync(path("source.txt"), "3\n");
      return words(line);
    };
    expect(await failure({ ...options, encodeTarget })).toMatch(/must not change while they are read/);
  });

  test("stops when asked to, and leaves nothing behind", async () => {
    const stop = new AbortController();
    const encodeSource = (line: string): number[] => {
      const until = performance.now() + 1;
      while (performance.now() < until);
      return words(line);
    };
    const options = optionsFor("1\n".repeat(10_000), "1\n".repeat(10_000), {
      encodeSource,
      signal: stop.signal,
    });
    setTimeout(() => stop.abort(), 50);
    expect(await failure(options)).toBe("corpus: preparing the corpus was stopped; nothing was written");
  });
});

describe("openParallelCorpus", () => {
  const damages: [string, (name: string) => void, RegExp][] = [
    [
      "no folder",
      (name) => rmSync(name, { recursive: true }),
      /header.json: cannot read the prepared corpus; there is/,
    ],
    [
      "no header",
      (name) => rmSync(join(name, "header.json")),
      /header.json: cannot read the prepared corpus/,
    ],
    ["a cut header", (name) => truncateSync(join(name, "header.json"), 40), /header.json: .* JSON text/],
    ["another header", (name) => writeFileSync(join(name, "header.json"), "{}"), /header.json: .*format/],
    [
      "a missing file",
      (name) => rmSync(join(name, "target.tokens")),
      /target.tokens: cannot read the prepared/,
    ],
    [
      "a cut file",
      (name) => truncateSync(join(name, "source.lengths"), 2),
      /source.lengths: .* 4 bytes here; got 2;/,
    ],
    [
      "altered tokens",
      (name) => writeFileSync(join(name, "source.tokens"), "abcd"),
      /source.tokens: .* CRC-32/,
    ],
    [
      "altered lengths",
      (name) => writeFileSync(join(name, "target.lengths"), "abcd"),
      /target.lengths: .* CRC-32/,
    ],
  ];

  test.each(damages)("%s", async (_, damage, message) => {
    await prepareParallelCorpus(optionsFor("1\n2\n", "3\n4\n"));
    cpSync(path("corpus"), path("damaged"), { recursive: true });
    damage(path("damaged"));
    for (const residentBytes of [0, 1000]) {
      expect(() => openParallelCorpus(path("damaged"), { residentBytes })).toThrow(message);
    }
  });

  test("a closed corpus does not read from a file that may be another's by now", async () => {
    await prepareParallelCorpus(optionsFor("1\n", "1\n"));
    const corpus = openParallelCorpus(path("corpus"), { residentBytes: 0 });
    corpus.dispose();
    corpus.dispose();
    expect(() => corpus.source(0)).toThrow(/was closed/);
  });
});
