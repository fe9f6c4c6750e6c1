import type * as OnnxRuntime from "onnxruntime-common";
import type { DType } from "../graph/tensor.ts";
import { QkvError } from "../util/errors.ts";
import type { RandomKey } from "../util/random.ts";
import { type Engine, product } from "./cpu-array.ts";
import type { HostArray } from "./device.ts";
import type { VectorKernels } from "./vector-kernels.ts";

/** Numbers with their shape and type, as one thread can send them to another. */
export interface PlainArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: HostArray;
}

/** A dropout mask to be filled: a stretch of the mask that belongs to the key. */
export interface MaskOrder {
  readonly name: string;
  readonly shape: readonly number[];
  readonly rate: number;
  readonly key: RandomKey;
  /** Where in the whole mask this stretch begins, in elements. */
  readonly first: number;
}

/** A session of the engine, with memory for the masks of its runs. */
export class EngineSession {
  readonly #engine: Engine;
  readonly #kernels: VectorKernels;
  readonly #session: OnnxRuntime.InferenceSession;
  readonly #masks = new Map<string, Float32Array>();

  private constructor(engine: Engine, kernels: VectorKernels, session: OnnxRuntime.InferenceSession) {
    this.#engine = engine;
    this.#kernels = kernels;
    this.#session = session;
  }

  /** @throws QkvError "device" if the engine refuses the program. */
  static async open(
    engine: Engine,
    kernels: VectorKernels,
    bytes: Uint8Array,
    options: OnnxRuntime.InferenceSession.SessionOptions,
  ): Promise<EngineSession> {
    try {
      return new EngineSession(engine, kernels, await engine.InferenceSession.create(bytes, options));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new QkvError("device", `engine: refused a program of ours; ${reason}`, { cause });
    }
  }

  /** @param given - every input but the masks, by the engine's names; the result is by its names too. */
  async run(
    given: Readonly<Record<string, OnnxRuntime.Tensor>>,
    masks: readonly MaskOrder[],
  ): Promise<Record<string, PlainArray>> {
    const feeds: Record<string, OnnxRuntime.Tensor> = { ...given };
    for (const { name, shape, rate, key, first } of masks) {
      const mask = this.#maskOf(name, product(shape));
      this.#kernels.fillDropoutMask(mask, rate, key, first);
      feeds[name] = new this.#engine.Tensor("float32", mask, shape);
    }
    const results: Record<string, PlainArray> = {};
    for (const [name, { type, dims, data }] of Object.entries(await this.#session.run(feeds))) {
      results[name] = { dtype: type as DType, shape: dims, data: data as HostArray };
    }
    return results;
  }

  /** Memory for a mask, kept from run to run and only ever made larger. */
  #maskOf(name: string, length: number): Float32Array {
    let memory = this.#masks.get(name);
    if (memory === undefined || memory.length < length) {
      memory = new Float32Array(length + (length >> 2));
      this.#masks.set(name, memory);
    }
    return memory.subarray(0, length);
  }

  dispose(): Promise<void> {
    return this.#session.release();
  }
}
