import type { Measured } from "./run-events.ts";

/** By which metric models are compared. */
interface Choice {
  readonly training: { readonly metric_for_best_model: string };
}

/** Metrics that are the better the smaller they are; all others are the better the greater. */
const lessIsBetter = ["loss", "perplexity", "bits_per_byte"];

/** What a model is compared by; undefined where it was not measured, or is no number. */
export function chosenMetric({ training }: Choice, measured: Measured | undefined): number | undefined {
  if (measured === undefined) return undefined;
  const { metric_for_best_model: name } = training;
  const value = name === "loss" ? measured.loss : measured.metrics[name];
  return Number.isFinite(value) ? value : undefined;
}

export function isBetter({ training }: Choice, value: number, than: number): boolean {
  return lessIsBetter.includes(training.metric_for_best_model) ? value < than : value > than;
}

/** Whether the mean of the last checkpoints is kept instead of the best of them: unless that one is better. */
export function keepsMean(choice: Choice, mean: number | undefined, best: number | undefined): boolean {
  return mean === undefined || best === undefined || !isBetter(choice, best, mean);
}
