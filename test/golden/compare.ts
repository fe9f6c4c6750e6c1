import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { parse } from "../../src/weights/safetensors.ts";
import { toFloat32 } from "../../src/weights/stored-tensor.ts";
import { sharedPath } from "../shared.ts";

export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** All tensors of a safetensors file of the reference data, as float32. */
export function readGolden(path: string): Map<string, GoldenTensor> {
  const { tensors } = parse(readFileSync(sharedPath(path)));
  const golden = new Map<string, GoldenTensor>();
  for (const [name, tensor] of tensors) {
    if (tensor.dtype !== "F32") continue;
    golden.set(name, { shape: tensor.shape, data: toFloat32(tensor, name) });
  }
  return golden;
}

/**
 * Fails where |got - expected| is above absolute + relative · |expected| anywhere.
 * @returns the largest |got - expected|
 */
export function expectClose(
  what: string,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  { absolute, relative = 0 }: { absolute: number; relative?: number },
): number {
  expect(got.length, `${what}: number of values`).toBe(expected.length);
  let worst = -1;
  let excess = 0;
  let largest = 0;
  for (let index = 0; index < expected.length; index++) {
    const error = Math.abs(got[index]! - expected[index]!);
    const over = error - absolute - relative * Math.abs(expected[index]!);
    largest = Math.max(largest, error);
    if (over > excess || Number.isNaN(over)) {
      worst = index;
      excess = over;
    }
  }
  if (worst >= 0) {
    expect.fail(
      `${what}: value ${worst} is ${got[worst]}, expected ${expected[worst]} (${excess} over the tolerance)`,
    );
  }
  return largest;
}
