import { add, expand, multiply } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Linear } from "../nn/layers.ts";
import {
  binaryCrossEntropy,
  classCrossEntropy,
  ignoredLabel,
  placeCrossEntropy,
  squaredError,
} from "../nn/losses.ts";
import type { InputSpec, Loss, ModelOptions, ProblemType } from "./family.ts";

const spelledProblems = {
  regression: "regression",
  single_label_classification: "single-label",
  multi_label_classification: "multi-label",
} as const;

/** What the labels of a classifier are: as config.json says, else as the caller says, else by their number. */
export function problemTypeOf(
  file: { problem_type?: keyof typeof spelledProblems | null | undefined },
  labelCount: number,
  options: ModelOptions,
): ProblemType {
  if (file.problem_type != null) return spelledProblems[file.problem_type];
  return options.problemType ?? (labelCount === 1 ? "regression" : "single-label");
}

/** The labels of whole texts. */
export function textLabels(problemType: ProblemType, labelCount: number): InputSpec {
  const batch = dim("batch");
  if (problemType === "single-label") {
    return { dtype: "int32", dims: [batch], below: labelCount, ignored: ignoredLabel };
  }
  const isOneNumber = problemType === "regression" && labelCount === 1;
  return { dtype: "float32", dims: isOneNumber ? [batch] : [batch, dim("label", labelCount)] };
}

/** The labels of tokens: one for each, -100 for those that do not count. */
export function tokenLabels(labelCount: number): InputSpec {
  return {
    dtype: "int32",
    dims: [dim("batch"), dim("sequence")],
    below: labelCount,
    ignored: ignoredLabel,
  };
}

/** Of each pair of segments: 0 where the second follows the first, 1 where it is one from anywhere. */
export const segmentRelation: InputSpec = {
  dtype: "int32",
  dims: [dim("batch")],
  below: 2,
  ignored: ignoredLabel,
};

/** The first or last position of an answer in each text; one outside it does not count. */
export const answerPlaces: InputSpec = { dtype: "int32", dims: [dim("batch")] };

/**
 * The loss of a classifier of whole texts.
 * @param x - [batch, model]: what the classifier reads @param logits - [batch, label]: what it gives
 */
export function textClassificationLoss(
  problemType: ProblemType,
  classifier: Linear<Tensor>,
  x: Tensor,
  logits: Tensor,
  labels: Tensor,
): Loss {
  if (problemType === "single-label") return classCrossEntropy(x, classifier, labels);
  if (problemType === "multi-label") return binaryCrossEntropy(logits, labels);
  return squaredError(logits, expand(labels, logits.dims));
}

/** The mean of the losses of both ends of an answer, where both are given. */
export function answerLoss(
  { startLogits, endLogits }: { startLogits: Tensor; endLogits: Tensor },
  startPositions: Tensor | undefined,
  endPositions: Tensor | undefined,
): Loss | undefined {
  if (startPositions === undefined || endPositions === undefined) return undefined;
  const start = placeCrossEntropy(startLogits, startPositions);
  const end = placeCrossEntropy(endLogits, endPositions);
  return {
    mean: multiply(add(start.mean, end.mean), 0.5),
    // Divided by the number of texts this is the mean, where every answer has both its ends in its text.
    sum: multiply(add(start.sum, end.sum), 0.5),
    count: start.count,
  };
}
