import type { Device, DeviceArray } from "../../runtime/device.ts";

/** The numbers of one update that every optimizer has; `step` counts from 1. */
export interface UpdateNumbers {
  readonly step: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** The gradient is multiplied with this first: clipping, and division by the number of tokens. */
  readonly gradientScale: number;
}

/** The arrays of one parameter's update. */
export interface UpdateArrays<State extends string = string> {
  readonly parameter: DeviceArray;
  readonly gradient: DeviceArray;
  readonly states: { readonly [Name in State]?: DeviceArray };
}

/** How a parameter changes by its gradient, and what is remembered of it from step to step. */
export interface Optimizer<State extends string = string> {
  /**
   * What it remembers of a parameter of this shape: the shape of each state, by PyTorch's name. All begin as zeros.
   */
  states(shape: readonly number[]): { readonly [Name in State]?: readonly number[] };
  /** Changes the parameter and its states, in place. */
  update(device: Device, arrays: UpdateArrays<State>, numbers: UpdateNumbers): Promise<void>;
}
