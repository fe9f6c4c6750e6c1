import {
  type BatchPosition,
  fixedBatches,
  lengthBatches,
  type PositionedRows,
  randomRows,
  roundUp,
  rowsFrom,
} from "../../data/sampling.ts";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import { QkvError } from "../../util/errors.ts";
import type { TrainingSet } from "./training-task.ts";

/** The examples of one batch, and where to go on. */
export interface ExampleBatch extends Omit<PositionedRows, "rows"> {
  readonly rows: ArrayLike<number>;
}

/**
 * How batches are made: rows of examples drawn anywhere, or epochs in which each example stands once; and how many
 * batches an epoch has (of rows drawn anywhere there is no end).
 */
export function batchesOf(
  set: TrainingSet,
  recipe: ModelRecipe,
): { readonly perEpoch: number; from(position: BatchPosition): Generator<ExampleBatch, never> } {
  const { seed, per_device_train_batch_size: rows, max_tokens: tokensPerBatch } = recipe.training;
  if (set.length === 0) {
    throw new QkvError(
      "data",
      "recipe: data.train must give at least one example; got none; give more data, or shorter blocks if there are " +
        "blocks (objective.block_size)",
    );
  }
  if ("sampling" in recipe.objective && recipe.objective.sampling === "windows") {
    const rowsPerBatch = rows ?? Math.max(1, Math.floor(tokensPerBatch / set.width(0)));
    return {
      perEpoch: Number.POSITIVE_INFINITY,
      from: (position) => randomRows(set.length, { rowsPerBatch, seed }, position),
    };
  }
  const { pad_to_multiple_of: multiple } = recipe.training;
  const widths = Int32Array.from({ length: set.length }, (_, example) =>
    roundUp(set.width(example), multiple),
  );
  const epochOf = (epoch: number) =>
    rows === undefined
      ? lengthBatches([widths], { tokensPerBatch, seed, epoch })
      : fixedBatches(set.length, { rowsPerBatch: rows, seed, epoch });
  return { perEpoch: epochOf(0).length, from: (position) => rowsFrom(epochOf, position) };
}

/** Examples of similar length together; batches as large as those of training where the recipe does not say. */
export function* evaluationBatches(
  set: TrainingSet,
  { training }: Pick<ModelRecipe, "training">,
): Generator<number[]> {
  const rows = training.per_device_eval_batch_size ?? training.per_device_train_batch_size;
  const order = Array.from({ length: set.length }, (_, index) => index);
  order.sort((left, right) => set.width(left) - set.width(right));
  let batch: number[] = [];
  for (const index of order) {
    const isFull =
      rows === undefined
        ? (batch.length + 1) * roundUp(set.width(index), training.pad_to_multiple_of) > training.max_tokens
        : batch.length === rows;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
    }
    batch.push(index);
  }
  yield batch;
}
