import type { Recipe } from "../../training/recipe.ts";
import { trainingTasks } from "./table.ts";
import type { TrainingTask } from "./training-task.ts";

/** The names of what a training measures on held-out data: the loss, and the metrics of its task. */
export function measuresOf(recipe: Recipe): readonly string[] {
  if (recipe.task === "translation") {
    return ["loss", "perplexity", ...(recipe.training.eval_bleu_sentences > 0 ? ["bleu"] : [])];
  }
  // The table's types are those of one task each; here it is whichever the recipe names.
  const { metrics } = trainingTasks[recipe.task] as unknown as Pick<
    TrainingTask<typeof recipe.task>,
    "metrics"
  >;
  return ["loss", ...metrics(recipe)];
}
