/**
 * Batches of sentence pairs. An epoch's batches are a pure function of the corpus, the options, the seed and the
 * epoch's number, so that a training that was stopped goes on at the same batch with nothing kept but its position.
 */
import { QkvError } from "../util/errors.ts";
import { RandomStream, randomKey, shuffle } from "../util/random.ts";
import type { ParallelCorpus } from "./parallel-corpus.ts";

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

/** Where a training stands: the batch that comes next. */
export interface BatchPosition {
  readonly epoch: number;
  /** Counted from 0 within the epoch. */
  readonly batch: number;
}

/** One batch of `batchesFrom`. */
export interface PositionedBatch {
  readonly position: BatchPosition;
  /** Where to go on after this batch. */
  readonly next: BatchPosition;
  readonly pairs: Int32Array;
}

/**
 * Cuts an epoch into batches of pairs with similar lengths: shuffles the pairs, sorts them by source length and,
 * among equal ones, by target length (what still ties stays shuffled, so that batches differ from epoch to epoch),
 * fills batches in this order, and shuffles the batches. Takes about half a microsecond a pair.
 * @throws QkvError where a limit is not a whole number of 1 or more, or a pair is longer than a whole batch
 */
export function epochBatches(
  corpus: ParallelCorpus,
  options: BatchOptions & { readonly epoch: number },
): EpochBatches {
  const { tokensPerBatch, maxSentences = Number.POSITIVE_INFINITY, seed, epoch } = options;
  checkAtLeastOne({ tokensPerBatch, maxSentences, lengthMultiple: options.lengthMultiple ?? 1 });
  const rows = rowLengths(corpus, options);
  const shuffled = new Int32Array(corpus.length);
  for (let pair = 0; pair < shuffled.length; pair++) shuffled[pair] = pair;
  shuffle(shuffled, new RandomStream(randomKey(seed, "batches.pairs", epoch)));
  const order = sortByLength(sortByLength(shuffled, rows.target), rows.source);

  const starts: number[] = [];
  let start = 0;
  let width = 0;
  for (let index = 0; index < order.length; index++) {
    const pair = order[index]!;
    const rowWidth = Math.max(rows.source(pair), rows.target(pair));
    if (rowWidth > tokensPerBatch) {
      throw new QkvError(
        "option",
        `batches: tokensPerBatch must hold the longest pair, end marks and padding included; got ` +
          `${tokensPerBatch}, but pair ${pair} takes ${rowWidth}; raise it or leave out longer pairs (maxLength)`,
      );
    }
    const widened = Math.max(width, rowWidth);
    const count = index - start + 1;
    if (index > start && (count * widened > tokensPerBatch || count > maxSentences)) {
      starts.push(start);
      start = index;
      width = rowWidth;
    } else {
      width = widened;
    }
  }
  if (order.length > start) starts.push(start);
  const batchOrder = Int32Array.from(starts, (_, batch) => batch);
  shuffle(batchOrder, new RandomStream(randomKey(seed, "batches.order", epoch)));
  return {
    length: starts.length,
    pairs: (batch) => {
      const place = batchOrder[batch]!;
      return order.subarray(starts[place]!, starts[place + 1] ?? order.length);
    },
  };
}

/**
 * Batches without end, epoch after epoch, from a position on. Starting at a batch's `next` gives the same batches as
 * going on without a stop.
 * @throws QkvError where the position lies beyond the epoch, as it may when the corpus or the options have changed
 */
export function* batchesFrom(
  corpus: ParallelCorpus,
  options: BatchOptions,
  start: BatchPosition = { epoch: 0, batch: 0 },
): Generator<PositionedBatch, never, undefined> {
  if (corpus.length === 0) {
    throw new QkvError("data", "batches: a corpus must hold at least one pair; got none; check the data");
  }
  let first = start.batch;
  for (let epoch = start.epoch; ; epoch++) {
    const batches = epochBatches(corpus, { ...options, epoch });
    if (!Number.isInteger(first) || first < 0 || first >= batches.length) {
      throw new QkvError(
        "data",
        `batches: a position must lie within epoch ${epoch}, which has ${batches.length} batches; got batch ` +
          `${first}; go on with the corpus and the options that the training began with`,
      );
    }
    for (let batch = first; batch < batches.length; batch++) {
      const next = batch + 1 < batches.length ? { epoch, batch: batch + 1 } : { epoch: epoch + 1, batch: 0 };
      yield { position: { epoch, batch }, next, pairs: batches.pairs(batch) };
    }
    first = 0;
  }
}

/** The widths that a pair needs in a batch, end marks and rounding included. */
function rowLengths(corpus: ParallelCorpus, options: RowOptions) {
  const multiple = options.lengthMultiple ?? 1;
  const sourceMarks = options.appendEos ? 1 : 0;
  const source = new Int32Array(corpus.length);
  const target = new Int32Array(corpus.length);
  for (let pair = 0; pair < corpus.length; pair++) {
    source[pair] = roundUp(corpus.sourceLength(pair) + sourceMarks, multiple);
    target[pair] = roundUp(corpus.targetLength(pair) + 1, multiple);
  }
  return { source: (pair: number) => source[pair]!, target: (pair: number) => target[pair]! };
}

/** The smallest multiple of `multiple` that is not below `length`. */
export function roundUp(length: number, multiple: number): number {
  return Math.ceil(length / multiple) * multiple;
}

/** A stable counting sort of pairs by a length. */
function sortByLength(pairs: Int32Array, lengthOf: (pair: number) => number): Int32Array {
  let longest = 0;
  for (const pair of pairs) longest = Math.max(longest, lengthOf(pair));
  const places = new Int32Array(longest + 2);
  for (const pair of pairs) places[lengthOf(pair) + 1]!++;
  for (let length = 1; length < places.length; length++) places[length]! += places[length - 1]!;
  const sorted = new Int32Array(pairs.length);
  for (const pair of pairs) sorted[places[lengthOf(pair)]!++] = pair;
  return sorted;
}

/** Throws unless each value is a whole number of 1 or more; infinity stands for no limit. */
export function checkAtLeastOne(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if ((Number.isInteger(value) || value === Number.POSITIVE_INFINITY) && value >= 1) continue;
    throw new QkvError("option", `batches: ${name} must be a whole number, 1 or more; got ${value}`);
  }
}
