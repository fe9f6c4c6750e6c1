import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pearsonCorrelation, ranksOf, spearmanCorrelation } from "../../../src/metrics/correlation.ts";

describe("correlation", () => {
  it("is 1 along a line, -1 against it, and undefined for a constant", () => {
    expect(pearsonCorrelation([1, 2, 4], [3, 5, 9])).toBeCloseTo(1, 12);
    expect(pearsonCorrelation([1, 2], [5, 3])).toBeCloseTo(-1, 12);
    expect(pearsonCorrelation([2, 2, 2], [1, 2, 3])).toBeNaN();
  });

  it("goes by rank for Spearman, and equal values share theirs", () => {
    expect(spearmanCorrelation([1, 2, 3, 4], [1, 10, 11, 1e9])).toBeCloseTo(1, 12);
    expect(ranksOf([10, 30, 10, 20])).toEqual([1.5, 4, 1.5, 3]);
  });

  it("lies between -1 and 1 and does not change with unit and origin", () => {
    const value = fc.double({ min: -1e3, max: 1e3, noNaN: true });
    const pairs = fc.array(fc.tuple(value, value), { minLength: 3, maxLength: 20 });
    fc.assert(
      fc.property(pairs, (drawn) => {
        const left = drawn.map(([one]) => Math.round(one));
        const right = drawn.map(([, other]) => Math.round(other));
        const correlation = pearsonCorrelation(left, right);
        fc.pre(!Number.isNaN(correlation));
        expect(Math.abs(correlation)).toBeLessThanOrEqual(1);
        const moved = left.map((one) => 3 * one + 7);
        expect(pearsonCorrelation(moved, right)).toBeCloseTo(correlation, 9);
        expect(pearsonCorrelation(right, left)).toBeCloseTo(correlation, 9);
      }),
    );
  });

  it("refuses what does not fit", () => {
    expect(() => pearsonCorrelation([1, 2], [1])).toThrow("got 2 and 1 values");
    expect(() => spearmanCorrelation([1], [1])).toThrow(
      "spearmanCorrelation: needs at least two pairs; got 1",
    );
    expect(() => pearsonCorrelation([1, 2], [1, Number.NaN])).toThrow("got NaN in pair 2");
  });
});
