import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as build from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import type { Device } from "../../../src/runtime/device.ts";
import { openCpu } from "../../../src/runtime/node/engine.ts";
import { helperThreads } from "../../../src/runtime/node/helper-thread.ts";
import { partsOf } from "../../../src/runtime/parts.ts";

test("a batch is cut into two parts of nearly the same size, a single row into one", () => {
  expect(partsOf(8)).toEqual([
    { start: 0, end: 4 },
    { start: 4, end: 8 },
  ]);
  expect(partsOf(3)).toEqual([
    { start: 0, end: 2 },
    { start: 2, end: 3 },
  ]);
  expect(partsOf(1)).toEqual([{ start: 0, end: 1 }]);
  expect(partsOf(0)).toEqual([{ start: 0, end: 0 }]);
});

describe.each([1, 2])("programs of sums over examples, on %d threads", (threads) => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads });
  });
  afterAll(() => device.dispose());

  const [batch, model] = [dim("batch"), dim("model", 3)];
  const x = build.input("x", [batch, model]);
  const weight = build.parameter("weight", [model]);
  const outputs = () => new Map<string, Tensor>([["sum", build.sum(build.multiply(x, weight), ["batch"])]]);
  const weights = async (...values: number[]) => {
    const array = device.allocate("float32", [3]);
    await array.write(Float32Array.from(values));
    return array;
  };

  test("add up their parts, and see parameters change", async () => {
    const program = await device.compile(outputs(), { examples: "batch" });
    const array = await weights(1, 2, 3);
    const run = async (rows: number) => {
      const data = Float32Array.from({ length: 3 * rows }, (_, index) => index);
      const result = await program.run({ x: { data, shape: [rows, 3] } }, new Map([["weight", array]]));
      return [...(await result.get("sum")!.read())];
    };
    expect(await run(3)).toEqual([9, 24, 45]);
    await array.write(Float32Array.of(1, 0, 1));
    expect(await run(3)).toEqual([9, 0, 15]);
    expect(await run(1)).toEqual([0, 0, 2]);
    await program.dispose();
  });

  test("must have the axis in front, and none of it in their outputs", async () => {
    const behind = build.input("behind", [model, batch]);
    const sums = new Map([["sum", build.sum(behind, ["model", "batch"])]]);
    await expect(device.compile(sums, { examples: "batch" })).rejects.toThrow(
      '"batch" of input:behind must be its first',
    );
    await expect(
      device.compile(new Map([["y", build.multiply(x, weight)]]), { examples: "batch" }),
    ).rejects.toThrow('the output "y" must be a sum over "batch"');
  });

  test("say so where the engine fails, and go on afterwards", async () => {
    const table = build.input("table", [dim("row"), model]);
    const ids = build.input("ids", [batch], "int32");
    const picked = new Map([["sum", build.sum(build.embed(table, ids), ["batch"])]]);
    const program = await device.compile(picked, { examples: "batch" });
    const run = (...of: number[]) =>
      program.run(
        {
          table: { data: Float32Array.of(1, 2, 3), shape: [1, 3] },
          ids: { data: Int32Array.from(of), shape: [of.length] },
        },
        new Map(),
      );
    await expect(run(0, 7)).rejects.toThrow(/out of.*bounds|indices/);
    expect([...(await (await run(0, 0)).get("sum")!.read())]).toEqual([2, 4, 6]);
    await program.dispose();
  });

  test("update parameters with the same bits, however many are updated at once", async () => {
    const length = 100_000;
    const filled = async (value: (index: number) => number) => {
      const array = device.allocate("float32", [length]);
      await array.write(Float32Array.from({ length }, (_, index) => value(index)));
      return array;
    };
    const states = await Promise.all(
      Array.from({ length: 4 }, async () => ({
        parameter: await filled(Math.sin),
        gradient: await filled(Math.cos),
        firstMoment: await filled(() => 0),
        secondMoment: await filled(() => 0),
      })),
    );
    const update = { step: 1, learningRate: 0.1, beta1: 0.9, beta2: 0.98, epsilon: 1e-9 };
    await Promise.all(
      states.map((state) => device.adam(state, { ...update, weightDecay: 0, gradientScale: 1 })),
    );
    const first = Float32Array.from((await states[0]!.parameter.read()) as Float32Array);
    expect(first[1]).toBeCloseTo(Math.sin(1) - 0.1, 5);
    for (const { parameter } of states) expect(Float32Array.from(await parameter.read())).toEqual(first);
  });
});

test("a thread that the engine cannot start a program in says why", async () => {
  const setup = { bytes: Uint8Array.of(1, 2, 3), options: {} };
  await expect(helperThreads.openLane(setup)).rejects.toThrow("engine: refused a program of ours");
});
