import { adamFactors, blockLength, type VectorKernels } from "./vector-kernels.ts";
import {
  type Code,
  f32x4,
  f64,
  f64x2,
  get,
  i32,
  i32x4,
  repeatWhile,
  set,
  v128,
  type WasmFunction,
  writeModule,
} from "./wasm-writer.ts";

/**
 * The loops of vector-kernels.ts with the processor's vectors, as a WebAssembly module. They give the same bits as
 * those loops. Each works on a block of its memory; the numbers are copied there and back, which costs little
 * beside fetching them from main memory, and lets them live in ordinary arrays.
 */

const blockBytes = blockLength * 4;

/** Where in the memory the blocks of Adam's four arrays begin. The others use the space from 0 on. */
const blockStarts = {
  parameter: 0,
  gradient: blockBytes,
  firstMoment: 2 * blockBytes,
  secondMoment: 3 * blockBytes,
} as const;

/** What the module exports. Lengths are in bytes: of a multiple of 4 numbers, or of 8 but for Adam's. */
interface Exports {
  adam(bytes: number, ...factors: readonly number[]): void;
  sumOfSquares(bytes: number): number;
  add(bytes: number): void;
  /** The word at `pair` decides the first two places. */
  dropoutMask(bytes: number, pair: number, high: number, low: number, threshold: number, keep: number): void;
}

/** Adds to a local that counts bytes and goes on while it is below the first parameter. */
const forEachStep = (counter: number, bytes: number, body: Code): Code =>
  repeatWhile(
    [...body, ...set(counter, i32.add(get(counter), i32.constant(bytes)))],
    i32.lessThan(get(counter), get(0)),
  );

function adamFunction(): WasmFunction {
  const numbers = 9;
  const splat = (index: number) => get(numbers + index);
  const [scale, beta1, keep1, beta2, keep2, shrink, stepSize, correction, epsilon] = Array.from(
    { length: numbers },
    (_, index) => splat(1 + index),
  ) as [Code, Code, Code, Code, Code, Code, Code, Code, Code];
  const counter = 2 * numbers + 1;
  const [g, m, v] = [counter + 1, counter + 2, counter + 3];
  const at = blockStarts;
  const { add, multiply, subtract, divide, sqrt } = f32x4;
  const load = (start: number) => v128.load(get(counter), start);
  const store = (start: number, value: Code) => v128.store(get(counter), value, start);
  const step = [
    ...set(g, multiply(load(at.gradient), scale)),
    ...set(m, add(multiply(load(at.firstMoment), beta1), multiply(get(g), keep1))),
    ...set(v, add(multiply(load(at.secondMoment), beta2), multiply(multiply(get(g), get(g)), keep2))),
    ...store(at.firstMoment, get(m)),
    ...store(at.secondMoment, get(v)),
    ...store(
      at.parameter,
      subtract(
        multiply(load(at.parameter), shrink),
        divide(multiply(stepSize, get(m)), add(multiply(sqrt(get(v)), correction), epsilon)),
      ),
    ),
  ];
  return {
    name: "adam",
    parameters: ["i32", ...Array.from({ length: numbers }, () => "f32" as const)],
    locals: [...Array.from({ length: numbers }, () => "v128" as const), "i32", "v128", "v128", "v128"],
    body: [
      ...Array.from({ length: numbers }, (_, index) =>
        set(numbers + 1 + index, f32x4.splat(get(1 + index))),
      ).flat(),
      ...forEachStep(counter, 16, step),
    ],
  };
}

/** Adds the second block to the first. */
function addFunction(): WasmFunction {
  const sum = f32x4.add(v128.load(get(1), 0), v128.load(get(1), blockBytes));
  return {
    name: "add",
    parameters: ["i32"],
    locals: ["i32"],
    body: forEachStep(1, 16, v128.store(get(1), sum, 0)),
  };
}

function sumOfSquaresFunction(): WasmFunction {
  const [counter, x] = [1, 2];
  const sums = [3, 4, 5, 6];
  /** The upper two of four numbers as the lower ones. */
  const upper = (value: Code) =>
    v128.shuffle(value, value, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
  const addSquare = (sum: number, two: Code) => [...set(sum, f64x2.add(get(sum), f64x2.multiply(two, two)))];
  const addFour = (offset: number, [first, second]: readonly [number, number]) => [
    ...set(x, v128.load(get(counter), offset)),
    ...addSquare(first, f64x2.promoteLow(get(x))),
    ...addSquare(second, f64x2.promoteLow(upper(get(x)))),
  ];
  const total = (sum: number) => f64.add(f64x2.extract(get(sum), 0), f64x2.extract(get(sum), 1));
  return {
    name: "sumOfSquares",
    parameters: ["i32"],
    result: "f64",
    locals: ["i32", "v128", "v128", "v128", "v128", "v128"],
    body: [
      ...forEachStep(counter, 32, [
        ...addFour(0, [sums[0]!, sums[1]!]),
        ...addFour(16, [sums[2]!, sums[3]!]),
      ]),
      ...f64.add(f64.add(total(sums[0]!), total(sums[1]!)), f64.add(total(sums[2]!), total(sums[3]!))),
    ],
  };
}

function dropoutMaskFunction(): WasmFunction {
  const [, pair, high, low, threshold, keep] = [0, 1, 2, 3, 4, 5];
  const [counter, pairs, x, highs, lows, thresholds, keeps] = [6, 7, 8, 9, 10, 11, 12];
  const first = 13;
  const second = 14;
  const mixed = (bits: number) => v128.xor(get(x!), i32x4.shiftRight(get(x!), bits));
  const times = (value: Code, factor: number) =>
    i32x4.multiply(value, i32x4.constant(factor, factor, factor, factor));
  const factor = (word: Code) => v128.and(get(keeps!), i32x4.atLeast(word, get(thresholds!)));
  const mask16 = i32x4.constant(0xffff, 0xffff, 0xffff, 0xffff);
  const step = [
    ...set(x!, v128.xor(get(pairs!), get(highs!))),
    ...set(x!, i32x4.add(times(mixed(16), 0x7feb352d), get(lows!))),
    ...set(x!, times(mixed(15), 0x846ca68b)),
    ...set(x!, mixed(16)),
    ...set(first, factor(v128.and(get(x!), mask16))),
    ...set(second, factor(i32x4.shiftRight(get(x!), 16))),
    ...v128.store(
      get(counter!),
      v128.shuffle(get(first), get(second), [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23]),
    ),
    ...v128.store(
      get(counter!),
      v128.shuffle(get(first), get(second), [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31]),
      16,
    ),
    ...set(pairs!, i32x4.add(get(pairs!), i32x4.constant(4, 4, 4, 4))),
  ];
  return {
    name: "dropoutMask",
    parameters: ["i32", "i32", "i32", "i32", "i32", "f32"],
    locals: ["i32", "v128", "v128", "v128", "v128", "v128", "v128", "v128", "v128"],
    body: [
      ...set(pairs!, i32x4.add(i32x4.splat(get(pair!)), i32x4.constant(0, 1, 2, 3))),
      ...set(highs!, i32x4.splat(get(high!))),
      ...set(lows!, i32x4.splat(get(low!))),
      ...set(thresholds!, i32x4.splat(get(threshold!))),
      ...set(keeps!, f32x4.splat(get(keep!))),
      ...forEachStep(counter!, 32, step),
    ],
  };
}

/** The part of the platform's WebAssembly that is needed; its types are those of browsers. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, object>>>>,
  ) => { readonly exports: object };
}

/** The kernels with vectors, or nothing where the platform has no WebAssembly with them. */
export function createSimdKernels(): VectorKernels | undefined {
  const wasm = (globalThis as { WebAssembly?: Wasm }).WebAssembly;
  if (wasm === undefined) return undefined;
  const pages = (4 * blockBytes) / 65_536;
  const memory = new wasm.Memory({ initial: pages, maximum: pages });
  let exports: Exports;
  try {
    const bytes = writeModule([adamFunction(), addFunction(), sumOfSquaresFunction(), dropoutMaskFunction()]);
    exports = new wasm.Instance(new wasm.Module(bytes), { host: { memory } }).exports as Exports;
  } catch {
    return undefined;
  }
  return drive(exports, new Float32Array(memory.buffer));
}

/** Calls `visit` with the start and length of each block of a long array. */
function forEachBlock(length: number, visit: (start: number, length: number) => void): void {
  for (let start = 0; start < length; start += blockLength)
    visit(start, Math.min(blockLength, length - start));
}

/** A length rounded up to a multiple of 4 or 8, in bytes. */
const bytesOf = (length: number, multiple: 4 | 8): number => ((length + multiple - 1) & -multiple) * 4;

function drive(exports: Exports, memory: Float32Array): VectorKernels {
  const parts = Object.values(blockStarts).map((start) =>
    memory.subarray(start / 4, start / 4 + blockLength),
  );
  const [block, secondBlock] = parts as [Float32Array, Float32Array];
  return {
    accumulate(target, source) {
      forEachBlock(target.length, (start, length) => {
        block.set(target.subarray(start, start + length));
        secondBlock.set(source.subarray(start, start + length));
        exports.add(bytesOf(length, 4));
        target.set(block.subarray(0, length), start);
      });
    },
    adam(parameter, gradient, firstMoment, secondMoment, update) {
      const factors = Object.values(adamFactors(update));
      const arrays = [parameter, gradient, firstMoment, secondMoment];
      forEachBlock(parameter.length, (start, length) => {
        arrays.forEach((array, index) => {
          parts[index]!.set(array.subarray(start, start + length));
        });
        exports.adam(bytesOf(length, 4), ...factors);
        arrays.forEach((array, index) => {
          if (array !== gradient) array.set(parts[index]!.subarray(0, length), start);
        });
      });
    },
    sumOfSquares(values) {
      let total = 0;
      forEachBlock(values.length, (start, length) => {
        block.set(values.subarray(start, start + length));
        block.fill(0, length, bytesOf(length, 8) / 4);
        total += exports.sumOfSquares(bytesOf(length, 8));
      });
      return total;
    },
    fillDropoutMask(mask, rate, { high, low }, first = 0) {
      const threshold = Math.round(rate * 65_536);
      // One word decides two places: a stretch that begins at the second is computed from the first.
      const lead = first & 1;
      forEachBlock(mask.length, (start, length) => {
        const pair = (first - lead + start) / 2;
        exports.dropoutMask(bytesOf(lead + length, 8), pair, high, low, threshold, 1 / (1 - rate));
        mask.set(memory.subarray(lead, lead + length), start);
      });
    },
  };
}
