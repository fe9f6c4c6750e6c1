/** What a model of a family is trained for; `recipe.task` names one, and the section `objective` has its choices. */
export const modelTaskNames = [
  "text-generation",
  "fill-mask",
  "text-infilling",
  "span-corruption",
  "text2text-generation",
  "text-classification",
  "token-classification",
  "question-answering",
  "sentence-similarity",
] as const;

export type ModelTaskName = (typeof modelTaskNames)[number];
