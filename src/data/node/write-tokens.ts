import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { NumberWriter } from "./number-writer.ts";
import {
  type ColumnHeader,
  type ColumnSpec,
  headerName,
  kindsOf,
  numbersPath,
  type StoreHeader,
  storeFormat,
  storeVersion,
  type WholeNumbers,
} from "./token-format.ts";

/** The numbers of one example in each column. */
export type TokenExample<Column extends string = string> = Readonly<Record<Column, ArrayLike<number>>>;

/** Examples in order; undefined stands for a row of the input that gives none. */
export type TokenExamples<Column extends string = string> =
  | Iterable<TokenExample<Column> | undefined>
  | AsyncIterable<TokenExample<Column> | undefined>;

/** What to write, and whom to tell. */
export interface WriteTokensOptions<Column extends string = string> {
  /** The folder that is meant in the end; for errors. */
  readonly folder: string;
  readonly columns: Readonly<Record<Column, ColumnSpec>>;
  /** What making the examples found, asked for when all are written; JSON data. Default: nothing. */
  readonly report?: () => unknown;
  /** The place of the example that was given last, for errors. Default: its number. */
  readonly placeOf?: (column: Column) => string;
  /** Told about ten times a second how many examples and rows without one are done, and at the end. */
  readonly onProgress?: (done: number) => void;
  /** Stops the work and leaves nothing behind. */
  readonly signal?: AbortSignal;
}

/**
 * Writes the files of prepared examples, in constant memory.
 * @param folder - empty
 * @param origin - what the header says of where the examples come from
 * @throws QkvError "data" where a number is not what its column may hold, or there is no example
 */
export async function writeTokens<Column extends string>(
  folder: string,
  options: WriteTokensOptions<Column>,
  examples: TokenExamples<Column>,
  origin: Pick<StoreHeader, "fingerprint" | "settings" | "inputs">,
): Promise<StoreHeader> {
  const columns: ColumnWriter[] = [];
  try {
    for (const name in options.columns) columns.push(new ColumnWriter(folder, name, options.columns[name]));
    const count = await writeExamples(columns, options, examples);
    for (const column of columns) column.close();
    const header: StoreHeader = {
      format: storeFormat,
      version: storeVersion,
      ...origin,
      examples: count,
      columns: Object.fromEntries(columns.map((column) => [column.name, column.header()])),
      report: options.report?.() ?? null,
    };
    writeFileSync(join(folder, headerName), `${JSON.stringify(header, null, 2)}\n`);
    return header;
  } finally {
    for (const column of columns) column.dispose();
  }
}

/** @returns how many there were */
async function writeExamples<Column extends string>(
  columns: readonly ColumnWriter[],
  options: WriteTokensOptions<Column>,
  examples: TokenExamples<Column>,
): Promise<number> {
  let done = 0;
  let count = 0;
  let lastPause = performance.now();
  const write = (example: TokenExample | undefined): void => {
    done++;
    if (example === undefined) return;
    if (count === 0) checkNames(columns, example);
    for (const column of columns) {
      const place = () => options.placeOf?.(column.name as Column) ?? `example ${count}: ${column.name}`;
      column.add(example[column.name]!, place);
    }
    count++;
  };
  const pause = async (): Promise<void> => {
    options.onProgress?.(done);
    await nextTurn();
    checkNotStopped(options);
    lastPause = performance.now();
  };
  const isPauseDue = (): boolean => done % 256 === 0 && performance.now() - lastPause > 100;
  checkNotStopped(options);
  // Two loops, since waiting for each example of a generator that never waits costs more than writing it.
  if (Symbol.iterator in examples) {
    for (const example of examples) {
      write(example);
      if (isPauseDue()) await pause();
    }
  } else {
    for await (const example of examples) {
      write(example);
      if (isPauseDue()) await pause();
    }
  }
  if (count === 0) {
    throw new QkvError(
      "data",
      `${options.folder}: at least one example must be left for training; got none of ${done} rows; ` +
        "check the files and the limits",
    );
  }
  options.onProgress?.(done);
  return count;
}

/** Refuses examples that have other columns than were announced; looked at once, since they all come from one place. */
function checkNames(columns: readonly ColumnWriter[], example: TokenExample): void {
  const known = columns.map((column) => column.name);
  for (const name of new Set([...known, ...Object.keys(example)])) {
    if (known.includes(name) && example[name] !== undefined) continue;
    const got = known.includes(name) ? `no "${name}"` : `"${name}"${didYouMean(name, known)}`;
    throw new QkvError("option", `examples: must have the columns ${known.join(", ")}; got ${got}`);
  }
}

function checkNotStopped({ folder, signal }: Pick<WriteTokensOptions, "folder" | "signal">): void {
  if (!signal?.aborted) return;
  throw new QkvError("interrupted", `${folder}: preparing the corpus was stopped; nothing was written`);
}

/** Writes one column. */
class ColumnWriter {
  readonly name: string;
  readonly #spec: ColumnSpec;
  readonly #kinds: ReturnType<typeof kindsOf>;
  readonly #lengths: NumberWriter;
  readonly #tokens: NumberWriter;

  constructor(folder: string, name: string, spec: ColumnSpec) {
    this.name = name;
    this.#spec = spec;
    this.#kinds = kindsOf(spec);
    this.#lengths = new NumberWriter(numbersPath(folder, name, "lengths"), this.#kinds.lengthKind);
    this.#tokens = new NumberWriter(numbersPath(folder, name, "tokens"), this.#kinds.kind);
  }

  /** Adds the numbers of one example, after checking them. */
  add(values: ArrayLike<number>, place: () => string): void {
    if ("bound" in this.#spec) checkWhole(values, this.#spec, place);
    else checkFinite(values, place);
    const { longest = 2 ** 32 - 1 } = this.#spec;
    if (values.length > longest) {
      throw new QkvError("data", `${place()}: must have at most ${longest} numbers; got ${values.length}`);
    }
    this.#lengths.add(values.length);
    this.#tokens.addAll(values);
  }

  close(): void {
    this.#lengths.close();
    this.#tokens.close();
  }

  dispose(): void {
    this.#lengths.dispose();
    this.#tokens.dispose();
  }

  header(): ColumnHeader {
    return {
      ...this.#kinds,
      bound: "bound" in this.#spec ? this.#spec.bound : null,
      numbers: this.#tokens.count,
      lengthsChecksum: this.#lengths.checksum,
      tokensChecksum: this.#tokens.checksum,
    };
  }
}

function checkWhole(
  values: ArrayLike<number>,
  { bound, least = 0 }: WholeNumbers,
  place: () => string,
): void {
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (value >= least && value < bound && Number.isInteger(value)) continue;
    const [what, wayOut] =
      least < 0
        ? ["labels", "check what makes them"]
        : ["token ids", "check that the tokenizer and the vocabulary size belong together"];
    throw new QkvError(
      "data",
      `${place()}: ${what} must be whole numbers from ${least} to ${bound - 1}; got ${value}; ${wayOut}`,
    );
  }
}

function checkFinite(values: ArrayLike<number>, place: () => string): void {
  for (let index = 0; index < values.length; index++) {
    if (Number.isFinite(Math.fround(values[index]!))) continue;
    throw new QkvError(
      "data",
      `${place()}: must be finite numbers in single precision; got ${values[index]}`,
    );
  }
}
