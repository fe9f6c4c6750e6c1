import { expect, test } from "vitest";
import { add, exp, input, layerNormOutputs, multiply, negate } from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import { sortNodes, type Tensor } from "../../../src/graph/tensor.ts";

test("every node comes once, after those it needs, and those that nobody needs do not come", () => {
  const x = input("x", [dim("a")]);
  const left = exp(x);
  const right = negate(x);
  const sum = add(left, right);
  multiply(sum, 2);
  expect(sortNodes([sum, left, sum])).toEqual([x.node, left.node, right.node, sum.node]);
});

test("the outputs of a node know it and their place", () => {
  const x = input("x", [dim("a"), dim("b", 2)]);
  const gain = input("gain", [dim("b", 2)]);
  const outputs = layerNormOutputs(x, gain, gain, 1e-5);
  expect(outputs.map(({ index }) => index)).toEqual([0, 1, 2]);
  expect(outputs[2]!.node.outputs).toBe(outputs);
});

test("a chain of a hundred thousand is no deeper than the stack", () => {
  let x: Tensor = input("x", []);
  for (let index = 0; index < 100_000; index++) x = negate(x);
  expect(sortNodes([x])).toHaveLength(100_001);
});
