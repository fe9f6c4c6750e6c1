import type { HostInputs } from "../../models/family.ts";
import type { ModelBatch } from "../../training/objectives/model-objective.ts";
import { type ReadText, textReader } from "./altered-texts.ts";
import { classWeightsOf, withClassWeights } from "./class-weights.ts";
import { type ExampleStore, type TaskContext, type TrainingSet, textRows } from "./training-task.ts";

/**
 * Texts with labels as a training reads them: some of their words hidden or written by other pieces, and each label
 * with its weight, where the recipe says so. What is measured is read as it is and counts each label once, so that
 * models can be compared.
 * @param batchOf - a batch of some examples. @param texts - their tokens as they are read. @param rows - the same as
 * the model's inputs
 */
export function labelledTexts(
  store: ExampleStore,
  context: TaskContext<"text-classification" | "token-classification">,
  purpose: "training" | "validation",
  batchOf: (indices: ArrayLike<number>, texts: readonly ReadText[], rows: HostInputs) => ModelBatch,
): TrainingSet {
  const weights = purpose === "training" ? classWeightsOf(store, context) : undefined;
  const read = textReader(store, context, purpose);
  return {
    length: store.length,
    width: (index) => store.lengthOf("ids", index),
    batch(indices, draw) {
      const texts = Array.from(indices, (index) => read(index, draw));
      const typeIds = texts.map((text, row) => followed(text, store.values("typeIds", indices[row]!)));
      const rows = textRows(
        context,
        texts.map(({ ids }) => ids),
        typeIds,
      );
      const batch = batchOf(indices, texts, rows);
      return weights === undefined ? batch : withClassWeights(batch, weights);
    },
  };
}

/** What was kept of each token, for the tokens as they are read. */
function followed({ places }: ReadText, values: ArrayLike<number>): ArrayLike<number> {
  return places === undefined ? values : Array.from(places, (place) => values[place]!);
}
