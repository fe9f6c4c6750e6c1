import { fillDropoutMask, type RandomKey } from "../util/random.ts";
import type { AdamUpdate } from "./device.ts";

/** The few loops over many numbers that run outside the engine. */
export interface VectorKernels {
  /** One step of Adam, in place, in single precision. */
  adam(
    parameter: Float32Array,
    gradient: Float32Array,
    firstMoment: Float32Array,
    secondMoment: Float32Array,
    update: AdamUpdate,
  ): void;
  /** target += source, element by element. */
  accumulate(target: Float32Array, source: Float32Array): void;
  /** In double precision. */
  sumOfSquares(values: Float32Array): number;
  /** Fills a mask as `fillDropoutMask` of util/random.ts does. */
  fillDropoutMask(mask: Float32Array, rate: number, key: RandomKey, first?: number): void;
}

/** The sum of squares is a sum of the sums of so many elements. */
export const blockLength = 8192;

/** The numbers of an update that are the same for all elements. */
export function adamFactors({
  step,
  learningRate,
  beta1,
  beta2,
  epsilon,
  weightDecay,
  gradientScale,
}: AdamUpdate) {
  return {
    scale: Math.fround(gradientScale),
    beta1: Math.fround(beta1),
    keep1: Math.fround(1 - beta1),
    beta2: Math.fround(beta2),
    keep2: Math.fround(1 - beta2),
    shrink: Math.fround(1 - learningRate * weightDecay),
    stepSize: Math.fround(learningRate / (1 - beta1 ** step)),
    correction: Math.fround(1 / Math.sqrt(1 - beta2 ** step)),
    epsilon: Math.fround(epsilon),
  };
}

/** The loops as JavaScript: what those with vectors are measured by, and what runs where these are missing. */
export const plainKernels: VectorKernels = {
  adam(parameter, gradient, firstMoment, secondMoment, update) {
    const f = Math.fround;
    const { scale, beta1, keep1, beta2, keep2, shrink, stepSize, correction, epsilon } = adamFactors(update);
    for (let index = 0; index < parameter.length; index++) {
      const g = f(gradient[index]! * scale);
      const m = f(f(firstMoment[index]! * beta1) + f(g * keep1));
      const v = f(f(secondMoment[index]! * beta2) + f(f(g * g) * keep2));
      firstMoment[index] = m;
      secondMoment[index] = v;
      const change = f(f(stepSize * m) / f(f(f(Math.sqrt(v)) * correction) + epsilon));
      parameter[index] = f(f(parameter[index]! * shrink) - change);
    }
  },

  accumulate(target, source) {
    for (let index = 0; index < target.length; index++) target[index]! += source[index]!;
  },

  sumOfSquares(values) {
    let total = 0;
    // Eight sums for each block, so that one addition need not wait for the one before.
    const sums = new Float64Array(8);
    for (let start = 0; start < values.length; start += blockLength) {
      sums.fill(0);
      const end = Math.min(values.length, start + blockLength);
      for (let index = start; index < end; index++) sums[index & 7]! += values[index]! * values[index]!;
      const [a, b, c, d, e, f, g, h] = sums as unknown as readonly [
        ...[number, number, number, number],
        ...[number, number, number, number],
      ];
      total += a + b + (c + d) + (e + f + (g + h));
    }
    return total;
  },

  fillDropoutMask,
};

/** Adds row i of `rows` to row ids[i] of a table; ids outside the table add nothing. */
export function scatterAddRows(
  table: Float32Array,
  ids: Int32Array,
  rows: Float32Array,
  width: number,
): void {
  const count = table.length / width;
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row]!;
    if (id < 0 || id >= count) continue;
    const to = id * width;
    const from = row * width;
    for (let column = 0; column < width; column++) table[to + column]! += rows[from + column]!;
  }
}
