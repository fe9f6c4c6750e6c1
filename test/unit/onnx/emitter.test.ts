import { expect, test } from "vitest";
import { add, exp, input, transpose } from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import { sortNodes, type Tensor } from "../../../src/graph/tensor.ts";
import { Emitter } from "../../../src/onnx/emitter.ts";

const x = input("x", [dim("a"), dim("b"), dim("c", 4)]);

/** An emitter in which x is placed and the lengths of its axes are known. */
function emitterOf(...outputs: Tensor[]): Emitter {
  const emitter = new Emitter(sortNodes(outputs), outputs);
  emitter.learnSymbols(
    "x",
    x.dims.map((axis) => axis.size),
  );
  emitter.place(x, "x");
  return emitter;
}
const operators = (emitter: Emitter) => emitter.nodes.map((node) => node.operator);
const valuesOf = (emitter: Emitter, name: string) => {
  const { data } = emitter.initializers.find((one) => one.name === name)!;
  const { buffer, byteOffset, byteLength } = data as Uint8Array<ArrayBuffer>;
  return Array.from(new BigInt64Array(buffer, byteOffset, byteLength / 8), Number);
};

test("equal short constants are written once", () => {
  const emitter = emitterOf(x);
  expect(emitter.ints([1, 2])).toBe(emitter.ints([1, 2]));
  expect(emitter.ints([1, 2])).not.toBe(emitter.ints([1, 2], [2, 1]));
  expect(emitter.constant("float32", [1])).not.toBe(emitter.constant("int32", [1]));
  const long = Array.from({ length: 17 }, (_, index) => index);
  expect(emitter.constant("float32", long, [17])).not.toBe(emitter.constant("float32", long, [17]));
  expect(emitter.initializers).toHaveLength(6);
});

test("a value in its own shape costs nothing, in another one reshape for all who want it", () => {
  const emitter = emitterOf(x);
  expect(emitter.value(x)).toBe("x");
  const flat = emitter.as(x, ["a*b", 4]);
  expect(emitter.as(x, ["a*b", 4])).toBe(flat);
  expect(operators(emitter)).toEqual(["Reshape"]);
});

test("a value is aligned with more axes by axes of length 1, those in front left out", () => {
  const emitter = emitterOf(x);
  const column = input("column", [dim("b")]);
  emitter.place(column, "column");
  expect(emitter.aligned(column, [dim("a"), dim("b")])).toBe("column");
  const name = emitter.aligned(column, x.dims);
  const reshape = emitter.nodes.find((node) => node.outputs[0] === name)!;
  expect(valuesOf(emitter, reshape.inputs[1]!)).toEqual([-1, 1]);
});

test("a shape with one unknown length is a constant, with more it is put together, once", () => {
  const emitter = emitterOf(x);
  expect(valuesOf(emitter, emitter.shape(["a*b", 4]))).toEqual([-1, 4]);
  expect(operators(emitter)).toEqual([]);
  const shape = emitter.shape(["a", "b", 4]);
  expect(emitter.shape(["a", "b", 4])).toBe(shape);
  expect(operators(emitter)).toEqual(["Shape", "Shape", "Concat"]);
});

test("where nothing may be left over every length is told", () => {
  const emitter = emitterOf(x);
  expect(valuesOf(emitter, emitter.lengths([2, 3]))).toEqual([2, 3]);
  emitter.lengths(["a", 4]);
  expect(operators(emitter)).toEqual(["Shape", "Concat"]);
});

test("a length is read off an input, sums and products are computed, and one that nothing tells is an error", () => {
  const emitter = emitterOf(x);
  emitter.length("a*b+1");
  expect(operators(emitter)).toEqual(["Shape", "Shape", "Mul", "Add"]);
  expect(emitter.nodes[1]!.attributes).toEqual({ start: 1, end: 2 });
  expect(() => emitter.length("past")).toThrow('no input has an axis as long as "past"');
});

test("who uses a value", () => {
  const y = exp(x);
  const sum = add(y, x);
  const turned = transpose(y, ["b", "a", "c"]);
  const emitter = emitterOf(sum, turned);
  expect(emitter.soleUser(y)).toBeUndefined();
  expect(emitter.soleUser(sum)).toBeUndefined();
  expect(emitter.isUsed(sum)).toBe(true);
  expect(emitter.isUsed(exp(x))).toBe(false);
  expect(emitterOf(sum).soleUser(y)).toBe(sum.node);
});

test("nodes of a subgraph are no nodes of the program", () => {
  const emitter = emitterOf(x);
  emitter.node("Neg", ["x"]);
  const body = emitter.subgraph(() => {
    emitter.node("Exp", ["x"]);
    return { name: "body", inputs: [], outputs: [] };
  });
  expect(body.nodes.map((node) => node.operator)).toEqual(["Exp"]);
  expect(operators(emitter)).toEqual(["Neg"]);
});

test("a value that is used before it is lowered is a mistake of ours", () => {
  expect(() => emitterOf(x).value(exp(x))).toThrow("exp was used before it was lowered");
});
