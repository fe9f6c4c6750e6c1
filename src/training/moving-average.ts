import type { Device, DeviceArray } from "../runtime/device.ts";

/**
 * The exponential moving average of parameters: after step t it is d · average + (1 - d) · parameter, where d is the
 * given decay, but at most (1 + t) / (10 + t), so that what the parameters began with is soon forgotten.
 * Source: Polyak and Juditsky, 1992; the limit is that of TensorFlow's moving averages.
 */
export class MovingAverage {
  /** By address; a parameter that is not learned is its own average. */
  readonly parameters = new Map<string, DeviceArray>();
  readonly #device: Device;
  readonly #learned: ReadonlyMap<string, DeviceArray>;
  readonly #decay: number;

  constructor(
    device: Device,
    parameters: ReadonlyMap<string, DeviceArray>,
    isLearned: (address: string) => boolean,
    decay: number,
  ) {
    this.#device = device;
    this.#learned = new Map([...parameters].filter(([address]) => isLearned(address)));
    this.#decay = decay;
    for (const [address, array] of parameters) {
      this.parameters.set(address, isLearned(address) ? device.allocate("float32", array.shape) : array);
    }
  }

  /** Begins with the parameters as they are. */
  async begin(): Promise<void> {
    for (const [address, parameter] of this.#learned) {
      await this.parameters.get(address)!.write(await parameter.read());
    }
  }

  /** Takes in the parameters after a step, counted from 1. */
  async update(step: number): Promise<void> {
    const decay = Math.min(this.#decay, (1 + step) / (10 + step));
    for (const [address, parameter] of this.#learned) {
      await this.#device.interpolate(this.parameters.get(address)!, parameter, 1 - decay);
    }
  }
}
