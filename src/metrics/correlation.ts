import { QkvError } from "../util/errors.ts";

/**
 * Pearson correlation of two lists of numbers, `sum dx dy / sqrt(sum dx^2 sum dy^2)` of the deviations from
 * the mean: -1 to 1, not-a-number where one list is constant. Equal to scipy's `pearsonr`.
 *
 * @throws QkvError "data" for unequal numbers of values, fewer than two, or a value that is not finite
 */
export function pearsonCorrelation(left: readonly number[], right: readonly number[]): number {
  requirePairs("pearsonCorrelation", left, right);
  const leftDirection = directionOf(left);
  const rightDirection = directionOf(right);
  const product = leftDirection.reduce((sum, value, index) => sum + value * rightDirection[index]!, 0);
  return Math.max(-1, Math.min(1, product));
}

/**
 * Spearman correlation: the Pearson correlation of the ranks. Equal to scipy's `spearmanr`.
 *
 * @throws QkvError "data" as `pearsonCorrelation`
 */
export function spearmanCorrelation(left: readonly number[], right: readonly number[]): number {
  requirePairs("spearmanCorrelation", left, right);
  return pearsonCorrelation(ranksOf(left), ranksOf(right));
}

/** The rank of every value, 1 for the smallest; equal values share the mean of their ranks. */
export function ranksOf(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((left, right) => values[left]! - values[right]!);
  const ranks = new Array<number>(values.length).fill(0);
  for (let first = 0; first < order.length; ) {
    let end = first + 1;
    while (end < order.length && values[order[end]!] === values[order[first]!]) end++;
    for (let place = first; place < end; place++) ranks[order[place]!] = (first + 1 + end) / 2;
    first = end;
  }
  return ranks;
}

/** The deviations from the mean, divided by their length; not-a-number where all values are equal. */
function directionOf(values: readonly number[]): number[] {
  if (values.every((value) => value === values[0])) return values.map(() => Number.NaN);
  const mean = values.reduce((sum, value) => sum + value / values.length, 0);
  const deviations = values.map((value) => value - mean);
  // Scaled first, so that the squares of very large or small values do not leave the range of a double.
  const largest = deviations.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scaled = deviations.map((value) => value / largest);
  const length = Math.sqrt(scaled.reduce((sum, value) => sum + value * value, 0));
  return scaled.map((value) => value / length);
}

function requirePairs(where: string, left: readonly number[], right: readonly number[]): void {
  if (left.length !== right.length) {
    throw new QkvError(
      "data",
      `${where}: takes pairs of numbers; got ${left.length} and ${right.length} values`,
    );
  }
  if (left.length < 2) throw new QkvError("data", `${where}: needs at least two pairs; got ${left.length}`);
  for (const values of [left, right]) {
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw new QkvError("data", `${where}: values are finite; got ${values[bad]} in pair ${bad + 1}`);
  }
}
