import type { Recipe } from "../../training/recipe.ts";
import { taskOf } from "./table.ts";

/** The names of what a training measures on held-out data: the loss, and the metrics of its task. */
export function measuresOf(recipe: Recipe): readonly string[] {
  if (recipe.task === "translation") {
    return ["loss", "perplexity", ...(recipe.training.eval_bleu_sentences > 0 ? ["bleu"] : [])];
  }
  return ["loss", ...taskOf(recipe).metrics(recipe)];
}
