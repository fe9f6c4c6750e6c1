import { input } from "../../graph/build.ts";
import { dim } from "../../graph/dims.ts";
import type { Mode, Model } from "../../models/family.ts";
import { weightedCrossEntropy } from "../../nn/losses.ts";
import type { Objective } from "../learner.ts";
import { allInputs, type ModelBatch } from "./model-objective.ts";

/** The input that holds the weight of each text: that of its class. */
export const textWeights = "weights";

/**
 * The cross-entropy of a classifier of texts, each text with the weight of its class; the mean is divided by the sum of
 * the weights, as PyTorch does it.
 */
export function weightedClassificationObjective(
  model: Model,
  mode: Mode = "training",
): Objective<unknown, ModelBatch> {
  return {
    parameters: model.parameters,
    loss(parameters) {
      const inputs = allInputs(model);
      const { labels, ...others } = inputs;
      const logits = model.forward(parameters, others, mode).logits!;
      return weightedCrossEntropy(logits, labels!, input(textWeights, [dim("batch")], "float32")).sum;
    },
    feeds: ({ inputs }) => inputs,
    count: ({ count }) => count,
  };
}

/**
 * Weights by which all classes count the same in all: texts / (classes · texts of the class), as scikit-learn has it. A
 * class without a text has the weight 0.
 * @param counts - the texts of each class
 */
export function balancedWeights(counts: readonly number[]): number[] {
  const texts = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (count === 0 ? 0 : texts / (counts.length * count)));
}
