import type { Mode } from "../../models/family.ts";
import { ignoredLabel } from "../../nn/losses.ts";
import { type ModelBatch, modelObjective } from "../../training/objectives/model-objective.ts";
import {
  balancedWeights,
  labelWeights,
  weightedObjective,
} from "../../training/objectives/weighted-labels.ts";
import { QkvError } from "../../util/errors.ts";
import type { ExampleStore, TaskContext } from "./training-task.ts";

/** The tasks whose recipes may say how much each label counts, and whose examples have a column `labels`. */
type Context = TaskContext<"text-classification" | "token-classification">;

/** What is learned: every label alike, or each with its weight. */
export function labelObjective({ model, recipe }: Context, mode: Mode) {
  return recipe.objective.class_weights === undefined
    ? modelObjective(model, mode)
    : weightedObjective(model, mode);
}

/** How much each label counts, where the recipe says so. @throws QkvError "config" where the numbers are not as many */
export function classWeightsOf(
  store: ExampleStore,
  { recipe, model }: Context,
): readonly number[] | undefined {
  const { class_weights: wanted } = recipe.objective;
  const labels = model.config.labels ?? [];
  if (wanted === undefined) return undefined;
  if (wanted !== "balanced") {
    if (wanted.length === labels.length) return wanted;
    throw new QkvError(
      "config",
      `recipe: objective.class_weights must have one number for each label (${labels.join(", ")}); got ${wanted.length}`,
    );
  }
  const counts = labels.map(() => 0);
  for (let index = 0; index < store.length; index++) {
    for (const label of Array.from(store.values("labels", index))) {
      if (label !== ignoredLabel) counts[label]!++;
    }
  }
  return balancedWeights(counts);
}

/** A batch whose labels count as much as their weights say; its loss is divided by their sum. */
export function withClassWeights({ inputs }: ModelBatch, ofLabels: readonly number[]): ModelBatch {
  const { data: labels, shape } = inputs.labels!;
  const data = Float32Array.from(labels, (label) => (label === ignoredLabel ? 0 : ofLabels[label]!));
  const count = data.reduce((sum, weight) => sum + weight, 0);
  return { inputs: { ...inputs, [labelWeights]: { data, shape } }, count };
}
