import type { Optimizer } from "./optimizer.ts";

export interface AdafactorOptions {
  /** Whether the step size is scaled by the parameter's root mean square, as in the paper. */
  readonly scaleParameter: boolean;
  /** How the first moment forgets; undefined = none, which saves its memory. */
  readonly beta1?: number | undefined;
  /** The second moment forgets as 1 - step^decayRate. Default: -0.8. */
  readonly decayRate?: number;
  /** A change whose root mean square is greater is scaled down to it. Default: 1. */
  readonly clipThreshold?: number;
  /** Added to the squared gradient, and the least root mean square of a parameter. Default: 1e-30 and 1e-3. */
  readonly epsilon?: readonly [ofGradient: number, ofParameter: number];
}

type State = "exp_avg" | "exp_avg_sq" | "exp_avg_sq_row" | "exp_avg_sq_col";

/**
 * Remembers of a matrix's squared gradients only the means of rows and columns. The paper's relative step size is a
 * matter of the schedule: it is `relative_step` of schedules.ts.
 * Source: Shazeer and Stern, 2018, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost".
 */
export function adafactor(options: AdafactorOptions): Optimizer<State> {
  const { scaleParameter, beta1, decayRate = -0.8, clipThreshold = 1, epsilon = [1e-30, 1e-3] } = options;
  const [ofGradient, ofParameter] = epsilon;
  const leastScale = scaleParameter ? ofParameter : undefined;
  return {
    states: (shape) => ({
      ...(beta1 !== undefined && { exp_avg: shape }),
      ...(shape.length === 2
        ? { exp_avg_sq_row: shape.slice(0, 1), exp_avg_sq_col: shape.slice(1) }
        : { exp_avg_sq: shape }),
    }),
    update: (device, { parameter, gradient, states }, numbers) =>
      device.adafactor(
        {
          parameter,
          gradient,
          rows: states.exp_avg_sq_row,
          columns: states.exp_avg_sq_col,
          secondMoment: states.exp_avg_sq,
          firstMoment: states.exp_avg,
        },
        { ...numbers, decayRate, clipThreshold, epsilon: ofGradient, leastScale, beta1 },
      ),
  };
}
