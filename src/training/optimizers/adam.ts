import type { Optimizer } from "./optimizer.ts";

export interface AdamOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/**
 * With m and v the decaying means of the gradient and of its square, both corrected for their beginning as zeros, a
 * parameter changes by -learningRate · m / (sqrt(v) + epsilon); weight decay is decoupled (AdamW).
 * Source: Kingma and Ba, 2015; Loshchilov and Hutter, 2019.
 */
export function adam(options: AdamOptions): Optimizer<"exp_avg" | "exp_avg_sq"> {
  return {
    states: (shape) => ({ exp_avg: shape, exp_avg_sq: shape }),
    update: (device, { parameter, gradient, states }, numbers) =>
      device.adam(
        { parameter, gradient, firstMoment: states.exp_avg!, secondMoment: states.exp_avg_sq! },
        { ...options, ...numbers },
      ),
  };
}
