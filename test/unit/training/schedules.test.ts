import { expect, test } from "vitest";
import { learningRateAt, type ScheduleName } from "../../../src/training/schedules.ts";

const at = (name: ScheduleName, step: number) =>
  learningRateAt(step, { name, learningRate: 0.01, warmupSteps: 100, maxSteps: 1100 });

test("every schedule grows in a straight line to its rate", () => {
  for (const name of ["inverse_sqrt", "linear", "cosine", "constant"] as const) {
    expect(at(name, 1)).toBeCloseTo(0.0001, 12);
    expect(at(name, 50)).toBeCloseTo(0.005, 12);
    expect(at(name, 100)).toBeCloseTo(0.01, 12);
  }
});

test("after the warm-up each falls in its own way", () => {
  expect(at("inverse_sqrt", 400)).toBeCloseTo(0.005, 12);
  expect(at("linear", 600)).toBeCloseTo(0.005, 12);
  expect(at("linear", 1100)).toBe(0);
  expect(at("cosine", 600)).toBeCloseTo(0.005, 12);
  expect(at("cosine", 350)).toBeCloseTo((0.01 * (1 + Math.SQRT1_2)) / 2, 12);
  expect(at("constant", 1000)).toBe(0.01);
});

test("the paper's schedule: modelDim^-0.5 · min(step^-0.5, step · warmup^-1.5)", () => {
  const learningRate = 512 ** -0.5 * 4000 ** -0.5;
  for (const step of [1, 17, 3999, 4000, 4001, 100_000]) {
    const paper = 512 ** -0.5 * Math.min(step ** -0.5, step * 4000 ** -1.5);
    expect(
      learningRateAt(step, { name: "inverse_sqrt", learningRate, warmupSteps: 4000, maxSteps: 1 }),
    ).toBeCloseTo(paper, 12);
  }
});

test("no warm-up begins at the full rate", () => {
  expect(learningRateAt(1, { name: "constant", learningRate: 0.3, warmupSteps: 0, maxSteps: 10 })).toBe(0.3);
  expect(
    learningRateAt(4, { name: "inverse_sqrt", learningRate: 0.3, warmupSteps: 0, maxSteps: 10 }),
  ).toBeCloseTo(0.15, 12);
});
