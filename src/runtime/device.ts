import type { Dim } from "../graph/dims.ts";
import type { DType, Tensor } from "../graph/tensor.ts";
import type { CacheShape, KeyValueCache } from "./key-value-cache.ts";
import type { AdafactorUpdate, SgdUpdate } from "./optimizer-kernels.ts";

export type { AdafactorUpdate, SgdUpdate } from "./optimizer-kernels.ts";

/** Numbers in the memory of this process. Truth values are bytes. */
export type HostArray = Float32Array | Int32Array | Uint8Array;

/** Numbers in the memory of a device, which may be this process's or a GPU's. */
export interface DeviceArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The values, in this process's memory; on the CPU a view, so copy what must outlive the next run. */
  read(): Promise<HostArray>;
  write(values: HostArray): Promise<void>;
  dispose(): void;
}

/** What a program is fed: numbers of this process with their shape, or an array of the device. */
export type Feed = { readonly data: HostArray; readonly shape: readonly number[] } | DeviceArray;

/** On what the random masks of a run depend, besides their addresses. */
export interface RunRandomness {
  readonly seed: number;
  readonly step: number;
}

/** A graph compiled for a device. */
export interface Program {
  /** What it wants to be fed. */
  readonly inputNames: readonly string[];
  /** The addresses of the parameters it reads. */
  readonly parameterAddresses: readonly string[];
  /**
   * Runs it. The arrays in the result belong to the caller.
   * @param inputs - by name; all of `inputNames`.
   * @param parameters - by address; all of `parameterAddresses`.
   */
  run(
    inputs: Readonly<Record<string, Feed>>,
    parameters: ReadonlyMap<string, DeviceArray>,
    randomness?: RunRandomness,
  ): Promise<Map<string, DeviceArray>>;
  dispose(): Promise<void>;
}

/** Values that become part of a compiled program; the engine may then lay them out as it likes best. */
export type FixedParameters = (address: string, dims: readonly Dim[]) => FixedParameter | undefined;
export type FixedParameter =
  | { readonly data: Float32Array }
  | { readonly location: string; readonly offset: number; readonly length: number };

export interface CompileOptions {
  readonly fixedParameters?: FixedParameters;
  /** The folder that file locations of fixed parameters are relative to. */
  readonly folder?: string;
  /**
   * Whether the engine lays fixed parameters out anew: faster to run, but a copy in memory of what could stay in its
   * file. Default: the device's own.
   */
  readonly prepacking?: boolean;
  /**
   * The symbolic length of the axis of independent examples, e.g. "batch", where every output is a sum over them: the
   * device may then cut a batch into parts, compute them side by side and add up. The axis must be the first of every
   * input and mask that has it. The result has the same bits on any number of threads.
   */
  readonly examples?: string;
}

/** One parameter of an update, with what the optimizer remembers of it. */
export interface AdamState {
  readonly parameter: DeviceArray;
  readonly gradient: DeviceArray;
  readonly firstMoment: DeviceArray;
  readonly secondMoment: DeviceArray;
}

/** The numbers of one Adam update; `step` counts from 1. */
export interface AdamUpdate {
  readonly step: number;
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled (AdamW): the parameter shrinks by learningRate · weightDecay. */
  readonly weightDecay: number;
  /** The gradient is multiplied with this first: clipping, and division by the number of tokens. */
  readonly gradientScale: number;
}

/** The same for Adafactor: `rows` and `columns` for a matrix, else `secondMoment`; `firstMoment` where beta1 is given. */
export interface AdafactorState {
  readonly parameter: DeviceArray;
  readonly gradient: DeviceArray;
  readonly rows?: DeviceArray | undefined;
  readonly columns?: DeviceArray | undefined;
  readonly secondMoment?: DeviceArray | undefined;
  readonly firstMoment?: DeviceArray | undefined;
}

/** The same for stochastic gradient descent; `buffer` where there is momentum. */
export interface SgdState {
  readonly parameter: DeviceArray;
  readonly gradient: DeviceArray;
  readonly buffer?: DeviceArray | undefined;
}

/** Where programs run and arrays live. */
export interface Device {
  /** Names the engine, its version and its settings, e.g. "onnxruntime-node 1.30.0, cpu, 2 threads". */
  readonly description: string;
  readonly threads: number;
  allocate(dtype: DType, shape: readonly number[]): DeviceArray;
  /** An empty cache of keys or values, with room for at least `capacity` positions. */
  createCache(shape: CacheShape, capacity: number): KeyValueCache;
  compile(outputs: ReadonlyMap<string, Tensor>, options?: CompileOptions): Promise<Program>;
  /** Some rows of the first axis, in the given order, as a new array. */
  selectRows(array: DeviceArray, rows: readonly number[]): DeviceArray;
  /** target += source, element by element. */
  accumulate(target: DeviceArray, source: DeviceArray): Promise<void>;
  /** The sum of the squares of all elements, in double precision. */
  sumOfSquares(arrays: readonly DeviceArray[]): Promise<number>;
  /**
   * One step of Adam (with decoupled weight decay, AdamW), in place. The gradient is used up: its numbers are gone
   * afterwards. Several may be under way at once. Source: Loshchilov and Hutter, 2019.
   */
  adam(state: AdamState, update: AdamUpdate): Promise<void>;
  /** One step of Adafactor, in place. Source: Shazeer and Stern, 2018. */
  adafactor(state: AdafactorState, update: AdafactorUpdate): Promise<void>;
  /** One step of stochastic gradient descent, in place. */
  sgd(state: SgdState, update: SgdUpdate): Promise<void>;
  /** target += weight · (source - target), element by element. */
  interpolate(target: DeviceArray, source: DeviceArray, weight: number): Promise<void>;
  dispose(): Promise<void>;
}
