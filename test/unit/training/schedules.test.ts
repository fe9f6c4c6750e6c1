import { describe, expect, test } from "vitest";
import {
  learningRateAt,
  type ScheduleArguments,
  type ScheduleName,
} from "../../../src/training/schedules.ts";

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

describe("the schedules of Hugging Face's Trainer", () => {
  const of = (name: ScheduleName, step: number, given: ScheduleArguments = {}) =>
    learningRateAt(step, { name, learningRate: 1, warmupSteps: 10, maxSteps: 110, arguments: given });

  test("polynomial", () => {
    expect(of("polynomial", 60)).toBeCloseTo(0.5, 12);
    expect(of("polynomial", 60, { power: 2 })).toBeCloseTo(0.25, 12);
    expect(of("polynomial", 60, { power: 2, min_lr_ratio: 0.2 })).toBeCloseTo(0.4, 12);
    expect(of("polynomial", 110)).toBe(0);
  });

  test("cosine_with_restarts", () => {
    expect(of("cosine_with_restarts", 60, { num_cycles: 2 })).toBe(1);
    expect(of("cosine_with_restarts", 35, { num_cycles: 2 })).toBeCloseTo(0.5, 12);
    expect(of("cosine_with_restarts", 85, { num_cycles: 2 })).toBeCloseTo(0.5, 12);
    expect(of("cosine_with_restarts", 110, { num_cycles: 2, min_lr_ratio: 0.1 })).toBeCloseTo(0.1, 12);
    for (const step of [11, 40, 99, 110])
      expect(of("cosine_with_restarts", step)).toBeCloseTo(of("cosine", step), 12);
  });

  test("warmup_stable_decay", () => {
    expect(of("warmup_stable_decay", 5)).toBeCloseTo(0.5, 12);
    for (const step of [10, 50, 99]) expect(of("warmup_stable_decay", step)).toBe(1);
    expect(of("warmup_stable_decay", 110)).toBe(0);
    const given = { num_decay_steps: 40, min_lr_ratio: 0.1 };
    expect(of("warmup_stable_decay", 70, given)).toBe(1);
    expect(of("warmup_stable_decay", 90, given)).toBeCloseTo(0.55, 12);
    expect(of("warmup_stable_decay", 80, { ...given, decay_type: "linear" })).toBeCloseTo(0.775, 12);
    expect(of("warmup_stable_decay", 80, { ...given, decay_type: "1-sqrt" })).toBeCloseTo(0.55, 12);
    expect(of("warmup_stable_decay", 110, given)).toBeCloseTo(0.1, 12);
  });

  test("constant_with_warmup, and a lowest rate", () => {
    expect(of("constant_with_warmup", 5)).toBeCloseTo(0.5, 12);
    expect(of("constant_with_warmup", 100)).toBe(1);
    expect(of("cosine", 60, { min_lr_ratio: 0.2 })).toBeCloseTo(0.6, 12);
    expect(of("linear", 110, { min_lr_ratio: 0.2 })).toBeCloseTo(0.2, 12);
  });

  test("relative_step is Adafactor's", () => {
    const at = (step: number, warmupSteps: number) =>
      learningRateAt(step, { name: "relative_step", learningRate: 0.01, warmupSteps, maxSteps: 1 });
    for (const step of [1, 9_999, 10_000, 10_001, 1e6]) {
      expect(at(step, 0)).toBeCloseTo(Math.min(1e-2, 1 / Math.sqrt(step)), 15);
      expect(at(step, 10_000)).toBeCloseTo(Math.min(1e-6 * step, 1 / Math.sqrt(step)), 15);
    }
  });
});
