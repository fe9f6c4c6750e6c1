/**
 * Which examples make up each batch: a pure function of the examples' lengths, the options, the seed and the number of
 * the epoch (or of the step), so that a training that was stopped goes on at the same batch with nothing kept but its
 * position.
 */
import { QkvError } from "../util/errors.ts";
import { RandomStream, randomKey, shuffle } from "../util/random.ts";
import type { TokenRows } from "./token-column.ts";

/** The batches of one epoch. */
export interface EpochRows {
  /** The number of batches. */
  readonly length: number;
  /** The positions of a batch's examples; a view that must not be written to. */
  rows(batch: number): Int32Array;
}

/** Where a training stands: the batch that comes next. */
export interface BatchPosition {
  readonly epoch: number;
  /** Counted from 0 within the epoch. */
  readonly batch: number;
}

/** One batch of `rowsFrom`. */
export interface PositionedRows {
  readonly position: BatchPosition;
  /** Where to go on after this batch. */
  readonly next: BatchPosition;
  readonly rows: Int32Array;
}

/** How large the batches of `lengthBatches` may be. */
export interface LengthBatchOptions {
  /** The most tokens a batch may hold, padding included: rows times the widest, as fairseq counts. */
  readonly tokensPerBatch: number;
  /** The most rows a batch may hold. Default: no limit. */
  readonly maxRows?: number;
  /** The seed of the shuffling. */
  readonly seed: number;
  readonly epoch: number;
}

/**
 * Cuts an epoch into batches of examples with similar lengths, each example in exactly one: shuffles the examples,
 * sorts them by their first width and, among equal ones, by their second (what still ties stays shuffled, so that
 * batches differ from epoch to epoch), fills batches in this order, and shuffles the batches.
 * @param widths - the tokens that each example takes in a batch, marks and rounding included; several lists where an
 *   example has several sides, each of which must keep to the limit
 * @param noun - what an example is called in errors, and in the address of the random numbers
 * @throws QkvError where a limit is not a whole number of 1 or more, or an example is longer than a whole batch
 */
export function lengthBatches(
  widths: readonly [Int32Array, ...Int32Array[]],
  options: LengthBatchOptions,
  noun = "example",
): EpochRows {
  const { tokensPerBatch, maxRows = Number.POSITIVE_INFINITY, seed, epoch } = options;
  checkAtLeastOne({ tokensPerBatch, maxRows });
  let order: Int32Array = shuffledRows(widths[0].length, noun, seed, epoch);
  for (const side of widths.toReversed()) order = sortByLength(order, side);

  const starts: number[] = [];
  let start = 0;
  let width = 0;
  for (let index = 0; index < order.length; index++) {
    const row = order[index]!;
    let rowWidth = 0;
    for (const side of widths) rowWidth = Math.max(rowWidth, side[row]!);
    if (rowWidth > tokensPerBatch) {
      throw new QkvError(
        "option",
        `batches: tokensPerBatch (in a recipe max_tokens) must hold the longest ${noun}, end marks and padding ` +
          `included; got ${tokensPerBatch}, but ${noun} ${row} takes ${rowWidth}; raise it or take shorter texts ` +
          "(in a recipe max_length, max_source_length)",
      );
    }
    const widened = Math.max(width, rowWidth);
    const count = index - start + 1;
    if (index > start && (count * widened > tokensPerBatch || count > maxRows)) {
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
    rows: (batch) => {
      const place = batchOrder[batch]!;
      return order.subarray(starts[place]!, starts[place + 1] ?? order.length);
    },
  };
}

/**
 * The widths that single examples take in a batch, for `lengthBatches`.
 * @param marks - how many tokens each gets besides its own, such as a begin and an end mark; default 0
 * @param lengthMultiple - rows are padded to a multiple of this many tokens; default 1
 */
export function widthsOf(examples: TokenRows, { marks = 0, lengthMultiple = 1 } = {}): Int32Array {
  checkAtLeastOne({ lengthMultiple });
  const widths = new Int32Array(examples.length);
  for (let row = 0; row < widths.length; row++) {
    widths[row] = roundUp(examples.lengthOf(row) + marks, lengthMultiple);
  }
  return widths;
}

/** How `fixedBatches` divides an epoch. */
export interface FixedBatchOptions {
  readonly rowsPerBatch: number;
  /** Whether the rows that do not fill a batch are left out of the epoch. Default false: they are the last batch. */
  readonly dropLast?: boolean;
  /** The seed of the shuffling. */
  readonly seed: number;
  readonly epoch: number;
}

/**
 * Cuts an epoch into batches of so many rows, in random order.
 * @throws QkvError where the number is not a whole one of 1 or more
 */
export function fixedBatches(count: number, options: FixedBatchOptions): EpochRows {
  const { rowsPerBatch, dropLast = false, seed, epoch } = options;
  checkAtLeastOne({ rowsPerBatch });
  const order = shuffledRows(count, "example", seed, epoch);
  const batches = count / rowsPerBatch;
  return {
    length: dropLast ? Math.floor(batches) : Math.ceil(batches),
    rows: (batch) => order.subarray(batch * rowsPerBatch, (batch + 1) * rowsPerBatch),
  };
}

/**
 * Batches without end, epoch after epoch, from a position on. Starting at a batch's `next` gives the same batches as
 * going on without a stop.
 * @param epochOf - the batches of an epoch
 * @throws QkvError where the position lies beyond the epoch, as it may when the data or the options have changed, or an
 * epoch has no batch
 */
export function* rowsFrom(
  epochOf: (epoch: number) => EpochRows,
  start: BatchPosition = { epoch: 0, batch: 0 },
): Generator<PositionedRows, never, undefined> {
  let first = start.batch;
  for (let epoch = start.epoch; ; epoch++) {
    const batches = epochOf(epoch);
    if (batches.length === 0) {
      throw new QkvError("data", "batches: an epoch must have at least one batch; got none; check the data");
    }
    if (!Number.isInteger(first) || first < 0 || first >= batches.length) {
      throw new QkvError(
        "data",
        `batches: a position must lie within epoch ${epoch}, which has ${batches.length} batches; got batch ` +
          `${first}; go on with the corpus and the options that the training began with`,
      );
    }
    for (let batch = first; batch < batches.length; batch++) {
      const next = batch + 1 < batches.length ? { epoch, batch: batch + 1 } : { epoch: epoch + 1, batch: 0 };
      yield { position: { epoch, batch }, next, rows: batches.rows(batch) };
    }
    first = 0;
  }
}

/** Which rows a step of `randomRows` sees. */
export interface RandomRowOptions {
  /** How many rows a batch has. */
  readonly rowsPerBatch: number;
  readonly seed: number;
}

/**
 * Rows drawn at random, each by itself, batch after batch without epochs: a pure function of the seed and the batch's
 * number. For windows of a long stream of tokens, N tokens each with the token behind it as the last one's label, the
 * rows are the places where a window may begin: `count` is the stream's length less N. Source: nanoGPT's `get_batch`.
 * @param count - how many rows there are to draw from
 * @throws QkvError where there are none, or the number of a batch is not a whole one of 1 or more
 */
export function* randomRows(
  count: number,
  { rowsPerBatch, seed }: RandomRowOptions,
  start: BatchPosition = { epoch: 0, batch: 0 },
): Generator<Omit<PositionedRows, "rows"> & { readonly rows: Float64Array }, never, undefined> {
  checkAtLeastOne({ rowsPerBatch });
  if (!(count >= 1)) {
    throw new QkvError(
      "data",
      `windows: there must be at least one place where a window may begin; got ${count}; ` +
        "take shorter windows or more text",
    );
  }
  for (let batch = start.batch; ; batch++) {
    const random = new RandomStream(randomKey(seed, "batches.windows", batch));
    const rows = Float64Array.from({ length: rowsPerBatch }, () => random.below(count));
    yield { position: { epoch: 0, batch }, next: { epoch: 0, batch: batch + 1 }, rows };
  }
}

/** The smallest multiple of `multiple` that is not below `length`. */
export function roundUp(length: number, multiple: number): number {
  return Math.ceil(length / multiple) * multiple;
}

/** Throws unless each value is a whole number of 1 or more; infinity stands for no limit. */
export function checkAtLeastOne(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if ((Number.isInteger(value) || value === Number.POSITIVE_INFINITY) && value >= 1) continue;
    throw new QkvError("option", `batches: ${name} must be a whole number, 1 or more; got ${value}`);
  }
}

function shuffledRows(count: number, noun: string, seed: number, epoch: number): Int32Array {
  const rows = new Int32Array(count);
  for (let row = 0; row < count; row++) rows[row] = row;
  return shuffle(rows, new RandomStream(randomKey(seed, `batches.${noun}s`, epoch)));
}

/** A stable counting sort of rows by a length. */
function sortByLength(rows: Int32Array, lengths: Int32Array): Int32Array {
  let longest = 0;
  for (const row of rows) longest = Math.max(longest, lengths[row]!);
  const places = new Int32Array(longest + 2);
  for (const row of rows) places[lengths[row]! + 1]!++;
  for (let length = 1; length < places.length; length++) places[length]! += places[length - 1]!;
  const sorted = new Int32Array(rows.length);
  for (const row of rows) sorted[places[lengths[row]!]!++] = row;
  return sorted;
}
