import { describe, expect, it } from "vitest";
import { scoreClassification } from "../../../src/metrics/classification.ts";

describe("scoreClassification", () => {
  it("counts confusions and rates every class", () => {
    const score = scoreClassification(["a", "a", "b", "b"], ["a", "b", "b", "b"], { positiveLabel: "b" });
    expect(score.labels).toEqual(["a", "b"]);
    expect(score.confusionMatrix).toEqual([
      [1, 1],
      [0, 2],
    ]);
    expect(score.accuracy).toBe(0.75);
    expect(score.binary).toEqual({ precision: 2 / 3, recall: 1, f1: 0.8, support: 2 });
    expect(score.perLabel[0]).toEqual({ label: "a", precision: 1, recall: 0.5, f1: 2 / 3, support: 2 });
    expect(score.matthewsCorrelation).toBeCloseTo(2 / Math.sqrt(12), 12);
  });

  it("sorts numbers by value", () => {
    expect(scoreClassification([10, 9, -1], [9, 9, 2]).labels).toEqual([-1, 2, 9, 10]);
  });

  it("refuses what does not fit", () => {
    expect(() => scoreClassification([1], [1, 2])).toThrow("got 1 right and 2 predicted ones");
    expect(() => scoreClassification([], [])).toThrow("at least one item");
    expect(() => scoreClassification<string | number>([1], ["1"])).toThrow("all numbers or all names");
    expect(() => scoreClassification([1, 2, 3], [1, 2, 3], { positiveLabel: 1 })).toThrow(
      "two classes; got 3",
    );
    expect(() => scoreClassification([1, 2], [1, 2], { positiveLabel: 3 })).toThrow("is one of 1, 2; got 3");
  });
});
