import { input } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { KeyValueSizes } from "../models/generative.ts";
import type { KeysAndValues } from "../nn/attention.ts";
import type { Device, DeviceArray, Feed } from "../runtime/device.ts";
import type { KeyValueCache } from "../runtime/key-value-cache.ts";

const forbidden = -1e9;
const firstCapacity = 16;

export const keyName = (layer: number): string => `keys.${layer}`;
export const valueName = (layer: number): string => `values.${layer}`;

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

/** Keys and values of what a batch of sequences generated, for each layer and hypothesis; all are equally long. */
export class HypothesisCaches {
  readonly #caches = new Map<string, KeyValueCache>();
  #pastMask = new Float32Array(0);
  #length = 0;

  constructor(device: Device, model: KeyValueSizes, batch: number, beams: number) {
    const shape = { batch, heads: model.headCount, beams, headDim: model.headDim };
    for (const name of namesOf(model.layerCount)) {
      this.#caches.set(name, device.createCache(shape, firstCapacity));
    }
  }

  /** How many tokens lie in them. */
  get length(): number {
    return this.#length;
  }

  feeds(): Record<string, Feed> {
    const capacity = this.#caches.values().next().value!.capacity;
    if (this.#pastMask.length !== capacity) this.#pastMask = new Float32Array(capacity);
    this.#pastMask.fill(0, 0, this.#length).fill(forbidden, this.#length);
    const feeds: Record<string, Feed> = { pastMask: { data: this.#pastMask, shape: [capacity] } };
    for (const [name, cache] of this.#caches) feeds[`past.${name}`] = cache.array;
    return feeds;
  }

  /** Keeps a new token's keys and values. @param results - of a step, with `keyValueOutputs` */
  append(results: ReadonlyMap<string, DeviceArray>): void {
    for (const [name, cache] of this.#caches) cache.append(results.get(name)!, this.#length);
    this.#length++;
  }

  /** Hypothesis i of a sequence goes on from its hypothesis parents[i]. */
  reorder(parents: Int32Array): void {
    for (const cache of this.#caches.values()) cache.reorder(parents, this.#length);
  }

  /** Keeps only these sequences. */
  select(sequences: readonly number[]): void {
    for (const cache of this.#caches.values()) cache.select(sequences);
  }
}
