import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gradients } from "../../../src/autodiff/gradients.ts";
import * as build from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import { scope } from "../../../src/graph/scope.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { lowerProgram } from "../../../src/onnx/program.ts";
import type { Device } from "../../../src/runtime/device.ts";
import { openCpu } from "../../../src/runtime/node/engine.ts";
import { decodeModel, operatorsOf } from "./decode.ts";

const lower = (outputs: Record<string, Tensor>) => lowerProgram(new Map(Object.entries(outputs)));
const names = (values: Iterable<{ readonly name: string }>) => Array.from(values, ({ name }) => name);

const rows = dim("rows");
const model = dim("model", 3);
const x = build.input("x", [rows, model]);

describe("a lowered program", () => {
  test("lists what it takes and what it gives", () => {
    const ids = build.input("ids", [rows], "int32");
    const table = build.parameter("embedding.table", [dim("vocab", 5), model]);
    const mask = scope("encoder", () => build.dropoutMask("encoder.dropout", 0.1, x.dims));
    const y = build.multiply(build.add(x, build.embed(table, ids)), mask);
    const program = lower({ y, "encoder.output": build.exp(y) });
    expect([...program.inputs.keys()].sort()).toEqual(["ids", "x"]);
    expect([...program.parameters.keys()]).toEqual(["embedding.table"]);
    expect(program.masks).toMatchObject([{ address: "encoder.dropout", rate: 0.1, dtype: "float32" }]);
    expect([...program.outputs.keys()]).toEqual(["y", "encoder.output"]);
    const { graph } = decodeModel(program.bytes);
    expect(names(graph.inputs).sort()).toEqual(
      ["embedding.table", "input:ids", "input:x", "mask:encoder.dropout"].sort(),
    );
    expect(names(graph.outputs)).toEqual(names(program.engineOutputs));
    expect(graph.inputs.find(({ name }) => name === "input:x")!.shape).toEqual(["rows", 3]);
  });

  test("names each node by the layer that asked for it", () => {
    const y = scope("encoder", () => scope("layers", () => scope(2, () => build.exp(x))));
    expect(names(decodeModel(lower({ y }).bytes).graph.nodes)[0]).toMatch(/^encoder\.layers\.2\/Exp_\d+$/);
  });

  test("computes only what is asked for", () => {
    const [normalised] = build.layerNormOutputs(
      x,
      build.parameter("gain", [model]),
      build.parameter("bias", [model]),
      1e-5,
    );
    build.exp(normalised!);
    const { graph } = decodeModel(lower({ normalised: normalised! }).bytes);
    expect(graph.nodes.map(({ operator }) => operator)).toEqual(["LayerNormalization", "Identity"]);
    expect(graph.nodes[0]!.outputs).toHaveLength(1);
  });

  test("holds the parameters that become part of it, and takes the others", () => {
    const fixed = build.parameter("fixed", [model]);
    const free = build.parameter("free", [model]);
    const data = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
    const outputs = new Map([["y", build.add(build.multiply(x, fixed), free)]]);
    const program = lowerProgram(outputs, (address) => (address === "fixed" ? data : undefined));
    expect([...program.parameters.keys()]).toEqual(["free"]);
    const { graph } = decodeModel(program.bytes);
    expect(names(graph.inputs)).not.toContain("fixed");
    expect(graph.initializers.find(({ name }) => name === "fixed")).toMatchObject({ shape: [3], data });
  });

  test("leaves a sum with scattered rows to the device, in parts", () => {
    const table = build.parameter("table", [dim("vocab", 5), model]);
    const first = build.input("first", [rows], "int32");
    const second = build.input("second", [dim("more")], "int32");
    const terms = [build.embed(table, first), build.embed(table, second), build.exp(table)];
    const loss = terms
      .map((term) =>
        build.sum(
          term,
          term.dims.map(({ name }) => name),
        ),
      )
      .reduce((left, right) => build.add(left, right));
    const [gradient] = gradients(loss, [table]);
    const program = lower({ gradient: gradient! });
    const output = program.outputs.get("gradient")!;
    expect(output.name).toBe("output:gradient");
    expect(output.scattered.map(({ ids }) => ids).sort()).toEqual(["input:first", "input:second"]);
    expect(operatorsOf(program.bytes).join()).not.toContain("Scatter");
  });

  test("an output that rows are added to is no other output", () => {
    const dense = build.exp(build.parameter("table", [dim("vocab", 5), model]));
    const ids = build.input("ids", [rows], "int32");
    const scattered = build.scatterRows(ids, x, dim("vocab", 5));
    const { outputs } = lower({ dense, sum: build.add(dense, scattered), again: dense });
    expect(outputs.get("dense")!.name).toBe(outputs.get("again")!.name);
    expect(outputs.get("sum")!.name).not.toBe(outputs.get("dense")!.name);
  });

  test("does not let two values have one name", () => {
    const input = () => build.input("x", [rows, model]);
    expect(() => lower({ y: build.add(input(), input()) })).toThrow('graph: two inputs are called "x"');
    const parameter = () => build.parameter("gain", [model]);
    expect(() => lower({ y: build.add(parameter(), parameter()) })).toThrow(
      'graph: two values are called "gain"; give each an address of its own',
    );
    const mask = () => build.dropoutMask("dropout", 0.1, x.dims);
    expect(() => lower({ y: build.multiply(build.multiply(x, mask()), mask()) })).toThrow(
      'graph: two values are called "mask:dropout"',
    );
  });

  test("says which length nothing tells", () => {
    expect(() => lower({ y: build.range(dim("past")) })).toThrow(
      'graph: no input has an axis as long as "past", so its length cannot be known',
    );
  });
});

describe("products become the operators that need the fewest passes", () => {
  const matrix = (name: string, ...axes: string[]) =>
    build.input(
      name,
      axes.map((axis) => dim(axis)),
    );
  const operatorsFor = (y: Tensor) =>
    operatorsOf(lower({ y }).bytes).filter((one) => !/^(Identity|Shape|Concat)/.test(one));

  test("a matrix product, whichever way the factors lie", () => {
    expect(operatorsFor(build.contract(matrix("x", "a", "k"), matrix("w", "k", "b"), "k"))).toEqual([
      "Gemm(transA=0, transB=0, alpha=1)",
    ]);
    expect(operatorsFor(build.contract(matrix("x", "k", "a"), matrix("w", "b", "k"), "k", 0.5))).toEqual([
      "Gemm(transA=1, transB=1, alpha=0.5)",
    ]);
  });

  test("a bias joins the product, on either side, unless somebody else needs the product", () => {
    const product = build.contract(matrix("x", "a", "k"), matrix("w", "b", "k"), "k");
    const bias = matrix("bias", "b");
    expect(operatorsFor(build.add(product, bias))).toEqual(["Gemm(transA=0, transB=1, alpha=1)"]);
    expect(operatorsFor(build.add(bias, product))).toEqual(["Gemm(transA=0, transB=1, alpha=1)"]);
    const both = build.add(build.add(product, bias), build.exp(product));
    expect(operatorsFor(both)).toEqual(["Gemm(transA=0, transB=1, alpha=1)", "Add", "Exp", "Add"]);
  });

  test("scores and context of attention, with no transposition", () => {
    const queries = matrix("queries", "batch", "head", "query", "headDim");
    const keys = matrix("keys", "batch", "head", "key", "headDim");
    const scores = build.contract(queries, keys, "headDim", 0.25);
    expect(operatorsFor(scores)).toEqual(["FusedMatMul(transA=0, transB=1, alpha=0.25)"]);
    const context = build.contract(build.softmax(scores, "key"), keys, "key");
    expect(operatorsFor(context).at(-1)).toBe("MatMul");
  });
});

describe("values that become part of a program", () => {
  let device: Device;
  let folder: string;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
    folder = await mkdtemp(join(tmpdir(), "qkv-program-"));
  });
  afterAll(async () => {
    await device.dispose();
    await rm(folder, { recursive: true });
  });

  test("come from memory or from a place in a file", async () => {
    await writeFile(join(folder, "model.safetensors"), Float32Array.of(99, 10, 20, 30));
    const fixed = {
      inFile: { location: "model.safetensors", offset: 4, length: 12 },
      inMemory: { data: Float32Array.of(1, 2, 3) },
    };
    const inFile = build.parameter("inFile", [model]);
    const inMemory = build.parameter("inMemory", [model]);
    const program = await device.compile(new Map([["y", build.add(build.multiply(x, inFile), inMemory)]]), {
      fixedParameters: (address) => fixed[address as keyof typeof fixed],
      folder,
    });
    expect(program.parameterAddresses).toEqual([]);
    const feeds = { x: { data: Float32Array.of(1, 1, 1, 2, 0, -1), shape: [2, 3] } };
    const results = await program.run(feeds, new Map());
    expect(Array.from(await results.get("y")!.read())).toEqual([11, 22, 33, 21, 2, -27]);
  });

  test("an output that is an input or a parameter is a value of its own", async () => {
    const weight = build.parameter("weight", [model]);
    const ids = build.input("ids", [rows], "int32");
    const rowsAdded = build.scatterRows(ids, build.sum(x, ["model"]), dim("model", 3));
    const program = await device.compile(
      new Map([
        ["x", x],
        ["weight", weight],
        ["sum", build.add(weight, rowsAdded)],
      ]),
    );
    const array = device.allocate("float32", [3]);
    await array.write(Float32Array.of(1, 2, 3));
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const feeds = { x: { data, shape: [2, 3] }, ids: { data: Int32Array.of(2, 2), shape: [2] } };
    const results = await program.run(feeds, new Map([["weight", array]]));
    const values = async (name: string) => Array.from(await results.get(name)!.read());
    expect(await values("sum")).toEqual([1, 2, 24]);
    expect(await values("weight")).toEqual([1, 2, 3]);
    expect(await values("x")).toEqual([1, 2, 3, 4, 5, 6]);
    expect(Array.from(await array.read())).toEqual([1, 2, 3]);
  });
});
