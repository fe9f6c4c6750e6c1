import type { AdamUpdate } from "./device.ts";

/** The few loops over whole parameters that run outside the engine, in double precision inside. */

export function accumulate(target: Float32Array, source: Float32Array): void {
  for (let index = 0; index < target.length; index++) target[index]! += source[index]!;
}

export function sumOfSquares(values: Float32Array): number {
  // Four sums, so that one addition need not wait for the one before.
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const whole = values.length - (values.length % 4);
  for (let index = 0; index < whole; index += 4) {
    a += values[index]! * values[index]!;
    b += values[index + 1]! * values[index + 1]!;
    c += values[index + 2]! * values[index + 2]!;
    d += values[index + 3]! * values[index + 3]!;
  }
  for (let index = whole; index < values.length; index++) a += values[index]! * values[index]!;
  return a + b + (c + d);
}

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

export function adam(
  parameter: Float32Array,
  gradient: Float32Array,
  firstMoment: Float32Array,
  secondMoment: Float32Array,
  { step, learningRate, beta1, beta2, epsilon, weightDecay, gradientScale }: AdamUpdate,
): void {
  const keep1 = 1 - beta1;
  const keep2 = 1 - beta2;
  const shrink = 1 - learningRate * weightDecay;
  const stepSize = learningRate / (1 - beta1 ** step);
  const correction = 1 / Math.sqrt(1 - beta2 ** step);
  for (let index = 0; index < parameter.length; index++) {
    const g = gradient[index]! * gradientScale;
    const m = firstMoment[index]! * beta1 + g * keep1;
    const v = secondMoment[index]! * beta2 + g * g * keep2;
    firstMoment[index] = m;
    secondMoment[index] = v;
    parameter[index] = parameter[index]! * shrink - (stepSize * m) / (Math.sqrt(v) * correction + epsilon);
  }
}
