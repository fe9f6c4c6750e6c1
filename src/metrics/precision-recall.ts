import { QkvError } from "../util/errors.ts";

/** What a rate is where its denominator is 0. */
export type ZeroDivision = 0 | 1;

/** The ways in which the rates of labels become one: counts summed first, the mean, the mean weighted by support. */
export const averages = ["micro", "macro", "weighted"] as const;

/** One of `averages`. */
export type Average = (typeof averages)[number];

/** What was found for one label. */
export interface LabelCounts {
  /** Predicted and right. */
  readonly matched: number;
  readonly predicted: number;
  /** How often the label is right: its support. */
  readonly expected: number;
}

/** Precision, recall and F1, each 0 to 1. */
export interface Rates {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** How often the label is right; over all labels the sum. */
  readonly support: number;
}

/** `matched / predicted`, `matched / expected`, and their harmonic mean (0 where both are 0). */
export function ratesOf(counts: LabelCounts, zeroDivision: ZeroDivision): Rates {
  const precision = counts.predicted === 0 ? zeroDivision : counts.matched / counts.predicted;
  const recall = counts.expected === 0 ? zeroDivision : counts.matched / counts.expected;
  const sum = precision + recall;
  return { precision, recall, f1: sum === 0 ? 0 : (2 * precision * recall) / sum, support: counts.expected };
}

/** The rates of all labels together: their counts are summed first. */
export function microAverage(counts: readonly LabelCounts[], zeroDivision: ZeroDivision): Rates {
  return ratesOf(sumCounts(counts), zeroDivision);
}

/** The mean over labels; not-a-number where there is none. */
export function macroAverage(counts: readonly LabelCounts[], zeroDivision: ZeroDivision): Rates {
  return averageRates(counts, zeroDivision, () => 1);
}

/** The mean over labels, each weighted by its support. Without any support a rate is 0 or `zeroDivision`. */
export function weightedAverage(counts: readonly LabelCounts[], zeroDivision: ZeroDivision): Rates {
  const { predicted, expected } = sumCounts(counts);
  if (expected > 0) return averageRates(counts, zeroDivision, (label) => label.expected);
  const precision = predicted === 0 ? zeroDivision : 0;
  return { precision, recall: zeroDivision, f1: precision, support: 0 };
}

/** The value, where it is 0 or 1. */
export function requireZeroDivision(where: string, value: ZeroDivision): ZeroDivision {
  if (value === 0 || value === 1) return value;
  throw new QkvError("option", `${where}: zeroDivision is 0 or 1; got ${value}`);
}

function sumCounts(counts: readonly LabelCounts[]): LabelCounts {
  let [matched, predicted, expected] = [0, 0, 0];
  for (const label of counts) {
    matched += label.matched;
    predicted += label.predicted;
    expected += label.expected;
  }
  return { matched, predicted, expected };
}

function averageRates(
  counts: readonly LabelCounts[],
  zeroDivision: ZeroDivision,
  weigh: (label: LabelCounts) => number,
): Rates {
  let [precision, recall, f1, weights, support] = [0, 0, 0, 0, 0];
  for (const label of counts) {
    const rates = ratesOf(label, zeroDivision);
    const weight = weigh(label);
    precision += weight * rates.precision;
    recall += weight * rates.recall;
    f1 += weight * rates.f1;
    weights += weight;
    support += label.expected;
  }
  return { precision: precision / weights, recall: recall / weights, f1: f1 / weights, support };
}
