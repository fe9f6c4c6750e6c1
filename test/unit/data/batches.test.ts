import { describe, expect, test } from "vitest";
import { type BatchPosition, batchesFrom, epochBatches } from "../../../src/data/batches.ts";
import { collate } from "../../../src/data/collate.ts";
import { parallelCorpusOf } from "../../../src/data/parallel-corpus.ts";
import { RandomStream, randomKey } from "../../../src/util/random.ts";

/** A corpus of the given lengths, whose tokens are all 7. */
function corpusOfLengths(lengths: readonly (readonly [source: number, target: number])[]) {
  const tokens = (count: number): number[] => new Array<number>(count).fill(7);
  return parallelCorpusOf(
    lengths.map(([source, target]) => ({ source: tokens(source), target: tokens(target) })),
  );
}

function randomCorpus(pairs: number, seed: number) {
  const random = new RandomStream(randomKey(seed, "test"));
  return corpusOfLengths(
    Array.from({ length: pairs }, () => {
      const length = 1 + random.below(40);
      return [length, Math.max(1, length + random.below(7) - 3)] as const;
    }),
  );
}

describe("epochBatches", () => {
  const corpus = randomCorpus(3000, 1);
  const options = { tokensPerBatch: 400, seed: 3 };

  test("fills batches with pairs of similar lengths", () => {
    const batches = epochBatches(corpus, { ...options, epoch: 0 });
    let padded = 0;
    let real = 0;
    for (let index = 0; index < batches.length; index++) {
      const batch = collate(corpus, batches.pairs(index), { padId: 0, bosId: 1, eosId: 2 });
      padded += batch.source.length + batch.labels.length;
      real += batch.sourceTokenCount + batch.tokenCount;
    }
    expect(real / padded).toBeGreaterThan(0.93);
    expect(batches.length).toBeLessThan((1.15 * real) / 2 / 400);
  });

  test("differs from epoch to epoch and seed to seed, in the order and in what is together", () => {
    const contents = (seed: number, epoch: number): Set<string> => {
      const batches = epochBatches(corpus, { ...options, seed, epoch });
      return new Set(
        Array.from({ length: batches.length }, (_, batch) => [...batches.pairs(batch)].sort().join(" ")),
      );
    };
    const first = contents(3, 0);
    expect(contents(3, 0)).toEqual(first);
    for (const other of [contents(3, 1), contents(4, 0)]) {
      expect([...other].filter((batch) => first.has(batch)).length).toBeLessThan(first.size / 10);
    }
  });

  test("long and short batches come mixed", () => {
    const batches = epochBatches(corpus, { ...options, epoch: 0 });
    const widths = Array.from({ length: batches.length }, (_, batch) =>
      corpus.sourceLength(batches.pairs(batch)[0]!),
    );
    const half = widths.length / 2;
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean(widths.slice(0, half)) - mean(widths.slice(half)))).toBeLessThan(5);
  });

  test("counts end marks and rounding", () => {
    // Rows of 4 source and 3 + 1 target tokens.
    const small = corpusOfLengths(Array.from({ length: 12 }, () => [4, 3] as const));
    const sizes = (more: object) => {
      const batches = epochBatches(small, { tokensPerBatch: 16, seed: 0, epoch: 0, ...more });
      return Array.from({ length: batches.length }, (_, batch) => batches.pairs(batch).length);
    };
    expect(sizes({})).toEqual([4, 4, 4]);
    expect(sizes({ appendEos: true })).toEqual([3, 3, 3, 3]);
    expect(sizes({ lengthMultiple: 8 })).toEqual([2, 2, 2, 2, 2, 2]);
    expect(sizes({ maxSentences: 6, tokensPerBatch: 1000 })).toEqual([6, 6]);
    expect(sizes({ tokensPerBatch: 1000 })).toEqual([12]);
  });

  test("an empty corpus has no batches", () => {
    expect(epochBatches(parallelCorpusOf([]), { ...options, epoch: 0 }).length).toBe(0);
    expect(() => batchesFrom(parallelCorpusOf([]), options).next()).toThrow(/at least one pair/);
  });

  test("a pair that no batch can hold, limits out of range", () => {
    const one = corpusOfLengths([[3, 9]]);
    const errorOf = (more: object) => () =>
      epochBatches(one, { tokensPerBatch: 10, seed: 0, epoch: 0, ...more });
    expect(errorOf({})).not.toThrow();
    expect(errorOf({ tokensPerBatch: 9 })).toThrowErrorMatchingInlineSnapshot(
      `[QkvError: batches: tokensPerBatch (in a recipe max_tokens) must hold the longest pair, end marks and padding included; got 9, but pair 0 takes 10; raise it or take shorter texts (in a recipe max_length, max_source_length)]`,
    );
    expect(errorOf({ maxSentences: 0 })).toThrow(/maxSentences must be a whole number, 1 or more; got 0/);
    expect(errorOf({ lengthMultiple: 1.5 })).toThrow(/lengthMultiple must be/);
    expect(errorOf({ tokensPerBatch: Number.NaN })).toThrow(/tokensPerBatch must be/);
  });
});

describe("batchesFrom", () => {
  const corpus = randomCorpus(60, 2);
  const options = { tokensPerBatch: 200, seed: 5 };

  test("goes on at any position as if it had not been stopped", () => {
    const take = (start: BatchPosition | undefined, count: number) => {
      const batches = batchesFrom(corpus, options, start);
      return Array.from({ length: count }, () => batches.next().value);
    };
    const whole = take(undefined, 40);
    expect(whole.at(-1)!.position.epoch).toBeGreaterThan(1);
    for (const index of [0, 1, 7, 20, 38]) {
      expect(take(whole[index]!.next, 39 - index)).toEqual(whole.slice(index + 1));
    }
  });

  test("a position beyond the epoch", () => {
    const start = { epoch: 2, batch: 999 };
    expect(() => batchesFrom(corpus, options, start).next()).toThrow(
      /within epoch 2, which has \d+ batches; got batch 999/,
    );
  });
});
