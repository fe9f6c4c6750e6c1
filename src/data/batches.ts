/**
 * Batches of sentence pairs. An epoch's batches are a pure function of the corpus, the options, the seed and the
 * epoch's number, so that a training that was stopped goes on at the same batch with nothing kept but its position.
 */
import { QkvError } from "../util/errors.ts";
import type { ParallelCorpus } from "./parallel-corpus.ts";
import {
  type BatchPosition,
  checkAtLeastOne,
  type EpochRows,
  lengthBatches,
  roundUp,
  rowsFrom,
} from "./sampling.ts";

export type { BatchPosition } from "./sampling.ts";

/** What decides the width of a batch's rows; `epochBatches` and `collate` must be given the same. */
export interface RowOptions {
  /** Rows are padded to a multiple of this many tokens. Default 1. */
  readonly lengthMultiple?: number;
  /**
   * Whether each source gets an end mark, for corpora whose tokenizer did not put one there. Default false.
   * Targets always get theirs.
   */
  readonly appendEos?: boolean;
}

/** How an epoch is cut into batches. */
export interface BatchOptions extends RowOptions {
  /**
   * The most tokens a batch may hold on either side, padding and end marks included: sentences times the longest,
   * as fairseq counts.
   */
  readonly tokensPerBatch: number;
  /** The most sentences a batch may hold. Default: no limit. */
  readonly maxSentences?: number;
  /** The seed of the shuffling. */
  readonly seed: number;
}

/** The batches of one epoch; together they hold every pair exactly once. */
export interface EpochBatches {
  /** The number of batches. */
  readonly length: number;
  /** The positions in the corpus of a batch's pairs; a view that must not be written to. */
  pairs(batch: number): Int32Array;
}

/** One batch of `batchesFrom`. */
export interface PositionedBatch {
  readonly position: BatchPosition;
  /** Where to go on after this batch. */
  readonly next: BatchPosition;
  readonly pairs: Int32Array;
}

/**
 * Cuts an epoch into batches of pairs with similar lengths, as `lengthBatches` does, by source length and, among equal
 * ones, by target length. Takes about half a microsecond a pair.
 * @throws QkvError where a limit is not a whole number of 1 or more, or a pair is longer than a whole batch
 */
export function epochBatches(
  corpus: ParallelCorpus,
  options: BatchOptions & { readonly epoch: number },
): EpochBatches {
  const { length, rows } = epochRows(corpus, options);
  return { length, pairs: rows };
}

/**
 * Batches without end, epoch after epoch, from a position on. Starting at a batch's `next` gives the same batches as
 * going on without a stop.
 * @throws QkvError where the position lies beyond the epoch, as it may when the corpus or the options have changed
 */
export function* batchesFrom(
  corpus: ParallelCorpus,
  options: BatchOptions,
  start?: BatchPosition,
): Generator<PositionedBatch, never, undefined> {
  if (corpus.length === 0) {
    throw new QkvError("data", "batches: a corpus must hold at least one pair; got none; check the data");
  }
  for (const { position, next, rows } of rowsFrom(
    (epoch) => epochRows(corpus, { ...options, epoch }),
    start,
  )) {
    yield { position, next, pairs: rows };
  }
  throw new QkvError("internal", "batches: never end");
}

function epochRows(corpus: ParallelCorpus, options: BatchOptions & { readonly epoch: number }): EpochRows {
  const { tokensPerBatch, maxSentences, lengthMultiple = 1, seed, epoch } = options;
  checkAtLeastOne({
    tokensPerBatch,
    maxSentences: maxSentences ?? Number.POSITIVE_INFINITY,
    lengthMultiple,
  });
  const limits = {
    tokensPerBatch,
    seed,
    epoch,
    ...(maxSentences !== undefined && { maxRows: maxSentences }),
  };
  return lengthBatches(rowWidths(corpus, options), limits, "pair");
}

/** The widths that each pair needs in a batch, end marks and rounding included. */
function rowWidths(corpus: ParallelCorpus, options: RowOptions): readonly [Int32Array, Int32Array] {
  const multiple = options.lengthMultiple ?? 1;
  const sourceMarks = options.appendEos ? 1 : 0;
  const source = new Int32Array(corpus.length);
  const target = new Int32Array(corpus.length);
  for (let pair = 0; pair < corpus.length; pair++) {
    source[pair] = roundUp(corpus.sourceLength(pair) + sourceMarks, multiple);
    target[pair] = roundUp(corpus.targetLength(pair) + 1, multiple);
  }
  return [source, target];
}
