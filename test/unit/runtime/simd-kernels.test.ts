import fc from "fast-check";
import { expect, test } from "vitest";
import { createSimdKernels } from "../../../src/runtime/simd-kernels.ts";
import { plainKernels } from "../../../src/runtime/vector-kernels.ts";
import { RandomStream, randomKey } from "../../../src/util/random.ts";

const simd = createSimdKernels();
const lengths = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 8180, max: 16_400 }));
const runs = { numRuns: 40 };

function normals(length: number, seed: number, scale = 1): Float32Array {
  const random = new RandomStream(randomKey(seed, "numbers"));
  return Float32Array.from({ length }, () => scale * random.normal());
}

/** Equal bits, which `toEqual` does not ask for. */
function sameBits(one: Float32Array, other: Float32Array): boolean {
  return Buffer.from(one.buffer).equals(Buffer.from(other.buffer));
}

test("this platform has vectors", () => {
  expect(simd).toBeDefined();
});

test("Adam gives the bits of the plain loop", () => {
  fc.assert(
    fc.property(lengths, fc.nat(), fc.integer({ min: 1, max: 1000 }), (length, seed, step) => {
      const update = {
        ...{ step, learningRate: 3e-4, beta1: 0.9, beta2: 0.98, epsilon: 1e-9 },
        ...{ weightDecay: 0.01, gradientScale: 0.37 },
      };
      const start = [
        normals(length, seed),
        normals(length, seed + 1, 1e-3),
        normals(length, seed + 2, 1e-3),
        normals(length, seed + 3, 1e-3).map((x) => x * x),
      ] as const;
      const run = (kernels: typeof plainKernels) => {
        const arrays = start.map((array) => array.slice()) as [...Float32Array<ArrayBuffer>[]] & typeof start;
        kernels.adam(arrays[0], arrays[1], arrays[2], arrays[3], update);
        return arrays;
      };
      const expected = run(plainKernels);
      return run(simd!).every((array, index) => sameBits(array, expected[index]!));
    }),
    runs,
  );
});

test("Adam's step is that of its formula in double precision, but for rounding", () => {
  const [parameter, gradient] = [normals(100, 1), normals(100, 2)];
  const before = parameter.slice();
  const [firstMoment, secondMoment] = [new Float32Array(100), new Float32Array(100)];
  const [learningRate, epsilon, weightDecay] = [0.01, 1e-8, 0.1];
  simd!.adam(parameter, gradient, firstMoment, secondMoment, {
    ...{ step: 1, learningRate, beta1: 0.9, beta2: 0.999, epsilon, weightDecay, gradientScale: 2 },
  });
  parameter.forEach((value, index) => {
    const g = 2 * gradient[index]!;
    const expected =
      before[index]! * (1 - learningRate * weightDecay) - (learningRate * g) / (Math.abs(g) + epsilon);
    expect(value).toBeCloseTo(expected, 6);
  });
});

test("the sum of squares gives the bits of the plain loop", () => {
  fc.assert(
    fc.property(lengths, fc.nat(), (length, seed) => {
      const values = normals(length, seed);
      return Object.is(simd!.sumOfSquares(values), plainKernels.sumOfSquares(values));
    }),
    runs,
  );
});

test("dropout masks are those of the plain loop", () => {
  fc.assert(
    fc.property(lengths, fc.nat(), fc.double({ min: 0, max: 0.99, noNaN: true }), (length, seed, rate) => {
      const key = randomKey(seed, "mask");
      const [mask, expected] = [new Float32Array(length), new Float32Array(length)];
      simd!.fillDropoutMask(mask, rate, key);
      plainKernels.fillDropoutMask(expected, rate, key);
      return sameBits(mask, expected);
    }),
    runs,
  );
});

test("a stretch of a mask is that stretch of the whole mask, wherever it begins", () => {
  fc.assert(
    fc.property(lengths, fc.nat({ max: 9000 }), fc.nat(), (length, first, seed) => {
      const key = randomKey(seed, "mask");
      const whole = new Float32Array(first + length);
      plainKernels.fillDropoutMask(whole, 0.3, key);
      return [simd!, plainKernels].every((kernels) => {
        const stretch = new Float32Array(length);
        kernels.fillDropoutMask(stretch, 0.3, key, first);
        return sameBits(stretch, whole.slice(first));
      });
    }),
    runs,
  );
});

test("accumulating gives the bits of the plain loop", () => {
  fc.assert(
    fc.property(lengths, fc.nat(), (length, seed) => {
      const [one, other] = [normals(length, seed), normals(length, seed)];
      const source = normals(length, seed + 1);
      simd!.accumulate(one, source);
      plainKernels.accumulate(other, source);
      return sameBits(one, other);
    }),
    runs,
  );
});
