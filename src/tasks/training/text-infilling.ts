import { continuousBlocks, tokenStream } from "../../data/packing.ts";
import { infillText } from "../../training/corruption/infill-text.ts";
import { maskTokenOf } from "../mask-token.ts";
import { perplexityTally } from "./perplexity.ts";
import { smallBart } from "./small-models.ts";
import {
  blockLengthOf,
  encodePieces,
  endsSentence,
  framesOf,
  randomOfBlock,
  textsOf,
} from "./text-blocks.ts";
import { encoderDecoderBatch } from "./text2text-generation.ts";
import type { TaskContext, TrainingTask } from "./training-task.ts";

type Context = TaskContext<"text-infilling">;

/**
 * A text from what is left of it: spans are replaced by one mask each, and sentences change places.
 * Source: Lewis et al., 2020, 2.2.
 */
export const textInfillingTraining: TrainingTask<"text-infilling"> = {
  head: () => "sequence-to-sequence",
  newModel: smallBart,
  columns: { ids: "ids" },
  fields: () => ({ text: "string" }),
  encode: encodePieces,

  open(store, context: Context) {
    const { recipe, tokenizers } = context;
    const { block_size, mask_ratio, poisson_lambda, permute_sentences } = recipe.objective;
    const { before, after } = framesOf(tokenizers.source);
    const options = {
      maskRatio: mask_ratio,
      meanSpanLength: poisson_lambda,
      maskId: maskTokenOf(tokenizers.source, recipe.name).id,
      permuteSentences: permute_sentences,
      endsSentence: endsSentence(tokenizers.source),
    };
    const blocks = continuousBlocks(
      tokenStream(textsOf(store)),
      blockLengthOf(context, block_size, before.length + after.length),
    );
    return {
      length: blocks.length,
      width: (index) => blocks.lengthOf(index) + before.length + after.length,
      batch(indices, draw) {
        const whole = Array.from(indices, (index) => blocks.block(index));
        const sources = whole.map((ids, row) => {
          const spoiled = infillText(ids, options, randomOfBlock("infilling", draw, indices[row]!));
          return [...before, ...spoiled.slice(0, ids.length), ...after];
        });
        return encoderDecoderBatch(
          context,
          sources,
          whole.map((ids) => [...before, ...ids, ...after]),
        );
      },
    };
  },
  metrics: () => ["perplexity"],
  tally: perplexityTally,
};
