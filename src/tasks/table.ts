import { didYouMean, QkvError } from "../util/errors.ts";
import { featureExtraction } from "./feature-extraction.ts";
import { fillMask } from "./fill-mask.ts";
import { questionAnswering } from "./question-answering.ts";
import { summarization } from "./summarization.ts";
import type { TaskDefinition } from "./task.ts";
import { textClassification } from "./text-classification.ts";
import { textGeneration } from "./text-generation.ts";
import { text2textGeneration } from "./text2text-generation.ts";
import { tokenClassification } from "./token-classification.ts";
import { translation } from "./translation.ts";

const tasks = {
  "fill-mask": fillMask,
  "text-classification": textClassification,
  "token-classification": tokenClassification,
  "question-answering": questionAnswering,
  "feature-extraction": featureExtraction,
  "text-generation": textGeneration,
  summarization,
  translation,
  "text2text-generation": text2textGeneration,
} as const satisfies Record<string, TaskDefinition>;

/** Names that Hugging Face has besides. */
const aliases = {
  "sentiment-analysis": "text-classification",
  ner: "token-classification",
  embeddings: "feature-extraction",
} as const satisfies Record<string, keyof typeof tasks>;

export type PipelineTask = keyof typeof tasks;
export type PipelineAliases = typeof aliases;
/** `translation_en_to_de` names the languages to models that have several. */
export type PipelineName = PipelineTask | keyof PipelineAliases | `translation_${string}_to_${string}`;

/** The task's own name where it is called by another. */
export function taskName(name: string): string {
  return Object.hasOwn(aliases, name) ? aliases[name as keyof PipelineAliases] : name;
}

/**
 * A task by its name.
 * @throws QkvError "option" where there is none, with the nearest name
 */
export function findTask(name: string): TaskDefinition {
  if (/^translation_[a-z-]+_to_[a-z-]+$/i.test(name)) return tasks.translation;
  if (Object.hasOwn(tasks, name)) return tasks[name as PipelineTask];
  const known = Object.keys(tasks);
  throw new QkvError(
    "option",
    `pipeline: the task must be one of ${known.join(", ")}; got "${name}"${didYouMean(name, known)}`,
  );
}
