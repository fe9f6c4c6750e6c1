import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BatchPosition,
  type EpochRows,
  fixedBatches,
  lengthBatches,
  randomRows,
  rowsFrom,
  widthsOf,
} from "../../../src/data/sampling.ts";
import { selectRows, tokenColumnOf } from "../../../src/data/token-column.ts";

const rowsOf = (batches: EpochRows) =>
  Array.from({ length: batches.length }, (_, batch) => [...batches.rows(batch)]);
const lengths = fc.array(fc.nat(30), { minLength: 1, maxLength: 40 });

describe("lengthBatches", () => {
  test("single examples and several sides: every row once, within the limits", () => {
    const settings = fc.record({
      tokensPerBatch: fc.integer({ min: 33, max: 200 }),
      maxRows: fc.integer({ min: 1, max: 9 }),
      seed: fc.integer(),
      epoch: fc.nat(5),
    });
    fc.assert(
      fc.property(lengths, settings, fc.boolean(), (sizes, options, hasTwo) => {
        const examples = tokenColumnOf(sizes.map((length) => new Array<number>(length).fill(7)));
        const first = widthsOf(examples, { marks: 2, lengthMultiple: 4 });
        expect([...first]).toEqual(sizes.map((length) => 4 * Math.ceil((length + 2) / 4)));
        const second = first.toReversed();
        const batches = rowsOf(lengthBatches(hasTwo ? [first, second] : [first], options));
        expect(batches.flat().sort((left, right) => left - right)).toEqual([...sizes.keys()]);
        for (const rows of batches) {
          expect(rows.length).toBeLessThanOrEqual(options.maxRows);
          const width = Math.max(...rows.map((row) => Math.max(first[row]!, hasTwo ? second[row]! : 0)));
          expect(rows.length * width).toBeLessThanOrEqual(options.tokensPerBatch);
        }
      }),
    );
  });

  test("an example that is longer than a batch", () => {
    const options = { tokensPerBatch: 8, seed: 1, epoch: 0 };
    expect(() => lengthBatches([Int32Array.of(3, 9)], options)).toThrow(
      /tokensPerBatch .in a recipe max_tokens. must hold the longest example.*got 8, but example 1 takes 9; raise it/,
    );
    expect(() => lengthBatches([Int32Array.of(3)], { ...options, maxRows: 0 })).toThrow(
      /maxRows must be a whole/,
    );
  });
});

describe("fixedBatches", () => {
  test("every row once, the last batch shorter or left out", () => {
    const options = { rowsPerBatch: 4, seed: 1, epoch: 0 };
    const batches = rowsOf(fixedBatches(10, options));
    expect(batches.map((rows) => rows.length)).toEqual([4, 4, 2]);
    expect(batches.flat().sort((left, right) => left - right)).toEqual([...new Array(10).keys()]);
    expect(rowsOf(fixedBatches(10, { ...options, dropLast: true }))).toEqual(batches.slice(0, 2));
    expect(rowsOf(fixedBatches(10, { ...options, epoch: 1 }))).not.toEqual(batches);
    expect(rowsOf(fixedBatches(10, { ...options, seed: 2 }))).not.toEqual(batches);
    expect(() => fixedBatches(10, { ...options, rowsPerBatch: 1.5 })).toThrow(/rowsPerBatch must be a whole/);
  });
});

describe("rowsFrom", () => {
  const epochOf = (epoch: number) => fixedBatches(10, { rowsPerBatch: 4, seed: 1, epoch });

  test("goes on at any position as if there had been no stop", () => {
    const all: { position: BatchPosition; next: BatchPosition; rows: Int32Array }[] = [];
    for (const batch of rowsFrom(epochOf)) {
      all.push(batch);
      if (all.length === 10) break;
    }
    expect(all[3]!.position).toEqual({ epoch: 1, batch: 0 });
    for (const [at, { next }] of all.slice(0, 9).entries()) {
      expect(rowsFrom(epochOf, next).next().value).toEqual(all[at + 1]);
    }
  });

  test("positions that are not there, epochs without a batch", () => {
    expect(() => rowsFrom(epochOf, { epoch: 2, batch: 3 }).next()).toThrow(
      /within epoch 2, which has 3 batches; got batch 3/,
    );
    expect(() =>
      rowsFrom(() => fixedBatches(3, { rowsPerBatch: 4, dropLast: true, seed: 1, epoch: 0 })).next(),
    ).toThrow(/at least one batch; got none/);
  });
});

describe("randomRows", () => {
  const options = { rowsPerBatch: 500, seed: 1 };
  const drawn = (count: number, more = {}, batch = 0) =>
    randomRows(count, { ...options, ...more }, { epoch: 0, batch }).next().value;

  test("are a function of the seed and the batch's number, and come from everywhere", () => {
    const batches = randomRows(7, options);
    const [first, second] = [batches.next().value, batches.next().value];
    expect(second.position).toEqual({ epoch: 0, batch: 1 });
    expect(drawn(7)).toEqual(first);
    expect(drawn(7, {}, first.next.batch)).toEqual(second);
    expect(second.rows).not.toEqual(first.rows);
    expect(drawn(7, { seed: 2 }).rows).not.toEqual(first.rows);
    expect([...new Set(first.rows)].sort((left, right) => left - right)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(drawn(1e12).rows.every((row) => Number.isSafeInteger(row) && row < 1e12)).toBe(true);
  });

  test("a text that is too short", () => {
    expect([...drawn(1, { rowsPerBatch: 2 }).rows]).toEqual([0, 0]);
    expect(() => drawn(0)).toThrow(/at least one place where a window may begin; got 0; take shorter/);
    expect(() => drawn(9, { rowsPerBatch: 0 })).toThrow(/rowsPerBatch must be a whole number/);
  });
});

test("selectRows: some examples, in their order", () => {
  const some = selectRows(tokenColumnOf([[1], [2, 2], [3, 3, 3]]), Int32Array.of(2, 0));
  expect([some.length, some.lengthOf(0), [...some.values(1)]]).toEqual([2, 3, [1]]);
});

test("tokenColumnOf: whole numbers of 32 bits only", () => {
  expect([...tokenColumnOf([[-100, 5]]).values(0)]).toEqual([-100, 5]);
  expect(() => tokenColumnOf([[1], [0.5]])).toThrow(
    /example 1: must be whole numbers of 32 bits; got 0.5 at position 0/,
  );
});
