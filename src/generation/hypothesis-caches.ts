import { input } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { KeyValueSizes } from "../models/generative.ts";
import type { KeysAndValues } from "../nn/attention.ts";
import type { Device, DeviceArray, Feed } from "../runtime/device.ts";
import type { KeyValueCache } from "../runtime/key-value-cache.ts";

const forbidden = -1e9;
const firstCapacity = 16;

const keyName = (layer: number): string => `keys.${layer}`;
const valueName = (layer: number): string => `values.${layer}`;

/** Whether an output of a program is one of `keyValueOutputs`. */
export const isKeyValueName = (name: string): boolean => /^(keys|values)\.\d+$/.test(name);

const namesOf = (layerCount: number): string[] =>
  Array.from({ length: layerCount }, (_, layer) => [keyName(layer), valueName(layer)]).flat();

/** Keys and values of each layer as inputs of a program: `group.keys.0`, `group.values.0` and so on. */
export function keyValueInputs(group: string, layerCount: number, dims: readonly Dim[]): KeysAndValues[] {
  return Array.from({ length: layerCount }, (_, layer) => ({
    keys: input(`${group}.${keyName(layer)}`, dims),
    values: input(`${group}.${valueName(layer)}`, dims),
  }));
}

/** Keys and values of each layer as outputs of a program. */
export function keyValueOutputs(layers: readonly KeysAndValues[]): Map<string, Tensor> {
  return new Map(
    layers.flatMap(({ keys, values }, layer): [string, Tensor][] => [
      [keyName(layer), keys],
      [valueName(layer), values],
    ]),
  );
}

/** The inputs of a step that a `HypothesisCaches` feeds: the past of each layer, and its mask. */
export function pastInputs(model: KeyValueSizes, beams: number): { past: KeysAndValues[]; pastMask: Tensor } {
  const dims = [
    dim("batch"),
    dim("head", model.headCount),
    dim("query", beams),
    dim("past"),
    dim("headDim", model.headDim),
  ];
  return { past: keyValueInputs("past", model.layerCount, dims), pastMask: input("pastMask", [dim("past")]) };
}

/** A token that was written to the caches, and the one that it goes on from. */
interface Written {
  readonly before: Written | undefined;
}

/** Keys and values of what a batch of sequences generated, for each layer and hypothesis; all are equally long. */
export class HypothesisCaches {
  readonly #caches = new Map<string, KeyValueCache>();
  readonly #hypotheses: number;
  /** For each hypothesis its last token; two that go on from the same one share it. */
  #last: Written[];
  #pastMask = new Float32Array(0);
  #length = 0;

  constructor(device: Device, model: KeyValueSizes, batch: number, hypotheses: number) {
    const shape = { batch, heads: model.headCount, beams: hypotheses, headDim: model.headDim };
    for (const name of namesOf(model.layerCount)) {
      this.#caches.set(name, device.createCache(shape, firstCapacity));
    }
    this.#hypotheses = hypotheses;
    this.#last = Array.from({ length: batch * hypotheses }, () => ({ before: undefined }));
  }

  /** How many tokens lie in them. */
  get length(): number {
    return this.#length;
  }

  /** Whether one more token makes them grow. */
  get isFull(): boolean {
    return this.#length === this.#capacity;
  }

  get #capacity(): number {
    return this.#caches.values().next().value!.capacity;
  }

  feeds(): Record<string, Feed> {
    const capacity = this.#capacity;
    if (this.#pastMask.length !== capacity) this.#pastMask = new Float32Array(capacity);
    this.#pastMask.fill(0, 0, this.#length).fill(forbidden, this.#length);
    const feeds: Record<string, Feed> = { pastMask: { data: this.#pastMask, shape: [capacity] } };
    for (const [name, cache] of this.#caches) feeds[`past.${name}`] = cache.array;
    return feeds;
  }

  /** Keeps a new token's keys and values. @param results - of a step, with `keyValueOutputs` */
  append(results: ReadonlyMap<string, DeviceArray>): void {
    for (const [name, cache] of this.#caches) cache.append(results.get(name)!, this.#length);
    this.#last = this.#last.map((before) => ({ before }));
    this.#length++;
  }

  /** Hypothesis i of a sequence goes on from its hypothesis parents[i]. */
  reorder(parents: Int32Array): void {
    for (const cache of this.#caches.values()) cache.reorder(parents, this.#length);
    this.#last = this.#last.map((_, row) => this.#last[row - (row % this.#hypotheses) + parents[row]!]!);
  }

  /** Keeps only these sequences. */
  select(sequences: readonly number[]): void {
    for (const cache of this.#caches.values()) cache.select(sequences);
    this.#last = sequences.flatMap((sequence) =>
      this.#last.slice(sequence * this.#hypotheses, (sequence + 1) * this.#hypotheses),
    );
  }

  /** With how many tokens all hypotheses of each sequence begin alike. */
  commonLength(): number {
    let tokens = this.#last;
    for (let length = this.#length; length > 0; length--) {
      const alike = tokens.every((token, row) => token === tokens[row - (row % this.#hypotheses)]);
      if (alike) return length;
      tokens = tokens.map((token) => token.before!);
    }
    return 0;
  }

  /**
   * Takes out tokens with which all hypotheses of each sequence begin, so that one copy of them will do.
   * @param before - keys and values: [batch, head, key, headDim] each
   * @param nameOf - how `before` calls what `keyValueOutputs` calls by a name
   * @returns `before` and behind it what was taken out
   */
  takeCommon(
    before: ReadonlyMap<string, DeviceArray>,
    count: number,
    nameOf: (name: string) => string = (name) => name,
  ): Map<string, DeviceArray> {
    const joined = new Map<string, DeviceArray>();
    for (const [name, cache] of this.#caches) {
      const own = nameOf(name);
      joined.set(own, cache.takeCommon(before.get(own)!, count, this.#length));
    }
    this.#length -= count;
    return joined;
  }
}
