import type { ModelBatch } from "../../training/objectives/model-objective.ts";
import { classWeightsOf, withClassWeights } from "./class-weights.ts";
import type { ExampleStore, TaskContext, TrainingSet } from "./training-task.ts";
import { textReader } from "./word-dropout.ts";

/**
 * Texts with labels as a training reads them: some of their words hidden, and each label with its weight, where the
 * recipe says so. What is measured is read whole and counts each label once, so that models can be compared.
 * @param batchOf - a batch of some examples. @param ids - their tokens as they are read
 */
export function labelledTexts(
  store: ExampleStore,
  context: TaskContext<"text-classification" | "token-classification">,
  purpose: "training" | "validation",
  batchOf: (indices: ArrayLike<number>, ids: readonly ArrayLike<number>[]) => ModelBatch,
): TrainingSet {
  const weights = purpose === "training" ? classWeightsOf(store, context) : undefined;
  const read = textReader(store, context, purpose);
  return {
    length: store.length,
    width: (index) => store.lengthOf("ids", index),
    batch(indices, draw) {
      const batch = batchOf(indices, read(indices, draw));
      return weights === undefined ? batch : withClassWeights(batch, weights);
    },
  };
}
