import { describe, expect, it } from "vitest";
import { pearsonCorrelation, ranksOf, spearmanCorrelation } from "../../src/metrics/correlation.ts";
import { hasShared, needsShared } from "../shared.ts";
import { differences, type GoldenNumber, readMetricJson } from "./metrics-goldens.ts";

interface Case {
  readonly id: string;
  readonly x: number[];
  readonly y: number[];
}

interface Entry {
  readonly case: string;
  readonly pearson: GoldenNumber;
  readonly spearman: GoldenNumber;
  readonly ranks_x?: number[];
  readonly ranks_y?: number[];
}

describe.skipIf(!hasShared)(`correlations equal scipy${needsShared}`, () => {
  it("on every case", () => {
    const { cases } = readMetricJson<{ cases: Case[] }>("correlation/inputs.json");
    const { entries } = readMetricJson<{ entries: Entry[] }>("correlation/expected.json");
    const found = entries.flatMap(({ case: id, pearson, spearman, ranks_x, ranks_y }) => {
      const { x, y } = cases.find((one) => one.id === id)!;
      const actual = { pearson: pearsonCorrelation(x, y), spearman: spearmanCorrelation(x, y) };
      const ranks = ranks_x === undefined ? {} : { ranks_x: ranksOf(x), ranks_y: ranksOf(y) };
      const goldenRanks = ranks_x === undefined ? {} : { ranks_x, ranks_y };
      return [
        ...differences(roundOff(actual), roundOff({ pearson, spearman }), id),
        ...differences(ranks, goldenRanks, id),
      ];
    });
    expect(found).toEqual([]);
    expect(entries.length).toBe(cases.length);
  });
});

/**
 * What is 0 but for the rounding of a sum depends on the order of its terms, which is not part of the
 * definition.
 */
function roundOff<Value extends Record<string, GoldenNumber>>(values: Value): Record<string, GoldenNumber> {
  const isNoise = (value: GoldenNumber) => typeof value === "number" && Math.abs(value) < 1e-15;
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, isNoise(value) ? 0 : value]),
  );
}
