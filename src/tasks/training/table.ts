import type { ModelRecipe } from "../../training/model-recipe.ts";
import type { ModelTaskName } from "../../training/model-tasks.ts";
import { maskedTokenTraining } from "./fill-mask.ts";
import { answeringTraining } from "./question-answering.ts";
import { similarityTraining } from "./sentence-similarity.ts";
import { spanCorruptionTraining } from "./span-corruption.ts";
import { classificationTraining } from "./text-classification.ts";
import { nextTokenTraining } from "./text-generation.ts";
import { textInfillingTraining } from "./text-infilling.ts";
import { textToTextTraining } from "./text2text-generation.ts";
import { taggingTraining } from "./token-classification.ts";
import type { TrainingTask } from "./training-task.ts";

/** What models can be trained for. */
export const trainingTasks: { readonly [Name in ModelTaskName]: TrainingTask<Name> } = {
  "text-generation": nextTokenTraining,
  "fill-mask": maskedTokenTraining,
  "text-infilling": textInfillingTraining,
  "span-corruption": spanCorruptionTraining,
  "text2text-generation": textToTextTraining,
  "text-classification": classificationTraining,
  "token-classification": taggingTraining,
  "question-answering": answeringTraining,
  "sentence-similarity": similarityTraining,
};

/** A task whichever it is: the table's types are those of one task each. */
export type AnyTask = TrainingTask<ModelTaskName>;

/** The task that a recipe names. */
export function taskOf(recipe: ModelRecipe): AnyTask {
  return trainingTasks[recipe.task] as unknown as AnyTask;
}
