import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { afterAll, expect, test } from "vitest";
import { encodeModel, type OnnxGraph, onnxTypes } from "../../../src/onnx/proto.ts";
import { decodeModel } from "./decode.ts";

const bytesOf = (values: Float32Array | Int32Array | BigInt64Array) => new Uint8Array(values.buffer);

/** Uses each kind of attribute, initializer and value: y = leakyRelu(x + b) reduced, then summed up in a loop. */
const everything: OnnxGraph = {
  name: "everything",
  inputs: [{ name: "x", type: "float32", shape: ["rows", 2] }],
  outputs: [
    { name: "total", type: "float32", shape: ["rows"] },
    { name: "softened", type: "float32", shape: ["rows", 2] },
  ],
  initializers: [
    { name: "b", type: "float32", shape: [2], data: bytesOf(Float32Array.of(-10, 1)) },
    { name: "axes", type: "int64", shape: [1], data: bytesOf(BigInt64Array.of(-1n)) },
    { name: "trips", type: "int64", shape: [], data: bytesOf(BigInt64Array.of(3n)) },
    { name: "yes", type: "bool", shape: [], data: Uint8Array.of(1) },
  ],
  nodes: [
    { operator: "Add", inputs: ["x", "b"], outputs: ["sum"], name: "encoder/Add" },
    { operator: "LeakyRelu", inputs: ["sum"], outputs: ["bent"], attributes: { alpha: 0.25 } },
    { operator: "Transpose", inputs: ["bent"], outputs: ["turned"], attributes: { perm: [1, 0] } },
    { operator: "Transpose", inputs: ["turned"], outputs: ["straight"], attributes: { perm: [1, 0] } },
    { operator: "Gelu", inputs: ["straight"], outputs: ["softened"], attributes: { approximate: "tanh" } },
    { operator: "ReduceSum", inputs: ["straight", "axes"], outputs: ["start"], attributes: { keepdims: 0 } },
    {
      operator: "Loop",
      inputs: ["trips", "yes", "start"],
      outputs: ["total"],
      attributes: {
        body: {
          name: "doubling",
          inputs: [
            { name: "iteration", type: "int64", shape: [] },
            { name: "going", type: "bool", shape: [] },
            { name: "sofar", type: "float32", shape: ["rows"] },
          ],
          outputs: [
            { name: "stillGoing", type: "bool", shape: [] },
            { name: "doubled", type: "float32", shape: ["rows"] },
          ],
          initializers: [],
          nodes: [
            { operator: "Identity", inputs: ["going"], outputs: ["stillGoing"] },
            { operator: "Add", inputs: ["sofar", "sofar"], outputs: ["doubled"] },
          ],
        },
      },
    },
    {
      operator: "FusedMatMul",
      domain: "com.microsoft",
      inputs: ["straight", "straight"],
      outputs: ["unused"],
      attributes: { transB: 1, alpha: { float: 2 } },
    },
  ],
};

test("the engine reads a model with every kind of attribute, initializer and value", async () => {
  const session = await ort.InferenceSession.create(encodeModel(everything));
  const x = new ort.Tensor("float32", Float32Array.of(1, 2, 30, 4), [2, 2]);
  const { total, softened } = await session.run({ x });
  const bent = [(1 - 10) / 4, 3, 20, 5];
  expect(Array.from(total!.data as Float32Array)).toEqual([
    8 * (bent[0]! + bent[1]!),
    8 * (bent[2]! + bent[3]!),
  ]);
  const tanhGelu = (x: number) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  expect(softened!.dims).toEqual([2, 2]);
  bent.map(tanhGelu).forEach((value, index) => {
    expect(softened!.data[index]).toBeCloseTo(value, 5);
  });
  await session.release();
});

test("the bytes say what they should", () => {
  const { irVersion, producer, operatorSets, graph } = decodeModel(encodeModel(everything, "a test"));
  expect({ irVersion, producer, operatorSets }).toEqual({
    irVersion: 10,
    producer: "a test",
    operatorSets: { "": 21, "com.microsoft": 1 },
  });
  expect(graph.name).toBe("everything");
  expect(graph.inputs).toEqual([{ name: "x", type: onnxTypes.float32, shape: ["rows", 2] }]);
  expect(graph.outputs.map(({ name }) => name)).toEqual(["total", "softened"]);
  expect(graph.nodes[0]).toEqual({
    name: "encoder/Add",
    operator: "Add",
    domain: "",
    inputs: ["x", "b"],
    outputs: ["sum"],
    attributes: {},
  });
  expect(graph.nodes.map(({ attributes }) => attributes)).toMatchObject([
    {},
    { alpha: 0.25 },
    { perm: [1, 0] },
    { perm: [1, 0] },
    { approximate: "tanh" },
    { keepdims: 0 },
    { body: { name: "doubling", outputs: [{ name: "stillGoing" }, { name: "doubled", shape: ["rows"] }] } },
    { transB: 1, alpha: 2 },
  ]);
  expect(graph.nodes.at(-1)!.domain).toBe("com.microsoft");
  expect(graph.initializers.map(({ name, type, shape }) => ({ name, type, shape }))).toEqual([
    { name: "b", type: onnxTypes.float32, shape: [2] },
    { name: "axes", type: onnxTypes.int64, shape: [1] },
    { name: "trips", type: onnxTypes.int64, shape: [] },
    { name: "yes", type: onnxTypes.bool, shape: [] },
  ]);
});

test("negative whole numbers and numbers beyond 32 bits survive", () => {
  const node = {
    operator: "Anything",
    inputs: [],
    outputs: ["y"],
    attributes: { axis: -1, far: [2 ** 40, -(2 ** 40)] },
  };
  const graph = { name: "numbers", nodes: [node], inputs: [], outputs: [], initializers: [] };
  expect(decodeModel(encodeModel(graph)).graph.nodes[0]!.attributes).toEqual({
    axis: -1,
    far: [2 ** 40, -(2 ** 40)],
  });
});

const folder = await mkdtemp(join(tmpdir(), "qkv-external-"));
afterAll(() => rm(folder, { recursive: true }));

test("initializers may lie in a file beside the model, at an offset", async () => {
  await writeFile(join(folder, "model.safetensors"), bytesOf(Float32Array.of(99, 1, 2, 3, 4, 5, 6)));
  const at = (offset: number, length: number) => ({ location: "model.safetensors", offset, length });
  const graph: OnnxGraph = {
    name: "external",
    inputs: [{ name: "x", type: "float32", shape: ["rows", 2] }],
    outputs: [{ name: "y", type: "float32", shape: ["rows", 2] }],
    initializers: [
      { name: "weight", type: "float32", shape: [2, 2], data: at(4, 16) },
      { name: "bias", type: "float32", shape: [2], data: at(20, 8) },
    ],
    nodes: [{ operator: "Gemm", inputs: ["x", "weight", "bias"], outputs: ["y"] }],
  };
  const bytes = encodeModel(graph);
  expect(decodeModel(bytes).graph.initializers[0]).toMatchObject({
    data: undefined,
    external: { location: "model.safetensors", offset: "4", length: "16" },
  });
  const session = await ort.InferenceSession.create(bytes, {
    extra: { session: { model_external_initializers_file_folder_path: folder } },
  });
  const { y } = await session.run({ x: new ort.Tensor("float32", Float32Array.of(1, 0, 10, 100), [2, 2]) });
  expect(Array.from(y!.data as Float32Array)).toEqual([1 + 5, 2 + 6, 310 + 5, 420 + 6]);
  await session.release();
});
