import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchesFrom, epochBatches } from "../../src/data/batches.ts";
import { collate } from "../../src/data/collate.ts";
import { LineReader, surveyTextFile } from "../../src/data/node/line-reader.ts";
import { openParallelCorpus, prepareParallelCorpus } from "../../src/data/node/parallel-corpus.ts";
import { parallelCorpusOf } from "../../src/data/parallel-corpus.ts";
import { splitPairs } from "../../src/data/split.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "qkv-data-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("LineReader", () => {
  const bytes = fc
    .array(
      fc.oneof(
        fc
          .constantFrom("\n", "\r\n", "\r", "\uFEFF", "\uFFFD", "ä", "€", "😀")
          .map((text) => Buffer.from(text)),
        fc.string().map((text) => Buffer.from(text)),
        { arbitrary: fc.uint8Array({ maxLength: 3 }).map((raw) => Buffer.from(raw)), weight: 1 },
      ),
      { maxLength: 30 },
    )
    .map((parts) => Buffer.concat(parts));

  /** The same, naively: cut at line feeds, then decode each line strictly; an invalid line is the end. */
  function naiveLines(content: Buffer): string[] {
    const text = content.subarray(0, 3).equals(Buffer.from("\uFEFF")) ? content.subarray(3) : content;
    const pieces = text.toString("latin1").split("\n");
    if (pieces.at(-1) === "") pieces.pop();
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const lines: string[] = [];
    for (const piece of pieces) {
      try {
        lines.push(decoder.decode(Buffer.from(piece.replace(/\r$/, ""), "latin1")));
      } catch {
        lines.push(`invalid line ${lines.length + 1}`);
        break;
      }
    }
    return lines;
  }

  test("equals a naive implementation, whatever the size of its blocks", () => {
    const path = join(folder, "text");
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 40 }), (content, blockBytes) => {
        writeFileSync(path, content);
        const reader = new LineReader(path, { blockBytes });
        const lines: string[] = [];
        try {
          for (const line of reader) lines.push(line);
        } catch (error) {
          lines.push(`invalid line ${/line (\d+): not valid UTF-8/.exec(String(error))?.[1]}`);
        }
        const expected = naiveLines(content);
        expect(lines).toEqual(expected);
        if (!expected.at(-1)?.startsWith("invalid")) expect(surveyTextFile(path).lines).toBe(lines.length);
      }),
      { numRuns: 2000 },
    );
  });
});

const tokens = (most: number) => fc.array(fc.integer({ min: 3, max: 99 }), { minLength: 1, maxLength: most });
const tokenPairs = (most: number) =>
  fc.array(fc.record({ source: tokens(most), target: tokens(most) }), { minLength: 1, maxLength: 60 });

describe("a prepared corpus", () => {
  test("holds the pairs that were written, in order, wherever its tokens lie", async () => {
    const ids = fc.array(fc.integer({ min: 0, max: 69_999 }), { maxLength: 12 });
    const pairs = fc.array(fc.record({ source: ids, target: ids }), { minLength: 1, maxLength: 20 });
    const vocabSize = fc.constantFrom(70_000, 100_000);
    await fc.assert(
      fc.asyncProperty(pairs, vocabSize, fc.boolean(), async (written, sourceVocabSize, isResident) => {
        const [sourceFile, targetFile] = [join(folder, "source"), join(folder, "target")];
        const kept = written.filter(({ source, target }) => {
          const lengths = [source.length, target.length];
          return Math.min(...lengths) > 0 && Math.max(...lengths) <= 10;
        });
        fc.pre(kept.length > 0);
        writeFileSync(sourceFile, written.map(({ source }) => `${source.join(" ")}\n`).join(""));
        writeFileSync(
          targetFile,
          written.map(({ target }) => `${target.map((id) => id % 500).join(" ")}\n`).join(""),
        );
        const encode = (line: string): number[] => line.split(" ").map(Number);
        const report = await prepareParallelCorpus({
          sourceFile,
          targetFile,
          folder: join(folder, "corpus"),
          encodeSource: encode,
          encodeTarget: encode,
          sourceVocabSize,
          targetVocabSize: 500,
          tokenizer: "numbers",
          maxLength: 10,
        });
        const skipped = Object.values(report.skipped).reduce((sum, count) => sum + count, 0);
        expect([report.pairs, report.pairs + skipped]).toEqual([kept.length, written.length]);
        const corpus = openParallelCorpus(join(folder, "corpus"), { residentBytes: isResident ? 1e6 : 0 });
        const read = Array.from({ length: corpus.length }, (_, pair) => ({
          source: [...corpus.source(pair)],
          target: [...corpus.target(pair)],
        }));
        expect(read).toEqual(
          kept.map(({ source, target }) => ({ source, target: target.map((id) => id % 500) })),
        );
        expect(read.map(({ source }) => source.length)).toEqual(
          kept.map((_, pair) => corpus.sourceLength(pair)),
        );
        expect(read.map(({ target }) => target.length)).toEqual(
          kept.map((_, pair) => corpus.targetLength(pair)),
        );
        corpus.dispose();
      }),
      { numRuns: 60 },
    );
  });
});

describe("batches", () => {
  const settings = fc.record({
    seed: fc.integer(),
    tokensPerBatch: fc.integer({ min: 24, max: 200 }),
    maxSentences: fc.integer({ min: 1, max: 20 }),
    lengthMultiple: fc.constantFrom(1, 2, 8),
    appendEos: fc.boolean(),
  });
  const marks = { padId: 0, bosId: 1, eosId: 2 };

  test("cover every pair once, within the limits, and carry the pairs' tokens", () => {
    fc.assert(
      fc.property(tokenPairs(20), settings, fc.nat(5), (pairs, options, epoch) => {
        const corpus = parallelCorpusOf(pairs);
        const batches = epochBatches(corpus, { ...options, epoch });
        const seen: number[] = [];
        for (let index = 0; index < batches.length; index++) {
          const positions = batches.pairs(index);
          seen.push(...positions);
          expect(positions.length).toBeLessThanOrEqual(options.maxSentences);
          const batch = collate(corpus, positions, { ...marks, ...options });
          expect(Math.max(batch.source.length, batch.labels.length)).toBeLessThanOrEqual(
            options.tokensPerBatch,
          );
          for (const [row, position] of positions.entries()) {
            const { source, target } = pairs[position]!;
            const rowOf = (ids: Int32Array, width: number) => [
              ...ids.subarray(row * width, (row + 1) * width),
            ];
            const padded = (ids: number[], width: number) => [
              ...ids,
              ...new Array(width - ids.length).fill(0),
            ];
            const end = options.appendEos ? [2] : [];
            expect(rowOf(batch.source, batch.sourceWidth)).toEqual(
              padded([...source, ...end], batch.sourceWidth),
            );
            expect(rowOf(batch.targetInput, batch.targetWidth)).toEqual(
              padded([1, ...target], batch.targetWidth),
            );
            expect(rowOf(batch.labels, batch.targetWidth)).toEqual(padded([...target, 2], batch.targetWidth));
          }
          expect(batch.tokenCount).toBe(batch.labels.filter((id) => id !== 0).length);
          expect(batch.sourceTokenCount).toBe(batch.source.filter((id) => id !== 0).length);
        }
        expect(seen.sort((left, right) => left - right)).toEqual([...pairs.keys()]);
      }),
    );
  });

  test("go on at any position as if there had been no stop", () => {
    fc.assert(
      fc.property(
        tokenPairs(6),
        settings,
        fc.nat(40),
        fc.integer({ min: 1, max: 10 }),
        (pairs, options, stop, more) => {
          const corpus = parallelCorpusOf(pairs);
          const whole = batchesFrom(corpus, options);
          let last = whole.next().value;
          for (let count = 0; count < stop; count++) last = whole.next().value;
          const resumed = batchesFrom(parallelCorpusOf(pairs), options, last.next);
          for (let count = 0; count < more; count++) expect(resumed.next().value).toEqual(whole.next().value);
        },
      ),
    );
  });
});

test("splitPairs: no sentence stands in two parts", () => {
  const sentence = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz", "A!", "b.", "C c", "cc", "ß", "SS");
  const pairs = fc.array(fc.tuple(sentence, sentence), { minLength: 1, maxLength: 25 });
  fc.assert(
    fc.property(pairs, fc.integer(), (written, seed) => {
      const sources = written.map(([source]) => source);
      const targets = written.map(([, target]) => target);
      let split: ReturnType<typeof splitPairs>;
      try {
        split = splitPairs(sources, targets, { seed, test: 2, validation: 1 });
      } catch (error) {
        expect(String(error)).toMatch(/asks for/);
        return;
      }
      expect([split.test.length, split.validation.length]).toEqual([2, 1]);
      const plain = (text: string) => text.toLowerCase().replace(/[!. ]/g, "");
      for (const texts of [sources, targets]) {
        const parts = [split.train, split.validation, split.test].map(
          (part) => new Set(Array.from(part, (pair) => plain(texts[pair]!))),
        );
        const all = new Set(parts.flatMap((part) => [...part]));
        expect(parts.reduce((sum, part) => sum + part.size, 0)).toBe(all.size);
      }
    }),
  );
});
