import type * as OnnxRuntime from "onnxruntime-common";
import { type CpuArray, onCpu, shareable } from "./cpu-array.ts";
import type { AdamUpdate, DeviceArray } from "./device.ts";
import type { MaskOrder, PlainArray } from "./engine-session.ts";

/**
 * A second thread that runs the same program on another part of a batch, at the same time as the thread that owns
 * the program. Two sessions of one thread each do more than one session of two: nothing waits for the slower half of
 * each operator, and what an engine does on one thread only (many small operators) is done on both.
 */
export interface Lane {
  run(part: LaneRun): Promise<LaneResults>;
  dispose(): Promise<void>;
}

/** The engine's outputs, by its names. */
export type LaneResults = Readonly<Record<string, PlainArray>>;

/** What a lane is told of a run. */
export interface LaneRun {
  readonly inputs: Readonly<Record<string, PlainArray>>;
  readonly masks: readonly MaskOrder[];
  /** The parameters that have changed since the lane's last run, in memory that both threads see. */
  readonly changed: Readonly<Record<string, PlainArray>>;
}

/** The program that a lane runs. */
export interface LaneSetup {
  readonly bytes: Uint8Array;
  readonly options: OnnxRuntime.InferenceSession.SessionOptions;
}

/** Opens the threads that help a device. */
export interface Helpers {
  openLane(setup: LaneSetup): Promise<Lane>;
  openKernels(): KernelThread;
}

/** A thread that updates parameters while its owner updates others. */
export interface KernelThread {
  /** One step of Adam, in place; all but the gradient must lie in shared memory, and the gradient's is taken. */
  adam(state: AdamArrays, update: AdamUpdate): Promise<void>;
  dispose(): Promise<void>;
}

export interface AdamArrays {
  readonly parameter: Float32Array;
  readonly gradient: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
}

/** Makes parameters visible to a lane. */
export class SharedParameters {
  readonly #seen = new Map<string, { array: CpuArray; version: number; shared: PlainArray }>();

  /** Those that have changed since the last call: the parameters themselves where they are shared, else copies. */
  update(
    addresses: Iterable<string>,
    parameters: ReadonlyMap<string, DeviceArray>,
  ): Record<string, PlainArray> {
    const changed: Record<string, PlainArray> = {};
    for (const name of addresses) {
      const array = onCpu(parameters.get(name)!);
      const seen = this.#seen.get(name);
      if (seen?.array === array && seen.version === array.version) continue;
      const shared = array.isShared
        ? array
        : (seen?.shared ?? { ...array, data: shareable(array.dtype, array.data.length) });
      if (!array.isShared) shared.data.set(array.data);
      this.#seen.set(name, { array, version: array.version, shared });
      changed[name] = { dtype: array.dtype, shape: array.shape, data: shared.data };
    }
    return changed;
  }
}
