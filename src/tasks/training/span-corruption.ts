import { continuousBlocks, tokenStream } from "../../data/packing.ts";
import { corruptSpans } from "../../training/corruption/corrupt-spans.ts";
import { QkvError } from "../../util/errors.ts";
import { perplexityTally } from "./perplexity.ts";
import { smallT5 } from "./small-models.ts";
import { blockLengthOf, framesOf, piecesOf, randomOfBlock, textsOf } from "./text-blocks.ts";
import { encoderDecoderBatch } from "./text2text-generation.ts";
import type { TaskContext, TrainingTask } from "./training-task.ts";

type Context = TaskContext<"span-corruption">;

/**
 * What stood in the gaps of a text, each named by a sentinel, or all of it. Source: Raffel et al., 2020, 3.1.4 and 3.3.
 */
export const spanCorruptionTraining: TrainingTask<"span-corruption"> = {
  head: () => "sequence-to-sequence",
  newModel: smallT5,
  columns: { ids: "ids" },
  fields: () => ({ text: "string" }),
  // As in T5's code nothing stands between texts: the end token says that a target ends.
  encode: (record, context) => piecesOf(record, context, undefined),

  open(store, context: Context) {
    const { recipe, tokenizers } = context;
    const { block_size, noise_density, mean_noise_span_length, target: wanted } = recipe.objective;
    const { before, after } = framesOf(tokenizers.source);
    const sentinelIds: number[] = [];
    for (let gap = 0; ; gap++) {
      const id = tokenizers.source.tokenToId(`<extra_id_${gap}>`);
      if (id === undefined) break;
      sentinelIds.push(id);
    }
    if (sentinelIds.length === 0) {
      throw new QkvError(
        "config",
        `recipe ${recipe.name}: its tokenizer must have tokens <extra_id_0> ...; got none; ` +
          "take one of T5 (--set tokenizer.from=FOLDER)",
      );
    }
    const options = { noiseDensity: noise_density, meanSpanLength: mean_noise_span_length, sentinelIds };
    const blocks = continuousBlocks(
      tokenStream(textsOf(store)),
      blockLengthOf(context, block_size, before.length + after.length),
    );
    return {
      length: blocks.length,
      width: (index) => blocks.lengthOf(index) + before.length + after.length,
      batch(indices, draw) {
        const rows = Array.from(indices, (index) => {
          const block = blocks.block(index);
          const corrupted = corruptSpans(block, options, randomOfBlock("spans", draw, index));
          return wanted === "spans" ? corrupted : { ...corrupted, target: Array.from(block) };
        });
        const sources = rows.map(({ source }) => [...before, ...source, ...after]);
        return encoderDecoderBatch(
          context,
          sources,
          rows.map(({ target }) => [...target, ...after]),
        );
      },
    };
  },
  metrics: () => ["perplexity"],
  tally: perplexityTally,
};
