import type { BatchPosition } from "../../data/batches.ts";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import { QkvError } from "../../util/errors.ts";
import { RandomStream, randomKey, shuffle } from "../../util/random.ts";
import type { TrainingSet } from "./training-task.ts";

/** The examples of one batch, and where to go on. */
export interface ExampleBatch {
  readonly position: BatchPosition;
  readonly next: BatchPosition;
  readonly indices: ArrayLike<number>;
}

/** How batches are made: rows of examples drawn anywhere, or epochs in which each example stands once. */
export function batchesOf(
  set: TrainingSet,
  recipe: ModelRecipe,
): { readonly perEpoch: number | undefined; from(position: BatchPosition): Generator<ExampleBatch, never> } {
  const { seed, per_device_train_batch_size: rows, max_tokens: tokens } = recipe.training;
  if (set.length === 0) {
    throw new QkvError("data", `${recipe.name}: training needs at least one example; got none`);
  }
  if ("sampling" in recipe.objective && recipe.objective.sampling === "windows") {
    const perBatch = rows ?? Math.max(1, Math.floor(tokens / set.width(0)));
    return { perEpoch: undefined, from: (position) => windows(set.length, perBatch, seed, position) };
  }
  const epochOf = (epoch: number) => epochBatches(set, { seed, rows, tokens }, epoch);
  return { perEpoch: epochOf(0).length, from: (position) => epochs(epochOf, position) };
}

/** Rows drawn at random, each by itself; a pure function of the batch's number. */
function* windows(
  length: number,
  rows: number,
  seed: number,
  { batch: first }: BatchPosition,
): Generator<ExampleBatch, never> {
  for (let batch = first; ; batch++) {
    const random = new RandomStream(randomKey(seed, "batches.windows", batch));
    const indices = Int32Array.from({ length: rows }, () => random.below(length));
    yield { position: { epoch: 0, batch }, next: { epoch: 0, batch: batch + 1 }, indices };
  }
}

function* epochs(
  epochOf: (epoch: number) => Int32Array[],
  start: BatchPosition,
): Generator<ExampleBatch, never> {
  let first = start.batch;
  for (let epoch = start.epoch; ; epoch++) {
    const batches = epochOf(epoch);
    if (first >= batches.length) {
      throw new QkvError(
        "data",
        `batches: a position must lie within epoch ${epoch}, which has ${batches.length} batches; got batch ${first}; ` +
          "go on with the data and the options that the training began with",
      );
    }
    for (let batch = first; batch < batches.length; batch++) {
      const next = batch + 1 < batches.length ? { epoch, batch: batch + 1 } : { epoch: epoch + 1, batch: 0 };
      yield { position: { epoch, batch }, next, indices: batches[batch]! };
    }
    first = 0;
  }
}

/** An epoch's batches: a fixed number of rows, or examples of similar length up to a number of tokens. */
function epochBatches(
  set: TrainingSet,
  { seed, rows, tokens }: { seed: number; rows: number | undefined; tokens: number },
  epoch: number,
): Int32Array[] {
  const order = Int32Array.from({ length: set.length }, (_, index) => index);
  shuffle(order, new RandomStream(randomKey(seed, "batches.examples", epoch)));
  const batches: Int32Array[] = [];
  if (rows !== undefined) {
    for (let start = 0; start < order.length; start += rows)
      batches.push(order.subarray(start, start + rows));
    return batches;
  }
  const widths = Int32Array.from({ length: set.length }, (_, index) => set.width(index));
  const sorted = Int32Array.from(order).sort((left, right) => widths[left]! - widths[right]!);
  let start = 0;
  for (let end = 1; end <= sorted.length; end++) {
    // Sorted by width, so the next one would be the widest.
    if (end < sorted.length && (end - start + 1) * widths[sorted[end]!]! <= tokens) continue;
    batches.push(sorted.subarray(start, end));
    start = end;
  }
  return shuffle(batches, new RandomStream(randomKey(seed, "batches.order", epoch)));
}
