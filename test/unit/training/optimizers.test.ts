/** Each optimizer against its formulas, written down anew in double precision. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { add, contract, input, multiply, subtract, sum } from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { normal, parameterSpec, zeros } from "../../../src/nn/parameters.ts";
import type { Device } from "../../../src/runtime/device.ts";
import { openCpu } from "../../../src/runtime/node/engine.ts";
import { Learner, type LearnerOptions, type Objective } from "../../../src/training/learner.ts";
import { loadCheckpoint, saveCheckpoint, type TrainingState } from "../../../src/training/node/checkpoint.ts";
import { type AdafactorOptions, adafactor } from "../../../src/training/optimizers/adafactor.ts";
import { adam } from "../../../src/training/optimizers/adam.ts";
import type { Optimizer } from "../../../src/training/optimizers/optimizer.ts";
import { sgd } from "../../../src/training/optimizers/sgd.ts";
import { optimizerNames } from "../../../src/training/optimizers/table.ts";
import { learningRateAt } from "../../../src/training/schedules.ts";
import { RandomStream, randomKey } from "../../../src/util/random.ts";

let device: Device;
beforeAll(async () => {
  device = await openCpu({ threads: 1 });
});
afterAll(() => device.dispose());

const steps = 6;
const gradientScale = 0.25;

function normals(length: number, seed: number, scale = 1): Float32Array<ArrayBuffer> {
  const random = new RandomStream(randomKey(seed, "optimizers"));
  return Float32Array.from({ length }, () => scale * random.normal());
}

const size = (shape: readonly number[]) => shape.reduce((left, right) => left * right, 1);
const gradientOf = (shape: readonly number[], step: number) => normals(size(shape), 100 + step, 2);

/** A parameter after some steps with given gradients. */
async function run(
  optimizer: Optimizer,
  shape: readonly number[],
  rate: (step: number) => number,
  weightDecay: number,
): Promise<{ values: number[]; states: Record<string, number[]> }> {
  const parameter = device.allocate("float32", shape);
  await parameter.write(normals(size(shape), 1));
  const states = Object.fromEntries(
    Object.entries(optimizer.states(shape)).map(([name, own]) => [name, device.allocate("float32", own!)]),
  );
  for (let step = 1; step <= steps; step++) {
    const gradient = device.allocate("float32", shape);
    await gradient.write(gradientOf(shape, step));
    const numbers = { step, learningRate: rate(step), weightDecay, gradientScale };
    await optimizer.update(device, { parameter, gradient, states }, numbers);
  }
  const read: Record<string, number[]> = {};
  for (const [name, array] of Object.entries(states)) read[name] = [...(await array.read())];
  return { values: [...(await parameter.read())], states: read };
}

function expectNear(got: readonly number[], want: readonly number[], tolerance = 2e-6): void {
  expect(got.length).toBe(want.length);
  want.forEach((value, index) => {
    expect(Math.abs(got[index]! - value), `element ${index}`).toBeLessThan(tolerance * (1 + Math.abs(value)));
  });
}

const shapes = [[7, 5], [6], [1, 9]] as const;
const flat = () => 0.01;

describe.each(shapes.map((shape) => ({ shape: shape as readonly number[] })))("on $shape", ({ shape }) => {
  const start = () => [...normals(size(shape), 1)];
  const gradients = (step: number) => [...gradientOf(shape, step)].map((value) => value * gradientScale);

  test.each([0, 0.1])("adam, weight decay %d", async (weightDecay) => {
    const [beta1, beta2, epsilon] = [0.9, 0.98, 1e-8];
    const theta = start();
    const m = theta.map(() => 0);
    const v = theta.map(() => 0);
    for (let t = 1; t <= steps; t++) {
      gradients(t).forEach((g, i) => {
        m[i] = beta1 * m[i]! + (1 - beta1) * g;
        v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
        const step = m[i]! / (1 - beta1 ** t) / (Math.sqrt(v[i]! / (1 - beta2 ** t)) + epsilon);
        theta[i] = theta[i]! * (1 - 0.01 * weightDecay) - 0.01 * step;
      });
    }
    const { values, states } = await run(adam({ beta1, beta2, epsilon }), shape, flat, weightDecay);
    expectNear(values, theta);
    expectNear(states.exp_avg!, m);
    expectNear(states.exp_avg_sq!, v);
  });

  test.each([
    { momentum: 0, nesterov: false, weightDecay: 0 },
    { momentum: 0.9, nesterov: false, weightDecay: 0.1 },
    { momentum: 0.8, nesterov: true, weightDecay: 0.1 },
  ])("sgd %o", async ({ momentum, nesterov, weightDecay }) => {
    const theta = start();
    let buffer: number[] | undefined;
    for (let t = 1; t <= steps; t++) {
      const g = gradients(t).map((value, i) => value + weightDecay * theta[i]!);
      // PyTorch's buffer begins as the first gradient.
      const next: number[] =
        buffer === undefined ? g : buffer.map((value: number, i: number) => momentum * value + g[i]!);
      buffer = next;
      g.forEach((value, i) => {
        theta[i]! -= 0.01 * (nesterov ? value + momentum * next[i]! : momentum > 0 ? next[i]! : value);
      });
    }
    const { values, states } = await run(sgd({ momentum, nesterov }), shape, flat, weightDecay);
    expectNear(values, theta);
    expect(Object.keys(states)).toEqual(momentum > 0 ? ["momentum_buffer"] : []);
    if (momentum > 0) expectNear(states.momentum_buffer!, buffer!);
  });

  const relative = (warmupSteps: number) => (step: number) =>
    learningRateAt(step, { name: "relative_step", learningRate: 0.01, warmupSteps, maxSteps: 10 });
  test.each([
    ["as the Trainer has it", { scaleParameter: false }, flat, flat, 0],
    ["with weight decay", { scaleParameter: true }, flat, flat, 0.1],
    ["with a first moment", { scaleParameter: true, beta1: 0.9 }, flat, flat, 0.1],
    ["clipped", { scaleParameter: false, clipThreshold: 0.1, decayRate: -0.5 }, flat, flat, 0],
    ["as in T5, relative_step", { scaleParameter: true }, relative(0), () => 1e-2, 0],
    [
      "relative_step and warmup_init",
      { scaleParameter: true },
      relative(10_000),
      (t: number) => Math.min(1e-6 * t, 1 / Math.sqrt(t)),
      0,
    ],
  ] as const)("adafactor, %s", async (_, options: AdafactorOptions, rate, wantedRate, weightDecay) => {
    const { scaleParameter, beta1, decayRate = -0.8, clipThreshold = 1 } = options;
    const [rows, columns] = shape.length === 2 ? (shape as [number, number]) : [1, 1];
    const theta = start();
    const rms = (x: readonly number[]) => Math.sqrt(x.reduce((total, y) => total + y * y, 0) / x.length);
    const mean = (x: readonly number[]) => x.reduce((total, y) => total + y, 0) / x.length;
    const R = Array.from({ length: rows }, () => 0);
    const C = Array.from({ length: columns }, () => 0);
    const V = theta.map(() => 0);
    const M = theta.map(() => 0);
    for (let t = 1; t <= steps; t++) {
      const g = gradients(t);
      const squares = g.map((value) => value ** 2 + 1e-30);
      const keep = 1 - t ** decayRate;
      const lr = wantedRate(t) * (scaleParameter ? Math.max(1e-3, rms(theta)) : 1);
      let u: number[];
      if (shape.length === 2) {
        for (let i = 0; i < rows; i++) {
          R[i] = keep * R[i]! + (1 - keep) * mean(squares.slice(i * columns, (i + 1) * columns));
        }
        for (let j = 0; j < columns; j++) {
          C[j] = keep * C[j]! + (1 - keep) * mean(squares.filter((_, k) => k % columns === j));
        }
        u = g.map((value, k) => {
          const v = (R[Math.floor(k / columns)]! * C[k % columns]!) / mean(R);
          return value / Math.sqrt(v);
        });
      } else {
        squares.forEach((square, k) => {
          V[k] = keep * V[k]! + (1 - keep) * square;
        });
        u = g.map((value, k) => value / Math.sqrt(V[k]!));
      }
      const divisor = Math.max(1, rms(u) / clipThreshold);
      u.forEach((value, k) => {
        let change = (value / divisor) * lr;
        if (beta1 !== undefined) {
          M[k] = beta1 * M[k]! + (1 - beta1) * change;
          change = M[k]!;
        }
        theta[k] = theta[k]! - weightDecay * lr * theta[k]! - change;
      });
    }
    const { values, states } = await run(adafactor(options), shape, rate, weightDecay);
    expectNear(values, theta);
    const names = shape.length === 2 ? ["exp_avg_sq_row", "exp_avg_sq_col"] : ["exp_avg_sq"];
    expect(Object.keys(states)).toEqual([...(beta1 === undefined ? [] : ["exp_avg"]), ...names]);
    if (beta1 !== undefined) expectNear(states.exp_avg!, M);
    if (shape.length === 2) {
      expectNear(states.exp_avg_sq_row!, R);
      expectNear(states.exp_avg_sq_col!, C);
    } else expectNear(states.exp_avg_sq!, V);
  });
});

test("adafactor leaves a parameter without a gradient as it is, and takes in zeros without harm", async () => {
  for (const shape of [[3, 4], [5]]) {
    const optimizer = adafactor({ scaleParameter: true });
    const parameter = device.allocate("float32", shape);
    await parameter.write(normals(size(shape), 1));
    const states = Object.fromEntries(
      Object.entries(optimizer.states(shape)).map(([name, own]) => [name, device.allocate("float32", own!)]),
    );
    const gradient = device.allocate("float32", shape);
    for (let step = 1; step <= 3; step++) {
      const numbers = { step, learningRate: 0.1, weightDecay: 0, gradientScale };
      await optimizer.update(device, { parameter, gradient, states }, numbers);
    }
    expect([...(await parameter.read())]).toEqual([...normals(size(shape), 1)]);
  }
});

/** y = x · Wᵀ + b against given numbers, by least squares. */
const [inputs, outputs, batch] = [dim("model", 4), dim("output", 3), dim("batch")];
const tree = {
  weight: parameterSpec([outputs, inputs], normal(1)),
  bias: parameterSpec([outputs], zeros),
};
type Row = readonly number[];
const objective: Objective<typeof tree, Row> = {
  parameters: tree,
  loss(parameters: { weight: Tensor; bias: Tensor }) {
    const y = add(contract(input("x", [batch, inputs]), parameters.weight, "model"), parameters.bias);
    const error = subtract(y, input("y", [batch, outputs]));
    return sum(multiply(error, error), ["batch", "output"]);
  },
  feeds: (row) => ({
    x: { data: Float32Array.from(row.slice(0, 8)), shape: [2, 4] },
    y: { data: Float32Array.from(row.slice(8)), shape: [2, 3] },
  }),
  count: () => 2,
};
const batchOf = (step: number): Row => [...normals(14, 1000 + step)];

describe("a checkpoint", () => {
  const created: Record<string, Optimizer> = {
    adam: adam({ beta1: 0.9, beta2: 0.98, epsilon: 1e-9 }),
    adamw: adam({ beta1: 0.9, beta2: 0.98, epsilon: 1e-9 }),
    adafactor: adafactor({ scaleParameter: true, beta1: 0.9 }),
    sgd: sgd({ momentum: 0.9, nesterov: true }),
    "sgd without momentum": sgd({ momentum: 0, nesterov: false }),
  };
  const options = (name: string): LearnerOptions => ({
    seed: 3,
    optimizer: created[name]!,
    emaDecay: 0.9,
    maxGradientNorm: 1,
  });
  const state = (step: number): TrainingState => ({
    ...{ step, position: { epoch: 0, batch: 0 }, best: null, validationsSinceBest: 0, tokens: 0, seconds: 0 },
    ...{ engine: "", threads: 1, recipe: "" },
  });

  test("is tried with every optimizer", () => {
    expect(Object.keys(created)).toEqual(expect.arrayContaining([...optimizerNames]));
  });

  test.each(Object.keys(created))("%s: what goes on from it ends with the same bytes", async (name) => {
    const directory = mkdtempSync(join(tmpdir(), "qkv-optimizer-"));
    const learn = async (learner: Learner<unknown, Row>, from: number, to: number) => {
      for (let step = from; step <= to; step++) await learner.update([batchOf(step)], 0.05);
    };
    const whole = await Learner.create(device, objective, options(name));
    await learn(whole, 1, 3);
    await saveCheckpoint(directory, whole.arrays, state(3));
    await learn(whole, 4, 6);
    const resumed = await Learner.create(device, objective, { ...options(name), seed: 4 });
    resumed.step = (await loadCheckpoint(directory, 3, resumed.arrays)).step;
    await learn(resumed, 4, 6);
    const [one, other] = [
      await saveCheckpoint(join(directory, "one"), whole.arrays, state(6)),
      await saveCheckpoint(join(directory, "other"), resumed.arrays, state(6)),
    ];
    for (const file of ["model", "optimizer", "ema"]) {
      const bytes = (folder: string) => readFileSync(join(folder, `${file}.safetensors`));
      expect(bytes(one).equals(bytes(other)), file).toBe(true);
    }
    expect(readFileSync(join(one, "ema.safetensors"))).not.toEqual(
      readFileSync(join(one, "model.safetensors")),
    );
    await whole.dispose();
    await resumed.dispose();
    rmSync(directory, { recursive: true });
  });

  test("of one optimizer is refused by another, by the name that is missing", async () => {
    const directory = mkdtempSync(join(tmpdir(), "qkv-optimizer-"));
    const one = await Learner.create(device, objective, options("adam"));
    await saveCheckpoint(directory, one.arrays, state(1));
    const other = await Learner.create(device, objective, options("sgd"));
    await expect(loadCheckpoint(directory, 1, other.arrays)).rejects.toThrow(
      /optimizer\.safetensors: must hold weight\.momentum_buffer, .* begin a new run/,
    );
    await one.dispose();
    await other.dispose();
    rmSync(directory, { recursive: true });
  });
});

test("the moving average is that of its formula, and the model", async () => {
  const learner = await Learner.create(device, objective, {
    ...{ seed: 3, optimizer: adam({ beta1: 0.9, beta2: 0.98, epsilon: 1e-9 }), maxGradientNorm: 0 },
    emaDecay: 0.25,
  });
  const average = [...(await learner.parameters.get("weight")!.read())];
  for (let step = 1; step <= 5; step++) {
    await learner.update([batchOf(step)], 0.05);
    const decay = Math.min(0.25, (1 + step) / (10 + step));
    const values = await learner.parameters.get("weight")!.read();
    average.forEach((value, index) => {
      average[index] = decay * value + (1 - decay) * values[index]!;
    });
  }
  expectNear([...(await learner.modelParameters.get("weight")!.read())], average);
  await learner.dispose();
});

test("frozen parameters stay, and nothing is computed for them", async () => {
  const bias = { learningRateScale: 1, weightDecay: 0 };
  const learner = await Learner.create(device, objective, {
    ...{ seed: 3, optimizer: adam({ beta1: 0.9, beta2: 0.98, epsilon: 1e-9 }), maxGradientNorm: 0 },
    groups: new Map([["bias", bias]]),
    emaDecay: 0.5,
  });
  const before = Float32Array.from(await learner.parameters.get("weight")!.read());
  await learner.update([batchOf(1)], 0.05);
  expect(await learner.parameters.get("weight")!.read()).toEqual(before);
  expect(learner.modelParameters.get("weight")).toBe(learner.parameters.get("weight"));
  expect([...learner.states.keys()]).toEqual(["bias.exp_avg", "bias.exp_avg_sq"]);
  expect((await learner.parameters.get("bias")!.read()).every((value) => value !== 0)).toBe(true);
  await learner.dispose();
});

test("a group's rate and weight decay are its own", async () => {
  const learner = await Learner.create(device, objective, {
    ...{ seed: 3, optimizer: sgd({ momentum: 0, nesterov: false }), maxGradientNorm: 0 },
    groups: new Map([
      ["weight", { learningRateScale: 0, weightDecay: 1 }],
      ["bias", { learningRateScale: 1, weightDecay: 0 }],
    ]),
  });
  const before = Float32Array.from(await learner.parameters.get("weight")!.read());
  await learner.update([batchOf(1)], 0.05);
  expect(await learner.parameters.get("weight")!.read()).toEqual(before);
  expect((await learner.parameters.get("bias")!.read()).every((value) => value !== 0)).toBe(true);
  await learner.dispose();
});
