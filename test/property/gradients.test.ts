import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.ts";
import * as build from "../../src/graph/build.ts";
import { dim } from "../../src/graph/dims.ts";
import type { OperatorName } from "../../src/graph/operators.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { RandomStream, randomKey } from "../../src/util/random.ts";
import {
  type Case,
  type GradientProblem,
  gradientProblem,
  type HostValue,
  type Lengths,
  type Problem,
} from "../conformance/case.ts";
import { compositeCases } from "../conformance/cases/composites.ts";
import {
  type Differentiable,
  isDifferentiable,
  operatorCases,
  operatorNames,
} from "../conformance/cases/operators.ts";
import { evaluate } from "../interpreter/evaluate.ts";
import type { Value } from "../interpreter/value.ts";

/** The inputs and parameters of a problem in double precision, to be moved a little. */
type Point = ReadonlyMap<string, Float64Array>;

function pointOf({ inputs, parameters }: Problem): Point {
  const entries: [string, HostValue][] = [...inputs, ...parameters];
  return new Map(entries.map(([name, { data }]) => [name, Float64Array.from(data)]));
}

function evaluateAt(
  { randomness, lengths }: Problem,
  point: Point,
  outputs: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Value> {
  return evaluate(outputs, { inputs: point, parameters: point, randomness }, lengths);
}

/** The central difference of the objective along a direction. */
function slope(problem: GradientProblem, point: Point, along: Point, step: number): number {
  const only = new Map([["objective", problem.objective]]);
  const value = (size: number) => {
    const moved = new Map(point);
    for (const [name, direction] of along) {
      const from = point.get(name)!;
      moved.set(
        name,
        from.map((number, index) => number + size * direction[index]!),
      );
    }
    return evaluateAt(problem, moved, only).get("objective")!.data[0]!;
  };
  return (value(step) - value(-step)) / (2 * step);
}

const unit = (length: number, index: number) =>
  new Float64Array(length).map((_, place) => (place === index ? 1 : 0));

/**
 * The directions in which a gradient is checked: along every element, or where these are many along some of them, and
 * along a random direction, in which all take part.
 */
function directions(point: Point, leaves: readonly string[], seed: number): Point[] {
  const random = new RandomStream(randomKey(seed, "directions"));
  const elements = leaves.flatMap((name) => {
    const { length } = point.get(name)!;
    const all = Array.from({ length }, (_, index) => index);
    const some = length <= 24 ? all : Array.from({ length: 8 }, () => random.below(length));
    return some.map((index) => new Map([[name, unit(length, index)]]));
  });
  const everything = new Map(
    leaves.map((name) => [name, point.get(name)!.map(() => random.normal() / Math.sqrt(leaves.length))]),
  );
  return [...elements, everything];
}

/** Compares the gradients that autodiff writes down with finite differences, both in double precision. */
function checkGradient(theCase: Case, lengths: Lengths, seed: number): void {
  const problem = gradientProblem(theCase, lengths, seed);
  const point = pointOf(problem);
  const values = evaluateAt(problem, point, problem.outputs);
  const value = evaluateAt(problem, point, new Map([["objective", problem.objective]])).get("objective")!
    .data[0]!;
  const leaves = problem.leaves.filter((name) => point.get(name)!.length > 0);
  for (const direction of directions(point, leaves, seed)) {
    let predicted = 0;
    for (const [name, along] of direction) {
      const flow = values.get(name)?.data;
      along.forEach((component, index) => {
        predicted += component * (flow?.[index] ?? 0);
      });
    }
    const error = (step: number) => Math.abs(slope(problem, point, direction, step) - predicted);
    const tolerance = 2e-6 * (1 + Math.abs(predicted) + Math.abs(value));
    // A step across a corner, of relu say, is no measure; a smaller one will not cross it.
    if (error(1e-5) > tolerance && error(2e-7) > 20 * tolerance) {
      const where = [...direction.keys()].join(", ");
      const measured = slope(problem, point, direction, 1e-5);
      expect.fail(`${theCase.name}: the gradient at ${where} is ${predicted}, by differences ${measured}`);
    }
  }
}

/** Random lengths of the axes, and a seed for the numbers. */
const problems = (lengths: Lengths) =>
  fc.record({
    lengths: fc.record(
      Object.fromEntries(Object.keys(lengths).map((name) => [name, fc.integer({ min: 1, max: 4 })])),
    ),
    seed: fc.nat(),
  });

function checkCase(theCase: Case, runs: number): void {
  checkGradient(theCase, theCase.lengths, 1);
  fc.assert(
    fc.property(problems(theCase.lengths), ({ lengths, seed }) => checkGradient(theCase, lengths, seed)),
    { numRuns: runs },
  );
}

describe("the gradient is that of finite differences", () => {
  describe.each(operatorNames.filter(isDifferentiable))("%s", (name) => {
    test.each(operatorCases[name].filter((one) => !one.forwardOnly))("$name", (one) => checkCase(one, 10));
  });
  test.each(compositeCases.filter((one) => !one.forwardOnly))("$name", (one) => checkCase(one, 5));

  test("a case for every operator that has a gradient", () => {
    for (const name of operatorNames.filter(isDifferentiable)) {
      expect(
        operatorCases[name].some((one) => !one.forwardOnly),
        name,
      ).toBe(true);
    }
  });
});

/** A scalar that depends on the input through an operator, of every operator that has no gradient. */
const refused = {
  parameter: undefined,
  input: undefined,
  constant: undefined,
  range: undefined,
  dropoutMask: undefined,
  lessOrEqual: undefined,
  equal: undefined,
  and: undefined,
  not: undefined,
  positive: (x) => build.sum(build.positive(x), ["a", "b"]),
  max: (x) => build.max(x, ["a", "b"]),
  geluGradient: (x) => build.sum(build.geluGradient(x, x, "none"), ["a", "b"]),
  softmaxGradient: (x) => build.sum(build.softmaxGradient(x, x, "a"), ["a", "b"]),
  after: (x) => build.sum(build.after(x, x), ["a", "b"]),
  topK: (x) => build.sum(build.topK(x, "a", 2)[0], ["a", "b"]),
  scatterRows: (x) => {
    const rows = build.scatterRows(build.constant([0, 1, 0], [dim("a", 3)], "int32"), x, dim("row", 2));
    return build.sum(rows, ["row", "b"]);
  },
  slice: (x) => build.sum(build.slice(x, "a", 0, 1, dim("one", 1)), ["one", "b"]),
} satisfies { [Name in Exclude<OperatorName, Differentiable>]: ((x: Tensor) => Tensor) | undefined };

describe("an operator without a gradient says so", () => {
  test.each(Object.entries(refused).filter(([, make]) => make !== undefined))("%s", (name, make) => {
    const x = build.input("x", [dim("a", 3), dim("b", 2)]);
    expect(() => gradients(make!(x), [x])).toThrow(new RegExp(`^graph: ${name} has no gradient: `));
  });

  test("and whole numbers and truth values, which cannot lead to a scalar of float32, let none through", () => {
    const x = build.input("x", [dim("a", 3)]);
    const least = build.lessOrEqual(build.cast(x, "int32"), build.scalar(1, "int32"));
    const [flow] = gradients(build.sum(build.cast(least, "float32"), ["a"]), [x]);
    expect(flow).toBeUndefined();
  });
});
