import type * as OnnxRuntime from "onnxruntime-common";
import type { DType } from "../graph/tensor.ts";
import { QkvError } from "../util/errors.ts";
import type { DeviceArray, HostArray } from "./device.ts";

/** The parts of an ONNX Runtime build that a device needs; the builds for Node.js and for browsers both fit. */
export type Engine = Pick<typeof OnnxRuntime, "InferenceSession" | "Tensor">;

export const arrayTypes = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };
export const product = (shape: readonly number[]): number => shape.reduce((left, right) => left * right, 1);

const isShared = (memory: ArrayBufferLike): boolean =>
  typeof SharedArrayBuffer !== "undefined" && memory instanceof SharedArrayBuffer;

/** Numbers in memory that other threads can see. */
export function shareable(dtype: DType, length: number): HostArray {
  const memory = new SharedArrayBuffer(length * arrayTypes[dtype].BYTES_PER_ELEMENT);
  if (dtype === "float32") return new Float32Array(memory);
  return dtype === "int32" ? new Int32Array(memory) : new Uint8Array(memory);
}

/** An array in this process's memory. */
export class CpuArray implements DeviceArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: HostArray;
  /** How often it was written to: whoever keeps a copy sees by it whether the copy is out of date. */
  version = 0;
  readonly #engine: Engine;
  #tensor: { readonly object: OnnxRuntime.Tensor; readonly data: HostArray; version: number } | undefined;

  constructor(engine: Engine, dtype: DType, shape: readonly number[], data: HostArray) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
    this.#engine = engine;
  }

  /** Whether other threads see its memory. */
  get isShared(): boolean {
    return isShared(this.data.buffer);
  }

  /** The same as the engine's object: the array itself or, since the engine takes no shared memory, a copy. */
  get tensor(): OnnxRuntime.Tensor {
    if (this.#tensor === undefined) {
      const data = this.isShared ? this.data.slice() : this.data;
      const object = new this.#engine.Tensor(this.dtype, data as Float32Array, this.shape);
      this.#tensor = { object, data, version: this.version };
    } else if (this.isShared && this.#tensor.version !== this.version) {
      this.#tensor.data.set(this.data);
      this.#tensor.version = this.version;
    }
    return this.#tensor.object;
  }

  async read(): Promise<HostArray> {
    return this.data;
  }

  async write(values: HostArray): Promise<void> {
    if (values.length !== this.data.length) {
      throw new QkvError(
        "internal",
        `array [${this.shape}]: needs ${this.data.length} values; got ${values.length}`,
      );
    }
    this.data.set(values);
    this.version++;
  }

  dispose(): void {}
}

export function onCpu(array: DeviceArray): CpuArray {
  if (array instanceof CpuArray) return array;
  throw new QkvError("internal", "an array of another device was given to the CPU");
}

export const floats = (array: DeviceArray): Float32Array => onCpu(array).data as Float32Array;

/** The numbers of an array that is about to be written to. */
export function written(array: DeviceArray): Float32Array {
  onCpu(array).version++;
  return floats(array);
}
