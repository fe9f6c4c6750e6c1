import { expect, test } from "vitest";
import { gradients } from "../../../src/autodiff/gradients.ts";
import * as build from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import { printGraph } from "../../../src/graph/print.ts";
import { scope } from "../../../src/graph/scope.ts";
import { sortNodes } from "../../../src/graph/tensor.ts";

const model = dim("model", 4);
const x = build.input("x", [dim("rows"), model]);
const total = (value: typeof x) =>
  build.sum(
    value,
    value.dims.map(({ name }) => name),
  );

test("only a scalar has gradients", () => {
  expect(() => gradients(x, [x])).toThrowErrorMatchingInlineSnapshot(
    `[QkvError: gradients: only a scalar has gradients; got [rows, model=4]]`,
  );
});

test("where nothing flows there is no gradient, and at the scalar itself it is 1", () => {
  const loss = total(build.exp(x));
  const unrelated = build.input("unrelated", []);
  const [atLoss, atUnrelated] = gradients(loss, [loss, unrelated]);
  expect(printGraph({ atLoss: atLoss! })).toBe("%0 [] = constant(values=1)\nreturn atLoss = %0");
  expect(atUnrelated).toBeUndefined();
});

test("what lies on no way to the wanted values costs nothing", () => {
  const weight = build.parameter("weight", [model]);
  const loss = total(build.multiply(build.softmax(build.exp(x), "model"), weight));
  const operators = (at: typeof x) =>
    sortNodes(gradients(loss, [at]) as (typeof x)[]).map(({ operator }) => operator);
  expect(operators(x)).toContain("softmaxGradient");
  expect(operators(weight)).not.toContain("softmaxGradient");
});

test("an intermediate value has a gradient too", () => {
  const y = build.exp(x);
  const [atY] = gradients(total(build.multiply(y, 3)), [y]);
  expect(atY!.dims).toEqual(y.dims);
});

test("nodes of a gradient belong to the layer of the value", () => {
  const y = scope("encoder", () => build.tanh(x));
  const [atX] = gradients(total(y), [x]);
  expect(atX!.node.scope).toBe("gradient.encoder");
});

test("an operator without a gradient says why, and where", () => {
  const y = scope("decoder", () => build.max(x, ["rows", "model"]));
  expect(() => gradients(y, [x])).toThrowErrorMatchingInlineSnapshot(
    `[QkvError: decoder: max has no gradient: which element is largest jumps]`,
  );
});

test("outputs that only serve another's gradient have none", () => {
  const gain = build.input("gain", [model]);
  const [, average] = build.layerNormOutputs(x, gain, gain, 1e-5);
  expect(() => gradients(total(average!), [x])).toThrowErrorMatchingInlineSnapshot(
    `[QkvError: graph: layerNorm has a gradient at its first output only; got one at another]`,
  );
});

test("what a segment computes is computed anew for its gradient, after the gradient has arrived", () => {
  const weight = build.parameter("weight", [model]);
  const entering = build.exp(x);
  const y = scope("layers.0", () => build.tanh(build.multiply(entering, weight)));
  const loss = scope("head", () => total(build.sigmoid(y)));
  const recompute = (of: string) => (of.startsWith("layers.") ? of : undefined);
  const kept = gradients(loss, [weight]) as (typeof x)[];
  const anew = gradients(loss, [weight], { recompute }) as (typeof x)[];
  const count = (of: (typeof x)[], operator: string) =>
    sortNodes([loss, ...of]).filter((node) => node.operator === operator).length;
  expect(["exp", "tanh", "sigmoid", "after"].map((operator) => count(kept, operator))).toEqual([1, 1, 1, 0]);
  expect(["exp", "tanh", "sigmoid", "after"].map((operator) => count(anew, operator))).toEqual([1, 2, 1, 1]);
  const [barrier] = sortNodes(anew).filter(({ operator }) => operator === "after");
  expect(barrier!.inputs[0]).toBe(entering);
  // The token is the gradient at the segment's end, which does not need the segment's values.
  expect(sortNodes([barrier!.inputs[1]!]).some(({ operator }) => operator === "after")).toBe(false);
});
