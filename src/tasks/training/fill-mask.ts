import { ignoredLabel } from "../../nn/losses.ts";
import { maskTokens } from "../../training/corruption/mask-tokens.ts";
import { maskTokenOf } from "../mask-token.ts";
import { perplexityTally } from "./perplexity.ts";
import { smallBert } from "./small-models.ts";
import {
  blockLengthOf,
  blocksOf,
  encodePieces,
  framesOf,
  randomOfBlock,
  tokenStream,
} from "./text-blocks.ts";
import { modelBatch, padRows, type TaskContext, type TrainingTask, textRows } from "./training-task.ts";

type Context = TaskContext<"fill-mask">;

/**
 * Hidden tokens. Texts follow one another and are cut into blocks, each with the tokenizer's special tokens around.
 * Source: Devlin et al., 2019, 3.1; whole texts packed and masks drawn anew each epoch: Liu et al., 2019, 4.1 and 4.2.
 */
export const maskedTokenTraining: TrainingTask<"fill-mask"> = {
  head: "masked-lm",
  newModel: smallBert,
  columns: { ids: "ids" },
  fields: () => ({ text: "string" }),
  encode: encodePieces,

  open(store, context: Context) {
    const { recipe, tokenizers, model } = context;
    const { block_size, mlm_probability: probability, masking } = recipe.objective;
    const { before, after } = framesOf(tokenizers.source);
    const special = new Set(
      tokenizers.source.addedTokens.filter((token) => token.special).map(({ id }) => id),
    );
    const options = {
      probability,
      maskId: maskTokenOf(tokenizers.source, recipe.name).id,
      vocabSize: tokenizers.source.vocabSize,
      isSpecial: (id: number) => special.has(id),
    };
    const blocks = blocksOf(
      tokenStream(store),
      blockLengthOf(context, block_size, before.length + after.length),
    );
    return {
      length: blocks.length,
      width: (index) => blocks.lengthOf(index) + before.length + after.length,
      batch(indices, draw) {
        const epoch = masking === "static" ? 0 : draw.epoch;
        const rows = Array.from(indices, (index) => {
          const ids = [...before, ...blocks.block(index), ...after];
          return maskTokens(ids, options, randomOfBlock("masks", { ...draw, epoch }, index));
        });
        const labels = rows.map((row) => row.labels);
        const count = labels.reduce(
          (sum, row) => sum + row.filter((label) => label !== ignoredLabel).length,
          0,
        );
        const inputs = textRows(
          context,
          rows.map(({ inputIds }) => inputIds),
        );
        const multiple = recipe.training.pad_to_multiple_of;
        return modelBatch(model, { ...inputs, labels: padRows(labels, ignoredLabel, multiple) }, count);
      },
    };
  },
  tally: perplexityTally,
};
