import { QkvError } from "../util/errors.ts";
import type { RowOptions } from "./batches.ts";
import type { ParallelCorpus, TokenIds } from "./parallel-corpus.ts";
import { checkAtLeastOne, roundUp } from "./sampling.ts";

/** The special ids that are put around and behind the sentences. */
export interface CollateOptions extends RowOptions {
  /** Fills rows up; must not occur in sentences. */
  readonly padId: number;
  /** Stands before each target in the decoder's input. */
  readonly bosId: number;
  /** Stands behind each target in the labels, and with `appendEos` behind each source. */
  readonly eosId: number;
}

/** A batch for teacher forcing: arrays of ids, row after row, padded at the end of each row. */
export interface Batch {
  /** The number of pairs. */
  readonly rows: number;
  readonly sourceWidth: number;
  readonly targetWidth: number;
  /** [rows, sourceWidth]: the source, with an end mark if `appendEos`. */
  readonly source: Int32Array;
  /** [rows]: tokens of each source, its end mark included, padding not. */
  readonly sourceLengths: Int32Array;
  /** [rows, targetWidth]: what the decoder reads, the begin mark and the target. */
  readonly targetInput: Int32Array;
  /** [rows, targetWidth]: what it must say next, the target and the end mark. */
  readonly labels: Int32Array;
  /** [rows]: tokens of each row of `labels`, padding not included. */
  readonly targetLengths: Int32Array;
  /** The number of labels that are not padding: the sum of `targetLengths`. */
  readonly tokenCount: number;
  /** The number of source tokens that are not padding: the sum of `sourceLengths`. */
  readonly sourceTokenCount: number;
}

/**
 * Puts pairs of a corpus into one batch. With a source a b c and a target x y:
 * source = a b c (eos), target input = bos x y, labels = x y eos, each padded to the longest row of the batch and
 * up to a multiple of `lengthMultiple`.
 * @param pairs - positions in the corpus, one for each row
 * @throws QkvError where a row would get a second end mark: a target, or with `appendEos` a source, that has one
 */
export function collate(corpus: ParallelCorpus, pairs: ArrayLike<number>, options: CollateOptions): Batch {
  const { padId, bosId, eosId, appendEos = false, lengthMultiple = 1 } = options;
  checkAtLeastOne({ lengthMultiple });
  const rows = pairs.length;
  const sourceMarks = appendEos ? 1 : 0;
  const sourceLengths = new Int32Array(rows);
  const targetLengths = new Int32Array(rows);
  let sourceWidth = 0;
  let targetWidth = 0;
  let tokenCount = 0;
  let sourceTokenCount = 0;
  for (let row = 0; row < rows; row++) {
    const sourceLength = corpus.sourceLength(pairs[row]!) + sourceMarks;
    const targetLength = corpus.targetLength(pairs[row]!) + 1;
    sourceLengths[row] = sourceLength;
    targetLengths[row] = targetLength;
    sourceWidth = Math.max(sourceWidth, sourceLength);
    targetWidth = Math.max(targetWidth, targetLength);
    sourceTokenCount += sourceLength;
    tokenCount += targetLength;
  }
  sourceWidth = roundUp(sourceWidth, lengthMultiple);
  targetWidth = roundUp(targetWidth, lengthMultiple);
  const source = new Int32Array(rows * sourceWidth).fill(padId);
  const targetInput = new Int32Array(rows * targetWidth).fill(padId);
  const labels = new Int32Array(rows * targetWidth).fill(padId);
  for (let row = 0; row < rows; row++) {
    const sourceIds = corpus.source(pairs[row]!);
    const targetIds = corpus.target(pairs[row]!);
    const sourceStart = row * sourceWidth;
    const targetStart = row * targetWidth;
    source.set(sourceIds, sourceStart);
    if (appendEos) {
      checkNoEndMark("source", sourceIds, eosId, pairs[row]!);
      source[sourceStart + sourceIds.length] = eosId;
    }
    checkNoEndMark("target", targetIds, eosId, pairs[row]!);
    targetInput[targetStart] = bosId;
    targetInput.set(targetIds, targetStart + 1);
    labels.set(targetIds, targetStart);
    labels[targetStart + targetIds.length] = eosId;
  }
  return {
    rows,
    sourceWidth,
    targetWidth,
    source,
    sourceLengths,
    targetInput,
    labels,
    targetLengths,
    tokenCount,
    sourceTokenCount,
  };
}

function checkNoEndMark(side: "source" | "target", ids: TokenIds, eosId: number, pair: number): void {
  if (ids.length === 0 || ids[ids.length - 1] !== eosId) return;
  const wayOut = side === "source" ? "leave appendEos out" : "tokenize targets without special tokens";
  throw new QkvError(
    "option",
    `collate: a ${side} that gets an end mark must not have one; got pair ${pair}, which ends with ${eosId}; ${wayOut}`,
  );
}
