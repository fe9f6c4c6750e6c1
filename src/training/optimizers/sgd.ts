import type { Optimizer } from "./optimizer.ts";

export interface SgdOptions {
  /** 0 = without. */
  readonly momentum: number;
  /** Whether the step is taken from where the momentum will have led. */
  readonly nesterov: boolean;
}

/**
 * Stochastic gradient descent, with momentum or without; weight decay is a part of the gradient, as in PyTorch.
 * Source: Sutskever et al., 2013, "On the importance of initialization and momentum in deep learning".
 */
export function sgd(options: SgdOptions): Optimizer<"momentum_buffer"> {
  return {
    states: (shape) => (options.momentum > 0 ? { momentum_buffer: shape } : {}),
    update: (device, { parameter, gradient, states }, { step: _, ...numbers }) =>
      device.sgd({ parameter, gradient, buffer: states.momentum_buffer }, { ...options, ...numbers }),
  };
}
