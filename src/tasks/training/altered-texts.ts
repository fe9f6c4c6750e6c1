import { shorterPieces } from "../../tokenizers/shorter-pieces.ts";
import { dividePieces } from "../../training/corruption/divide-pieces.ts";
import { hideWords } from "../../training/corruption/hide-words.ts";
import { QkvError } from "../../util/errors.ts";
import { hiddenWordTokenOf } from "../mask-token.ts";
import { isSpecial, randomOfBlock } from "./text-blocks.ts";
import type { Draw, ExampleStore, TaskContext } from "./training-task.ts";

/** The tasks whose recipes may alter texts, and whose examples have the columns `ids` and `words`. */
type Context = TaskContext<"text-classification" | "token-classification">;

/** A text's tokens as a model reads them. */
export interface ReadText {
  readonly ids: ArrayLike<number>;
  /** For each token the place of the one that it is, or is a part of, in the text as it is kept; absent: its own. */
  readonly places?: ArrayLike<number>;
}

/** What is done to a text, one after the other. */
type Alteration = (text: ReadText, index: number, draw: Draw) => ReadText;

/**
 * The tokens of texts as a model reads them: in training some words are hidden and some pieces divided, others each
 * epoch, where the recipe says so; what is measured is read as it is.
 * @returns the text of an example
 * @throws QkvError "config" where words shall be hidden and the tokenizer has no token that stands for hidden ones, or
 *   pieces divided and there are none that can be
 */
export function textReader(
  store: ExampleStore,
  context: Context,
  purpose: "training" | "validation",
): (index: number, draw: Draw) => ReadText {
  const alterations = purpose === "validation" ? [] : alterationsOf(store, context);
  return (index, draw) =>
    alterations.reduce<ReadText>((text, alter) => alter(text, index, draw), {
      ids: store.values("ids", index),
    });
}

function alterationsOf(store: ExampleStore, { recipe, tokenizers, longest }: Context): Alteration[] {
  const tokenizer = tokenizers.source;
  const { word_dropout, piece_dropout, max_length = longest } = recipe.objective;
  const most = Math.min(longest, max_length);
  const alterations: Alteration[] = [];
  if (word_dropout > 0) {
    const dropout = { probability: word_dropout, hiddenId: hiddenWordTokenOf(tokenizer, recipe.name) };
    const isKept = isSpecial(tokenizer);
    alterations.push(({ ids }, index, draw) => ({
      ids: hideWords(ids, store.values("words", index), dropout, isKept, randomOfBlock("words", draw, index)),
    }));
  }
  if (piece_dropout > 0) {
    const shorter = shorterPieces(tokenizer);
    const ids = Array.from({ length: tokenizer.vocabSize }, (_, id) => id);
    if (!ids.some((id) => shorter(id) !== undefined)) {
      throw new QkvError(
        "config",
        `recipe ${recipe.name}: objective.piece_dropout divides pieces into shorter ones; got a tokenizer that has no ` +
          "piece of two others, as one of characters; leave it out",
      );
    }
    alterations.push(({ ids }, index, draw) =>
      dividePieces(ids, piece_dropout, shorter, most, randomOfBlock("pieces", draw, index)),
    );
  }
  return alterations;
}
