/** What can be known of a training before it begins, for experiments, which shall not break off at their last variant. */
import { QkvError } from "../../util/errors.ts";
import { checkGeneration } from "../training/generation-choices.ts";
import { measuresOf } from "../training/measures.ts";
import { taskOf } from "../training/table.ts";
import { checkNewModel } from "./model-start.ts";
import { modelFoldersOf } from "./recipe-models.ts";
import { planTraining, type TrainOptions } from "./training-plan.ts";

/** What a training is checked for besides itself. */
export interface TrainingCheck {
  /** The data that it will be measured on. */
  readonly split: "validation" | "test";
  /** Folders of models that other trainings make before it. */
  readonly later: readonly string[];
}

/**
 * Checks the recipe, its files and the models that it names, without reading the data.
 * @returns the names of what is measured, the loss among them
 */
export async function checkTraining(
  options: TrainOptions,
  { split, later }: TrainingCheck,
): Promise<readonly string[]> {
  const { recipe, dataFolder, continues } = await planTraining(options);
  if (recipe.task === "translation") {
    if (split === "test") {
      throw new QkvError(
        "config",
        'a translator is measured on its validation data; got the split "test"; leave it out',
      );
    }
    if (recipe.data.validation_source === undefined) {
      throw new QkvError(
        "config",
        "a translator is compared by its validation, and its recipe names none; give it files " +
          "(data.validation_source, data.validation_target)",
      );
    }
    return measuresOf(recipe);
  }
  if (split === "test" && recipe.data.test === undefined) {
    throw new QkvError(
      "config",
      `recipe ${recipe.name}: data.test must name a file to be measured on; got none`,
    );
  }
  checkGeneration(recipe);
  const task = taskOf(recipe);
  checkNewModel(recipe, task.head(recipe), task.newModel);
  await modelFoldersOf({ recipe, dataFolder, resume: continues, later });
  return measuresOf(recipe);
}
