import { QkvError } from "../util/errors.ts";

/**
 * How often each class occurs.
 * @param classes - numbers from 0 to before `classCount`; others, such as -100, are not counted
 */
export function countClasses(classes: Iterable<number>, classCount: number): number[] {
  const counts = new Array<number>(classCount).fill(0);
  for (const one of classes) if (one >= 0 && one < classCount) counts[one]!++;
  return counts;
}

/**
 * Weights that give each class the same share of the loss: n / (k · count), for n examples in k classes, so that the
 * mean over the examples is 1. Source: King and Zeng 2001; `class_weight="balanced"` of scikit-learn.
 * @param counts - how often each class occurs
 * @throws QkvError "data" where a class does not occur
 */
export function balancedClassWeights(counts: readonly number[]): number[] {
  const missing = counts.findIndex((count) => !(count > 0));
  if (missing !== -1) {
    throw new QkvError(
      "data",
      `class weights: each class must occur; got none of class ${missing}; leave it out or take equal weights`,
    );
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => total / (counts.length * count));
}
