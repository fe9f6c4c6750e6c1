import { describe, expect, test } from "vitest";
import { gradients } from "../../../src/autodiff/gradients.ts";
import { constant, parameter, scalar } from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { textClassificationLoss } from "../../../src/models/classification.ts";
import {
  binaryCrossEntropy,
  classCrossEntropy,
  placeCrossEntropy,
  squaredError,
} from "../../../src/nn/losses.ts";
import { evaluate } from "../../interpreter/evaluate.ts";

const feeds = { inputs: new Map(), parameters: new Map(), randomness: undefined };
const numberOf = (tensor: Tensor) => evaluate(new Map([["", tensor]]), feeds, new Map()).get("")!.data[0]!;
const batch = dim("batch", 2);
const scores = (values: number[]) => constant(values, [batch, dim("label", values.length / 2)]);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

describe("losses", () => {
  test("binary cross-entropy: the mean over all classes, also far from 0", () => {
    const x = [0.5, -2, 3, 200, -200, 1];
    const y = [1, 0, 1, 1, 0, 0.25];
    const expected = x.map((own, index) => {
      const log = (p: number, weight: number) => (weight === 0 ? 0 : weight * Math.log(p));
      return -(log(sigmoid(own), y[index]!) + log(1 - sigmoid(own), 1 - y[index]!));
    });
    const { mean, sum } = binaryCrossEntropy(scores(x), scores(y));
    const total = expected.reduce((left, right) => left + right, 0);
    expect(numberOf(sum)).toBeCloseTo(total, 12);
    expect(numberOf(mean)).toBeCloseTo(total / 6, 12);
    expect(numberOf(binaryCrossEntropy(scores([-200, 200]), scores([1, 0])).sum)).toBeCloseTo(400, 9);
  });

  test("squared error, for one number of each text and for several", () => {
    expect(numberOf(squaredError(scores([1, 2, 3, 4]), scores([1, 0, 0, 4])).mean)).toBe(13 / 4);
    const one = textClassificationLoss(
      "regression",
      { weight: scalar(0), bias: scalar(0) },
      scalar(0),
      scores([1, 2]),
      constant([3, 2], [batch]),
    );
    expect(numberOf(one.mean)).toBe(2);
  });

  test("cross-entropy of places; those outside do not count", () => {
    const x = constant([1, 2, 3, 500, 0, 0], [batch, dim("sequence", 3)]);
    const logSum = Math.log(Math.E + Math.E ** 2 + Math.E ** 3);
    const loss = (places: number[]) => placeCrossEntropy(x, constant(places, [batch], "int32"));
    expect(numberOf(loss([1, 0]).mean)).toBeCloseTo((logSum - 2) / 2, 12);
    expect(numberOf(loss([1, 1]).mean)).toBeCloseTo((logSum - 2 + 500) / 2, 12);
    expect(numberOf(loss([2, 3]).mean)).toBeCloseTo(logSum - 3, 12);
    expect(numberOf(loss([-1, 17]).count)).toBe(0);
  });

  test("the gradient of places", () => {
    const places = constant([1, 17], [batch], "int32");
    const x = parameter("x", [batch, dim("sequence", 3)]);
    const values = [1.5, 2, -3, 5, 0, 0];
    const [flow] = gradients(placeCrossEntropy(x, places).sum, [x]);
    const parameters = new Map([["x", values]]);
    const got = evaluate(new Map([["", flow!]]), { ...feeds, parameters }, new Map()).get("")!.data;
    const exponents = values.slice(0, 3).map(Math.exp);
    const total = exponents.reduce((left, right) => left + right, 0);
    const want = exponents.map((own, index) => own / total - (index === 1 ? 1 : 0));
    want.forEach((slope, index) => {
      expect(got[index]).toBeCloseTo(slope, 12);
    });
    expect([...got.slice(3)]).toEqual([0, 0, 0]);
  });

  test("cross-entropy of classes: -100 does not count", () => {
    const model = dim("model", 2);
    const x = constant([1, 0, 0, 1], [batch, model]);
    const weight = constant([1, 2, 3, 4, 5, 6], [dim("label", 3), model]);
    const bias = constant([0.5, 0, 0], [dim("label", 3)]);
    const loss = classCrossEntropy(x, { weight, bias }, constant([2, -100], [batch], "int32"));
    const [a, b, c] = [1.5, 3, 5];
    expect(numberOf(loss.mean)).toBeCloseTo(Math.log(Math.exp(a) + Math.exp(b) + Math.exp(c)) - c, 12);
    expect(numberOf(loss.count)).toBe(1);
  });
});
