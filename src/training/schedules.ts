/** Learning rates as functions of the step. */
export const scheduleNames = ["inverse_sqrt", "linear", "cosine", "constant"] as const;
export type ScheduleName = (typeof scheduleNames)[number];

export interface ScheduleOptions {
  readonly name: ScheduleName;
  /** The highest rate, reached at the end of the warm-up. */
  readonly learningRate: number;
  /** The number of steps over which the rate grows from 0 in a straight line. */
  readonly warmupSteps: number;
  /** Where linear and cosine reach 0. */
  readonly maxSteps: number;
}

/**
 * The learning rate of a step, counted from 1. After the warm-up:
 * inverse_sqrt: rate · sqrt(warmup / step), the paper's (Vaswani et al., 2017, 5.3);
 * linear and cosine: down to 0 at `maxSteps`; constant: the rate.
 */
export function learningRateAt(
  step: number,
  { name, learningRate, warmupSteps, maxSteps }: ScheduleOptions,
): number {
  if (step < warmupSteps) return (learningRate * step) / warmupSteps;
  const remaining = Math.max(0, (maxSteps - step) / Math.max(1, maxSteps - warmupSteps));
  switch (name) {
    case "inverse_sqrt":
      return learningRate * Math.sqrt(Math.max(1, warmupSteps) / Math.max(1, step));
    case "linear":
      return learningRate * remaining;
    case "cosine":
      return (learningRate * (1 + Math.cos(Math.PI * (1 - remaining)))) / 2;
    case "constant":
      return learningRate;
  }
}
