import { continuousBlocks, type TokenTexts, tokenStream } from "../../data/packing.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { pairSegments } from "../../training/corruption/pair-segments.ts";
import type { RandomStream } from "../../util/random.ts";
import { blockLengthOf, endOfText, endsSentence } from "./text-blocks.ts";
import type { TaskContext } from "./training-task.ts";

/** A row of a batch before tokens are hidden in it. */
export interface MaskedRow {
  readonly ids: readonly number[];
  /** Default: one segment. */
  readonly typeIds?: readonly number[];
  /** 1 where the second segment is one from anywhere. */
  readonly isRandom?: boolean;
}

/** The rows that tokens are hidden in. */
export interface RowSource {
  readonly length: number;
  width(index: number): number;
  row(index: number, random: RandomStream): MaskedRow;
}

/**
 * Pairs of segments for next-sentence prediction: each block of the texts is cut in two, and half of the second
 * segments are replaced by one from another block.
 */
export function nextSentenceRows(texts: TokenTexts, context: TaskContext<"fill-mask">): RowSource {
  const { tokenizers, model, recipe } = context;
  const { before, between, after } = pairFrames(tokenizers.source);
  const around = before.length + between.length + after.length;
  const length = blockLengthOf(context, recipe.objective.block_size, around + 1) + 1;
  const blocks = continuousBlocks(tokenStream(texts), length);
  const options = {
    endsSentence: endsSentence(tokenizers.source),
    separatorId: endOfText(tokenizers.source, model.config.eosTokenId),
    length,
  };
  return {
    // What is left at the end may be too short for two segments.
    length:
      blocks.length > 1 && blocks.lengthOf(blocks.length - 1) < length ? blocks.length - 1 : blocks.length,
    width: (index) => blocks.lengthOf(index) + around,
    row(index, random) {
      const step = blocks.length < 2 ? 0 : 1 + random.below(blocks.length - 1);
      const other = blocks.block((index + step) % blocks.length);
      const { first, second, isRandom } = pairSegments(blocks.block(index), other, options, random);
      const ids = [...before, ...first, ...between, ...second, ...after];
      const typeIds = ids.map((_, place) => (place < before.length + first.length + between.length ? 0 : 1));
      return { ids, typeIds, isRandom };
    },
  };
}

/** The special tokens that a tokenizer puts around two texts. */
function pairFrames(tokenizer: Tokenizer): { before: number[]; between: number[]; after: number[] } {
  const { ids, sequenceIds } = tokenizer.encode("a", { pair: "a" });
  const [first, second] = [0, 1].map((side) => [
    sequenceIds.indexOf(side),
    sequenceIds.lastIndexOf(side) + 1,
  ]) as [[number, number], [number, number]];
  return {
    before: ids.slice(0, first[0]),
    between: ids.slice(first[1], second[0]),
    after: ids.slice(second[1]),
  };
}
