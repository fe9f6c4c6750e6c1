import type { DeviceArray } from "./device.ts";

/** How a cache of keys or values is laid out: [batch, head, beam, capacity, headDim]. */
export interface CacheShape {
  readonly batch: number;
  readonly heads: number;
  readonly beams: number;
  readonly headDim: number;
}

/**
 * The keys (or values) of the positions that were generated so far, for a batch of sequences with several
 * hypotheses each. Its capacity doubles when it is full; the unused end must be masked.
 */
export interface KeyValueCache {
  readonly capacity: number;
  /** What a program is fed. */
  readonly array: DeviceArray;
  /** Writes the keys of one new position. @param rows - [batch, head, beam, headDim] */
  append(rows: DeviceArray, position: number): void;
  /** Hypothesis i of a sequence goes on from its hypothesis parents[i]. Only rows that change are moved. @param parents - [batch · beam] */
  reorder(parents: Int32Array, length: number): void;
  /** Keeps only these sequences of the batch, in this (ascending) order. */
  select(sequences: readonly number[]): void;
  /**
   * Takes out the first `count` of `length` positions, which all hypotheses of a sequence must have in common; the
   * others move to the front.
   * @param before - [batch, head, key, headDim] @returns `before` and behind it what was taken out
   */
  takeCommon(before: DeviceArray, count: number, length: number): DeviceArray;
}

/** A cache in this process's memory. */
export class HostKeyValueCache implements KeyValueCache {
  readonly #makeArray: (shape: readonly number[], data: Float32Array) => DeviceArray;
  #shape: CacheShape;
  #capacity: number;
  /** The rows, and behind them one spare row. */
  #memory: Float32Array;
  #data: Float32Array;
  #array: DeviceArray;

  constructor(
    shape: CacheShape,
    capacity: number,
    makeArray: (shape: readonly number[], data: Float32Array) => DeviceArray,
  ) {
    this.#makeArray = makeArray;
    this.#shape = shape;
    this.#capacity = capacity;
    this.#memory = new Float32Array((rowCount(shape) + 1) * capacity * shape.headDim);
    this.#data = this.#memory.subarray(0, rowCount(shape) * capacity * shape.headDim);
    this.#array = this.#wrap();
  }

  get capacity(): number {
    return this.#capacity;
  }

  get array(): DeviceArray {
    return this.#array;
  }

  append(rows: DeviceArray, position: number): void {
    while (position >= this.#capacity) this.#grow();
    const { headDim } = this.#shape;
    const stride = this.#capacity * headDim;
    const from = hostData(rows);
    const to = this.#data;
    let source = 0;
    for (let start = position * headDim; start < to.length; start += stride) {
      for (let index = 0; index < headDim; index++) to[start + index] = from[source++]!;
    }
  }

  reorder(parents: Int32Array, length: number): void {
    const { batch, heads, beams, headDim } = this.#shape;
    const stride = this.#capacity * headDim;
    const used = length * headDim;
    const spare = this.#data.length;
    for (let sequence = 0; sequence < batch; sequence++) {
      const moves = planMoves(parents.subarray(sequence * beams, (sequence + 1) * beams));
      for (let head = 0; head < heads && moves.length > 0; head++) {
        const first = (sequence * heads + head) * beams * stride;
        for (let move = 0; move < moves.length; move += 2) {
          const from = moves[move] === beams ? spare : first + moves[move]! * stride;
          const to = moves[move + 1] === beams ? spare : first + moves[move + 1]! * stride;
          this.#memory.copyWithin(to, from, from + used);
        }
      }
    }
  }

  select(sequences: readonly number[]): void {
    const { heads, beams, headDim } = this.#shape;
    const size = heads * beams * this.#capacity * headDim;
    sequences.forEach((sequence, place) => {
      if (sequence !== place) this.#data.copyWithin(place * size, sequence * size, (sequence + 1) * size);
    });
    this.#shape = { ...this.#shape, batch: sequences.length };
    this.#data = this.#data.subarray(0, sequences.length * size);
    this.#array = this.#wrap();
  }

  takeCommon(before: DeviceArray, count: number, length: number): DeviceArray {
    const { batch, heads, beams, headDim } = this.#shape;
    const stride = this.#capacity * headDim;
    const old = hostData(before);
    const oldWidth = old.length / (batch * heads);
    const taken = count * headDim;
    const joined = new Float32Array(old.length + batch * heads * taken);
    for (let head = 0; head < batch * heads; head++) {
      const start = head * (oldWidth + taken);
      const common = head * beams * stride;
      joined.set(old.subarray(head * oldWidth, (head + 1) * oldWidth), start);
      joined.set(this.#data.subarray(common, common + taken), start + oldWidth);
    }
    for (let row = 0; row < this.#data.length; row += stride) {
      this.#data.copyWithin(row, row + taken, row + length * headDim);
    }
    return this.#makeArray([batch, heads, oldWidth / headDim + count, headDim], joined);
  }

  #grow(): void {
    const { headDim } = this.#shape;
    const oldStride = this.#capacity * headDim;
    const grown = new Float32Array(this.#data.length * 2 + oldStride * 2);
    for (let row = 0; row < rowCount(this.#shape); row++) {
      grown.set(this.#data.subarray(row * oldStride, (row + 1) * oldStride), row * oldStride * 2);
    }
    this.#memory = grown;
    this.#data = grown.subarray(0, this.#data.length * 2);
    this.#capacity *= 2;
    this.#array = this.#wrap();
  }

  #wrap(): DeviceArray {
    const { batch, heads, beams, headDim } = this.#shape;
    return this.#makeArray([batch, heads, beams, this.#capacity, headDim], this.#data);
  }
}

function rowCount({ batch, heads, beams }: CacheShape): number {
  return batch * heads * beams;
}

function hostData(array: DeviceArray): Float32Array {
  return (array as DeviceArray & { readonly data: Float32Array }).data;
}

/**
 * The moves that bring row parents[i] to place i for every i, one after another, without losing a row that is still
 * needed: from, to, from, to ... Where rows change places in a circle, one is first put into the spare row, which
 * counts as row parents.length.
 */
export function planMoves(parents: Int32Array): number[] {
  const moves: number[] = [];
  const spare = parents.length;
  const sources = Array.from(parents);
  const pending = [...sources.keys()].filter((place) => sources[place] !== place);
  while (pending.length > 0) {
    const free = pending.findIndex((place) => !pending.some((other) => sources[other] === place));
    if (free >= 0) {
      const [place] = pending.splice(free, 1) as [number];
      moves.push(sources[place]!, place);
    } else {
      const [place] = pending as [number];
      moves.push(place, spare);
      for (const other of pending) if (sources[other] === place) sources[other] = spare;
    }
  }
  return moves;
}
