import { QkvError } from "../util/errors.ts";

/** Numbers of one example; a view that must not be written to. */
export type TokenArray = Uint16Array | Uint32Array | Int16Array | Int32Array | Float32Array;

/** For each example so many numbers: the ids of its tokens, their labels, targets of a regression ... */
export interface TokenRows {
  /** The number of examples. */
  readonly length: number;
  /** How many numbers an example has; never reads from a disk. */
  lengthOf(example: number): number;
  /** The numbers of an example. */
  values(example: number): TokenArray;
}

/** One column of tokenized examples, whether they lie in memory or on a disk. */
export interface TokenColumn extends TokenRows {
  /** The numbers of all examples together. */
  readonly total: number;
  /** Where an example begins if all stand one after another; never reads from a disk. */
  offsetOf(example: number): number;
  /** The numbers of an example, or those from one position up to before another. */
  values(example: number, from?: number, to?: number): TokenArray;
  /** Numbers from one position up to before another, counted as if all examples stood one after another. */
  range(from: number, to: number): TokenArray;
}

/** A column whose numbers lie in memory, one example behind another. */
export class ResidentColumn implements TokenColumn {
  readonly length: number;
  readonly total: number;
  readonly #lengths: Uint16Array | Uint32Array;
  readonly #offsets: Uint32Array | Float64Array;
  readonly #numbers: TokenArray;

  constructor(lengths: Uint16Array | Uint32Array, numbers: TokenArray) {
    this.length = lengths.length;
    this.total = numbers.length;
    this.#lengths = lengths;
    this.#offsets = offsetsOf(lengths, numbers.length);
    this.#numbers = numbers;
  }

  lengthOf(example: number): number {
    return this.#lengths[example]!;
  }

  offsetOf(example: number): number {
    return this.#offsets[example]!;
  }

  values(example: number, from = 0, to = this.#lengths[example]!): TokenArray {
    const offset = this.#offsets[example]!;
    return this.#numbers.subarray(offset + from, offset + to);
  }

  range(from: number, to: number): TokenArray {
    return this.#numbers.subarray(from, to);
  }
}

/**
 * A column in memory from examples that are tokenized already; the numbers are copied.
 * @param examples - whole numbers of 32 bits with sign
 * @throws QkvError "data" for any other number
 */
export function tokenColumnOf(examples: readonly ArrayLike<number>[]): TokenColumn {
  const lengths = Uint32Array.from(examples, (example) => example.length);
  const numbers = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const [index, example] of examples.entries()) {
    for (let position = 0; position < example.length; position++) {
      const number = example[position]!;
      if (number !== (number | 0)) {
        throw new QkvError(
          "data",
          `tokens: example ${index}: must be whole numbers of 32 bits; got ${number} at position ${position}; ` +
            "check the tokenizer",
        );
      }
      numbers[at++] = number;
    }
  }
  return new ResidentColumn(lengths, numbers);
}

/** Some of the examples, by their positions: row N is example `positions[N]`. */
export function selectRows(examples: TokenRows, positions: Int32Array): TokenRows {
  return {
    length: positions.length,
    lengthOf: (row) => examples.lengthOf(positions[row]!),
    values: (row) => examples.values(positions[row]!),
  };
}

/** Where each example begins, in numbers; `total` is the sum of all lengths. */
export function offsetsOf(lengths: Uint16Array | Uint32Array, total: number): Uint32Array | Float64Array {
  const offsets = total < 2 ** 32 ? new Uint32Array(lengths.length) : new Float64Array(lengths.length);
  let offset = 0;
  for (let example = 0; example < lengths.length; example++) {
    offsets[example] = offset;
    offset += lengths[example]!;
  }
  return offsets;
}
