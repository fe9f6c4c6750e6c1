import { hideWords } from "../../training/corruption/hide-words.ts";
import { hiddenWordTokenOf } from "../mask-token.ts";
import { isSpecial, randomOfBlock } from "./text-blocks.ts";
import { type Draw, type ExampleStore, rowsOf, type TaskContext } from "./training-task.ts";

/** The tasks whose recipes may hide words, and whose examples have the columns `ids` and `words`. */
type Context = TaskContext<"text-classification" | "token-classification">;

/**
 * The tokens of texts as a model reads them: in training some words are hidden, others each epoch, where the recipe
 * says so; what is measured is read whole.
 * @returns the rows of some examples
 * @throws QkvError "config" where words shall be hidden and the tokenizer has no token that stands for hidden ones
 */
export function textReader(
  store: ExampleStore,
  { recipe, tokenizers }: Context,
  purpose: "training" | "validation",
): (indices: ArrayLike<number>, draw: Draw) => ArrayLike<number>[] {
  const probability = recipe.objective.word_dropout;
  const whole = (indices: ArrayLike<number>) => rowsOf(store, "ids", indices);
  if (probability === 0 || purpose === "validation") return whole;
  const tokenizer = tokenizers.source;
  const dropout = { probability, hiddenId: hiddenWordTokenOf(tokenizer, recipe.name) };
  const isKept = isSpecial(tokenizer);
  return (indices, draw) =>
    whole(indices).map((ids, row) => {
      const index = indices[row]!;
      const random = randomOfBlock("words", draw, index);
      return hideWords(ids, store.values("words", index), dropout, isKept, random);
    });
}
