import { floats, onCpu, written } from "./cpu-array.ts";
import type { AdamState, AdamUpdate } from "./device.ts";
import type { Helpers, KernelThread } from "./lane.ts";
import type { VectorKernels } from "./vector-kernels.ts";

/** Arrays shorter than this are updated here: sending them to another thread takes as long. */
const shortest = 65_536;

/** Updates of parameters, about half of them in a second thread where there is one. */
export class ParallelUpdates {
  readonly #kernels: VectorKernels;
  readonly #helpers: Helpers | undefined;
  #thread: KernelThread | undefined;
  /** How many numbers have been sent to the other thread and not come back, and how many were updated here since. */
  #there = 0;
  #here = 0;

  constructor(kernels: VectorKernels, helpers: Helpers | undefined) {
    this.#kernels = kernels;
    this.#helpers = helpers;
  }

  /** One step of Adam, see `Device`. */
  async adam(
    { parameter, gradient, firstMoment, secondMoment }: AdamState,
    update: AdamUpdate,
  ): Promise<void> {
    const changed = [parameter, firstMoment, secondMoment];
    const arrays = {
      parameter: written(parameter),
      gradient: floats(gradient),
      firstMoment: written(firstMoment),
      secondMoment: written(secondMoment),
    };
    const { length } = arrays.parameter;
    const whole = arrays.gradient.byteLength === arrays.gradient.buffer.byteLength;
    const movable = length >= shortest && whole && changed.every((array) => onCpu(array).isShared);
    if (this.#helpers === undefined || !movable || this.#there > this.#here) {
      this.#here += length;
      this.#kernels.adam(arrays.parameter, arrays.gradient, arrays.firstMoment, arrays.secondMoment, update);
      return;
    }
    this.#there += length;
    this.#thread ??= this.#helpers.openKernels();
    await this.#thread.adam(arrays, update);
    this.#there = this.#here = 0;
  }

  async dispose(): Promise<void> {
    await this.#thread?.dispose();
  }
}
