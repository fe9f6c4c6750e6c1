import { describe, expect, it } from "vitest";
import { meanReciprocalRank, recallAtK } from "../../../src/metrics/retrieval.ts";

const rankings = [["a", "b", "c"], ["d", "e"], [], ["f", "f", "g"]];
const relevant = [["c", "x"], ["d"], ["y"], ["g", "f"]];

describe("recall at k", () => {
  it("is the mean share of the relevant items among the first k", () => {
    expect(recallAtK(rankings, relevant, 1)).toBeCloseTo((0 + 1 + 0 + 0.5) / 4, 15);
    expect(recallAtK(rankings, relevant, 2)).toBeCloseTo((0 + 1 + 0 + 0.5) / 4, 15);
    expect(recallAtK(rankings, relevant, 3)).toBeCloseTo((0.5 + 1 + 0 + 1) / 4, 15);
    expect(recallAtK(rankings, relevant, 100)).toBe(recallAtK(rankings, relevant, 3));
  });

  it("refuses what makes no sense", () => {
    expect(() => recallAtK(rankings, relevant, 0)).toThrow(
      "recallAtK: k is a whole number of at least 1; got 0",
    );
    expect(() => recallAtK(rankings, relevant.slice(1), 1)).toThrow("got 4 and 3 queries");
    expect(() => recallAtK([], [], 1)).toThrow("needs at least one query");
    expect(() => recallAtK([["a"]], [[]], 1)).toThrow("query 1 has no relevant item");
  });
});

describe("mean reciprocal rank", () => {
  it("is the mean of one over the place of the first relevant item", () => {
    expect(meanReciprocalRank(rankings, relevant)).toBeCloseTo((1 / 3 + 1 + 0 + 1) / 4, 15);
    expect(meanReciprocalRank(rankings, relevant, 2)).toBeCloseTo((0 + 1 + 0 + 1) / 4, 15);
  });

  it("refuses what makes no sense", () => {
    expect(() => meanReciprocalRank(rankings, relevant, 1.5)).toThrow("k is a whole number");
    expect(() => meanReciprocalRank([["a"]], [[]])).toThrow("query 1 has no relevant item");
  });
});
