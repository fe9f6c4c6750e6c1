import { continuousBlocks, sentenceBlocks, type TokenTexts, tokenStream } from "../../data/packing.ts";
import { ignoredLabel } from "../../nn/losses.ts";
import { type MaskingOptions, maskTokens } from "../../training/corruption/mask-tokens.ts";
import { maskTokenOf } from "../mask-token.ts";
import { largestPlace, softmax } from "../probabilities.ts";
import { perplexityTally } from "./perplexity.ts";
import { nextSentenceRows, type RowSource } from "./segment-pairs.ts";
import { smallBert } from "./small-models.ts";
import {
  blockLengthOf,
  encodePieces,
  encodeSentences,
  endOfText,
  framesOf,
  isSpecial,
  randomOfBlock,
  textsOf,
} from "./text-blocks.ts";
import {
  type Draw,
  modelBatch,
  padRows,
  type Tally,
  type TaskContext,
  type TrainingSet,
  type TrainingTask,
  textRows,
} from "./training-task.ts";

type Context = TaskContext<"fill-mask">;

/**
 * Hidden tokens. Texts follow one another and are put into blocks, each with the tokenizer's special tokens around: cut
 * wherever a block is full, or of whole sentences (`packing`). With `next_sentence` each block becomes a pair of
 * segments, and it is asked, too, whether they belong together.
 * Source: Devlin et al., 2019, 3.1; whole sentences packed and masks drawn anew each epoch: Liu et al., 2019, 4.1, 4.2.
 */
export const maskedTokenTraining: TrainingTask<"fill-mask"> = {
  head: ({ objective }) => (objective.next_sentence ? "pre-training" : "masked-lm"),
  newModel: smallBert,
  columns: { ids: "ids" },
  fields: () => ({ text: "string" }),
  encode: (record, context) =>
    context.recipe.objective.packing === "whole_sentences"
      ? encodeSentences(record, context)
      : encodePieces(record, context),

  open(store, context: Context): TrainingSet {
    const { masking, next_sentence } = context.recipe.objective;
    const options = maskingOptions(context);
    const texts = textsOf(store);
    const rows = next_sentence ? nextSentenceRows(texts, context) : blockRows(texts, context);
    return {
      length: rows.length,
      width: rows.width,
      batch(indices, { seed, epoch }) {
        const draw = { seed, epoch: masking === "static" ? 0 : epoch };
        return maskedBatch(context, rows, Array.from(indices), draw, options);
      },
    };
  },
  metrics: ({ objective }) =>
    objective.next_sentence ? ["perplexity", "next_sentence_accuracy"] : ["perplexity"],
  scores: ({ seqRelationshipLogits }) => seqRelationshipLogits,
  tally: ({ set }, { recipe }) => (recipe.objective.next_sentence ? pairTally(set) : perplexityTally()),
};

/** Blocks of the texts as they follow one another, cut anywhere or between sentences. */
function blockRows(texts: TokenTexts, context: Context): RowSource {
  const { block_size, packing } = context.recipe.objective;
  const { before, after } = framesOf(context.tokenizers.source);
  const around = before.length + after.length;
  const length = blockLengthOf(context, block_size, around);
  const end = endOfText(context.tokenizers.source, context.model.config.eosTokenId);
  const blocks =
    packing === "whole_sentences"
      ? sentenceBlocks(texts, length, end)
      : continuousBlocks(tokenStream(texts), length);
  return {
    length: blocks.length,
    width: (index) => blocks.lengthOf(index) + around,
    row: (index) => ({ ids: [...before, ...blocks.block(index), ...after] }),
  };
}

function maskingOptions({ recipe, tokenizers }: Context): MaskingOptions {
  return {
    probability: recipe.objective.mlm_probability,
    maskId: maskTokenOf(tokenizers.source, recipe.name).id,
    vocabSize: tokenizers.source.vocabSize,
    isSpecial: isSpecial(tokenizers.source),
  };
}

function maskedBatch(
  context: Context,
  rows: RowSource,
  indices: readonly number[],
  draw: Draw,
  options: MaskingOptions,
) {
  const whole = indices.map((index) => rows.row(index, randomOfBlock("pairs", draw, index)));
  const masked = whole.map(({ ids }, row) =>
    maskTokens(ids, options, randomOfBlock("masks", draw, indices[row]!)),
  );
  const labels = masked.map((row) => row.labels);
  const typeIds = whole.every((row) => row.typeIds !== undefined)
    ? whole.map((row) => row.typeIds!)
    : undefined;
  const text = textRows(
    context,
    masked.map(({ inputIds }) => inputIds),
    typeIds,
  );
  const multiple = context.recipe.training.pad_to_multiple_of;
  const inputs = { ...text, labels: padRows(labels, ignoredLabel, multiple) };
  if (!context.recipe.objective.next_sentence) {
    const hidden = labels.reduce((sum, row) => sum + row.filter((id) => id !== ignoredLabel).length, 0);
    return modelBatch(context.model, inputs, hidden);
  }
  const relation = Int32Array.from(whole, ({ isRandom }) => (isRandom ? 1 : 0));
  const nextSentenceLabel = { data: relation, shape: [whole.length] };
  return modelBatch(context.model, { ...inputs, nextSentenceLabel }, whole.length);
}

/** How often it is told rightly whether segments belong together, and the perplexity of hidden tokens alone. */
function pairTally(set: TrainingSet): Tally {
  let [right, count, pairLoss] = [0, 0, 0];
  return {
    visit(index, { data }) {
      // As at every evaluation, so that the label is the one that the model was asked for.
      const { inputs } = set.batch([index], { seed: 0, epoch: 0 });
      const label = inputs.nextSentenceLabel!.data[0]!;
      if (largestPlace(data) === label) right++;
      pairLoss -= Math.log(softmax(data)[label]!);
      count++;
    },
    finish: (loss) => ({
      perplexity: Math.exp(loss - pairLoss / count),
      next_sentence_accuracy: right / count,
    }),
  };
}
