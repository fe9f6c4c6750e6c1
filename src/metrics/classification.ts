import { didYouMean, QkvError } from "../util/errors.ts";
import { requireKnownOptions } from "./options.ts";
import {
  type LabelCounts,
  macroAverage,
  microAverage,
  type Rates,
  ratesOf,
  requireZeroDivision,
  weightedAverage,
  type ZeroDivision,
} from "./precision-recall.ts";
import { compareCodePoints } from "./text.ts";

/** A class: its name or its number. */
export type ClassLabel = string | number;

/** How classification is scored. */
export interface ClassificationOptions<Label extends ClassLabel> {
  /** For two classes: the one whose precision, recall and F1 are reported as `binary`. Default none. */
  readonly positiveLabel?: Label | undefined;
  /**
   * What precision is for a label that was never predicted, and recall for one that never occurs. Default 0.
   */
  readonly zeroDivision?: ZeroDivision | undefined;
}

/** The rates of one class. */
export interface LabelRates<Label extends ClassLabel> extends Rates {
  readonly label: Label;
}

/** What a classifier got right. */
export interface ClassificationScore<Label extends ClassLabel> {
  /** All labels on either side, numbers by value, names by code point. The lists below follow this order. */
  readonly labels: readonly Label[];
  /** The share of right predictions, 0 to 1. */
  readonly accuracy: number;
  readonly perLabel: readonly LabelRates<Label>[];
  readonly micro: Rates;
  readonly macro: Rates;
  readonly weighted: Rates;
  /** The rates of `positiveLabel`, where one was given. */
  readonly binary: Rates | undefined;
  /** -1 to 1; 0 where one side has a single class. */
  readonly matthewsCorrelation: number;
  /** confusionMatrix[right][predicted]: how often. */
  readonly confusionMatrix: readonly (readonly number[])[];
}

/**
 * Accuracy, precision, recall, F1 and Matthews correlation of predicted classes. Equal to scikit-learn.
 *
 * Matthews correlation of any number of classes, with c right of n, t_k times class k and p_k times
 * predicted: `(c n - sum t_k p_k) / sqrt((n^2 - sum p_k^2) (n^2 - sum t_k^2))`.
 *
 * @param expected - the right class of every item
 * @param predicted - the predicted class of every item
 * @throws QkvError "data" for unequal or zero numbers of items, or numbers mixed with names
 */
export function scoreClassification<Label extends ClassLabel>(
  expected: readonly Label[],
  predicted: readonly Label[],
  options: ClassificationOptions<Label> = {},
): ClassificationScore<Label> {
  requireKnownOptions("scoreClassification", options, ["positiveLabel", "zeroDivision"]);
  const zeroDivision = requireZeroDivision("scoreClassification", options.zeroDivision ?? 0);
  requireItems("scoreClassification", expected, predicted);
  const labels = sortLabels([...new Set([...expected, ...predicted])]);
  const matrix = countConfusions(labels, expected, predicted);
  const counts = labels.map((_, index): LabelCounts => {
    const columnSum = matrix.reduce((sum, row) => sum + row[index]!, 0);
    const rowSum = matrix[index]!.reduce((sum, count) => sum + count, 0);
    return { matched: matrix[index]![index]!, predicted: columnSum, expected: rowSum };
  });
  const right = counts.reduce((sum, { matched }) => sum + matched, 0);
  return {
    labels,
    accuracy: right / expected.length,
    perLabel: counts.map((count, index) => ({ label: labels[index]!, ...ratesOf(count, zeroDivision) })),
    micro: microAverage(counts, zeroDivision),
    macro: macroAverage(counts, zeroDivision),
    weighted: weightedAverage(counts, zeroDivision),
    binary: rateBinary(labels, counts, options.positiveLabel, zeroDivision),
    matthewsCorrelation: correlateMatthews(counts, expected.length),
    confusionMatrix: matrix,
  };
}

/**
 * How many predicted classes are right; over their number it is the accuracy. For any number of classes, where the
 * confusion matrix of `scoreClassification` would be large.
 * @throws QkvError "data" for unequal or zero numbers of items
 */
export function countRight(expected: readonly ClassLabel[], predicted: readonly ClassLabel[]): number {
  requireItems("countRight", expected, predicted);
  return expected.filter((label, item) => label === predicted[item]).length;
}

function requireItems(
  where: string,
  expected: readonly ClassLabel[],
  predicted: readonly ClassLabel[],
): void {
  if (expected.length !== predicted.length) {
    const rule = `${where}: every item has a right and a predicted class`;
    throw new QkvError(
      "data",
      `${rule}; got ${expected.length} right and ${predicted.length} predicted ones`,
    );
  }
  if (expected.length === 0) throw new QkvError("data", `${where}: needs at least one item; got none`);
}

function sortLabels<Label extends ClassLabel>(labels: Label[]): Label[] {
  if (new Set(labels.map((label) => typeof label)).size > 1) {
    throw new QkvError("data", "scoreClassification: classes are all numbers or all names; got both");
  }
  return labels.sort((left, right) =>
    typeof left === "number" ? left - Number(right) : compareCodePoints(left, String(right)),
  );
}

function countConfusions<Label extends ClassLabel>(
  labels: readonly Label[],
  expected: readonly Label[],
  predicted: readonly Label[],
): number[][] {
  const indices = new Map(labels.map((label, index) => [label, index]));
  const matrix = labels.map(() => labels.map(() => 0));
  for (const [item, label] of expected.entries()) {
    matrix[indices.get(label)!]![indices.get(predicted[item]!)!]!++;
  }
  return matrix;
}

function rateBinary<Label extends ClassLabel>(
  labels: readonly Label[],
  counts: readonly LabelCounts[],
  positive: Label | undefined,
  zeroDivision: ZeroDivision,
): Rates | undefined {
  if (positive === undefined) return undefined;
  if (labels.length > 2) {
    const rule = "scoreClassification: positiveLabel goes with two classes";
    throw new QkvError("option", `${rule}; got ${labels.length}; leave it out and take an average`);
  }
  const index = labels.indexOf(positive);
  // With a single class on both sides the positive one may be the one that is missing.
  if (index < 0 && labels.length === 2) {
    const rule = `scoreClassification: positiveLabel is one of ${labels.join(", ")}`;
    throw new QkvError(
      "option",
      `${rule}; got ${positive}${didYouMean(String(positive), labels.map(String))}`,
    );
  }
  return ratesOf(counts[index] ?? { matched: 0, predicted: 0, expected: 0 }, zeroDivision);
}

function correlateMatthews(counts: readonly LabelCounts[], items: number): number {
  let [right, both, predictedSquares, expectedSquares] = [0, 0, 0, 0];
  for (const { matched, predicted, expected } of counts) {
    right += matched;
    both += predicted * expected;
    predictedSquares += predicted * predicted;
    expectedSquares += expected * expected;
  }
  const spread = (items * items - predictedSquares) * (items * items - expectedSquares);
  return spread === 0 ? 0 : (right * items - both) / Math.sqrt(spread);
}
