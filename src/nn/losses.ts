import {
  add,
  cast,
  divide,
  equal,
  exp,
  expand,
  log,
  max,
  multiply,
  negate,
  not,
  range,
  relu,
  scalar,
  sqrt,
  subtract,
  sum,
  vocabularyLoss,
} from "../graph/build.ts";
import type { Tensor } from "../graph/tensor.ts";

/** A loss summed over everything that counts, how many things count, and the mean. */
export interface MeanLoss {
  readonly sum: Tensor;
  readonly count: Tensor;
  readonly mean: Tensor;
}

/** The label of what does not count. */
export const ignoredLabel = -100;

const meanOf = (total: Tensor, count: Tensor): MeanLoss => ({
  sum: total,
  count,
  mean: divide(total, count),
});
const sumOfAll = (x: Tensor): Tensor =>
  sum(
    x,
    x.dims.map((axis) => axis.name),
  );
const countOf = (truths: Tensor): Tensor => sumOfAll(cast(truths, "float32"));

/**
 * The cross-entropy of classes whose scores are a linear layer of x; the scores of all rows need not exist at once.
 * @param x - [..., model] @param output - weight [classes, model], bias [classes]
 * @param labels - [...], -100 where a row does not count
 * @param labelSmoothing - the share of the wanted probability that all classes have alike
 */
export function classCrossEntropy(
  x: Tensor,
  output: { readonly weight: Tensor; readonly bias?: Tensor },
  labels: Tensor,
  labelSmoothing = 0,
): MeanLoss {
  const options = { labelSmoothing, ignoreId: ignoredLabel };
  const total = vocabularyLoss(x, output.weight, labels, output.bias, options);
  return meanOf(total, countOf(not(equal(labels, scalar(ignoredLabel, "int32")))));
}

/**
 * The cross-entropy of one place in a sequence; a place outside it does not count.
 * @param scores - [batch, sequence] @param places - [batch]
 */
export function placeCrossEntropy(scores: Tensor, places: Tensor): MeanLoss {
  const sequence = scores.dims[1]!;
  const isPlace = cast(equal(expand(range(sequence), scores.dims), places), "float32");
  const highest = wholeNumberNearMax(scores, sequence.name);
  const logSum = add(log(sum(exp(subtract(scores, highest)), [sequence.name])), highest);
  const total = sumOfAll(multiply(isPlace, subtract(logSum, scores)));
  return meanOf(total, sumOfAll(isPlace));
}

/**
 * The cross-entropy of rows that count differently; the mean is divided by the sum of the weights.
 * @param scores - [..., label] @param labels - [...], each below the number of labels, or any number where the weight
 * is 0 @param weights - [...]
 */
export function weightedCrossEntropy(scores: Tensor, labels: Tensor, weights: Tensor): MeanLoss {
  const axis = scores.dims.at(-1)!;
  const isLabel = cast(equal(expand(range(axis), scores.dims), labels), "float32");
  const perRow = negate(sum(multiply(isLabel, logSoftmax(scores, axis.name)), [axis.name]));
  return meanOf(sumOfAll(multiply(perRow, weights)), sumOfAll(weights));
}

/**
 * The binary cross-entropy of each class by itself:
 * -(y · log(sigmoid(x)) + (1 - y) · log(1 - sigmoid(x))) = max(x, 0) - x · y + log(1 + exp(-|x|)).
 * @param scores - [batch, label] @param targets - the same, from 0 to 1
 */
export function binaryCrossEntropy(scores: Tensor, targets: Tensor): MeanLoss {
  const above = relu(scores);
  const magnitude = add(above, relu(negate(scores)));
  const tail = log(add(exp(negate(magnitude)), 1));
  const losses = add(subtract(above, multiply(scores, targets)), tail);
  return meanOf(sumOfAll(losses), sizeOf(scores));
}

/** The squared error of each number. @param scores - [batch, label] @param targets - the same */
export function squaredError(scores: Tensor, targets: Tensor): MeanLoss {
  const difference = subtract(scores, targets);
  return meanOf(sumOfAll(multiply(difference, difference)), sizeOf(scores));
}

/** How many elements a value has. */
function sizeOf(x: Tensor): Tensor {
  return sumOfAll(expand(scalar(1), x.dims));
}

/**
 * How far probabilities are from those of a teacher, summed over rows that count:
 * T² · Σ p · (log p - log q), where p = softmax(teacher / T) and q = softmax(scores / T).
 * @param scores - [..., axis] @param teacher - the same; no gradient flows into it
 * @param weights - [...]: 1 where a row counts, 0 where not
 * Source: Hinton, Vinyals and Dean, 2015, 2.
 */
export function distillationLoss(
  scores: Tensor,
  teacher: Tensor,
  axis: string,
  temperature: number,
  weights: Tensor,
): MeanLoss {
  const soft = (x: Tensor) => logSoftmax(multiply(x, 1 / temperature), axis);
  const wanted = soft(teacher);
  const perRow = sum(multiply(exp(wanted), subtract(wanted, soft(scores))), [axis]);
  return meanOf(multiply(sumOfAll(multiply(perRow, weights)), temperature ** 2), sumOfAll(weights));
}

/**
 * 1 - cosine of two vectors, summed over rows that count.
 * @param x - [..., axis] @param target - the same @param weights - [...]: 1 where a row counts, 0 where not
 */
export function cosineLoss(x: Tensor, target: Tensor, axis: string, weights: Tensor): MeanLoss {
  const cosine = sum(multiply(unitVectors(x, axis), unitVectors(target, axis)), [axis]);
  return meanOf(sumOfAll(multiply(subtract(1, cosine), weights)), sumOfAll(weights));
}

/** Vectors along an axis, brought to length 1. */
export function unitVectors(x: Tensor, axis: string): Tensor {
  return divide(x, sqrt(add(sum(multiply(x, x), [axis]), 1e-12)));
}

/** log(softmax(x)) along an axis. */
function logSoftmax(x: Tensor, axis: string): Tensor {
  const centred = subtract(x, wholeNumberNearMax(x, axis));
  return subtract(centred, log(sum(exp(centred), [axis])));
}

/** Any number near the largest keeps exp within range; a whole one, since no gradient flows through it. */
function wholeNumberNearMax(x: Tensor, axis: string): Tensor {
  return cast(cast(max(x, [axis]), "int32"), "float32");
}
