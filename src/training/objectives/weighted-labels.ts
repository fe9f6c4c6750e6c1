import { input } from "../../graph/build.ts";
import type { Mode, Model } from "../../models/family.ts";
import { weightedCrossEntropy } from "../../nn/losses.ts";
import type { Objective } from "../learner.ts";
import { allInputs, type ModelBatch } from "./model-objective.ts";

/** The input that holds the weight of each label in a batch: that of its class, 0 where there is none. */
export const labelWeights = "weights";

/**
 * The cross-entropy of a classifier of texts or of tokens, each label with the weight of its class; the mean is divided
 * by the sum of the weights, as PyTorch does it.
 */
export function weightedObjective(model: Model, mode: Mode = "training"): Objective<unknown, ModelBatch> {
  return {
    parameters: model.parameters,
    examples: "batch",
    loss(parameters) {
      const inputs = allInputs(model);
      const { labels, ...others } = inputs;
      const logits = model.forward(parameters, others, mode).logits!;
      return weightedCrossEntropy(logits, labels!, input(labelWeights, labels!.dims, "float32")).sum;
    },
    feeds: ({ inputs }) => inputs,
    count: ({ count }) => count,
  };
}

/**
 * Weights by which all classes count the same in all: labels / (classes · labels of the class), as scikit-learn has it. A
 * class without a label has the weight 0.
 * @param counts - the labels of each class
 */
export function balancedWeights(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (count === 0 ? 0 : total / (counts.length * count)));
}
