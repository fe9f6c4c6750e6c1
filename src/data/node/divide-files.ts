import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";
import { heldOutLimit, sentenceNumber, wantedHeldOut } from "../held-out.ts";
import { LineReader, surveyTextFile } from "./line-reader.ts";
import { checkLineCounts } from "./parallel-corpus.ts";

export interface DivideOptions {
  readonly sourceFile: string;
  readonly targetFile: string;
  /** Where the parts are written; made where it is missing. */
  readonly folder: string;
  /** The names of the parts. */
  readonly names: {
    readonly train_source: string;
    readonly train_target: string;
    readonly validation_source: string;
    readonly validation_target: string;
  };
  /** Decides which pairs are held out. */
  readonly seed: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Divides two parallel files into training and validation: about one pair in fifty is held out, 1,000 at most, and no
 * source sentence (case and punctuation ignored) stands on both sides. Memory grows by four bytes a line.
 * Where there are too few pairs to hold one out, no validation files are written.
 * @throws QkvError where a file is missing, is not UTF-8, or the numbers of lines differ
 */
export async function divideParallelFiles(
  options: DivideOptions,
): Promise<{ readonly pairs: number; readonly heldOut: number }> {
  const { sourceFile, targetFile, folder, names, signal } = options;
  const pairs = surveyTextFile(sourceFile).lines;
  checkLineCounts(options, pairs, surveyTextFile(targetFile).lines);
  const pause = pauses(signal, (done) => options.onProgress?.(done, 2 * pairs));
  const numbers = new Uint32Array(pairs);
  const sources = new LineReader(sourceFile);
  try {
    for (let line = sources.next(); line !== undefined; line = sources.next()) {
      numbers[sources.lineNumber - 1] = sentenceNumber(line, options.seed);
      if (sources.lineNumber % 1024 === 0) await pause(sources.lineNumber);
    }
  } finally {
    sources.dispose();
  }
  const limit = heldOutLimit(numbers, wantedHeldOut(pairs));
  const heldOut = numbers.reduce((count, number) => count + (number < limit ? 1 : 0), 0);
  const parts = [names.train_source, names.train_target, names.validation_source, names.validation_target];
  try {
    mkdirSync(folder, { recursive: true });
    for (const name of parts) rmSync(join(folder, name), { force: true });
  } catch (error) {
    throw fileError(folder, "cannot make the folder", error);
  }
  for (const [file, train, validation, part] of [
    [sourceFile, names.train_source, names.validation_source, 0],
    [targetFile, names.train_target, names.validation_target, 1],
  ] as const) {
    const writers = [new LineWriter(join(folder, train)), new LineWriter(join(folder, validation))] as const;
    const reader = new LineReader(file);
    try {
      for (let line = reader.next(); line !== undefined; line = reader.next()) {
        writers[numbers[reader.lineNumber - 1]! < limit ? 1 : 0].add(line);
        if (reader.lineNumber % 1024 === 0) await pause(pairs + (part * pairs + reader.lineNumber) / 2);
      }
      writers[0].finish();
      if (heldOut > 0) writers[1].finish();
    } finally {
      reader.dispose();
      for (const writer of writers) writer.dispose();
    }
  }
  return { pairs, heldOut };
}

/** Lets others have their turn every now and then, and ends the work where it is asked to. */
function pauses(signal: AbortSignal | undefined, tell: (done: number) => void) {
  let last = performance.now();
  return async (done: number): Promise<void> => {
    if (performance.now() - last < 100) return;
    tell(Math.round(done));
    await nextTurn();
    if (signal?.aborted)
      throw new QkvError("interrupted", "dividing the text was stopped; nothing was trained");
    last = performance.now();
  };
}

/** Writes lines to a file that gets its name when it is complete. */
class LineWriter {
  readonly #path: string;
  readonly #partial: string;
  #file: number | undefined;
  #lines: string[] = [];
  #length = 0;

  constructor(path: string) {
    this.#path = path;
    this.#partial = `${path}.partial`;
    try {
      this.#file = openSync(this.#partial, "w");
    } catch (error) {
      throw fileError(path, "cannot write", error);
    }
  }

  add(line: string): void {
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#length > 1 << 20) this.#flush();
  }

  finish(): void {
    this.#flush();
    closeSync(this.#file!);
    this.#file = undefined;
    renameSync(this.#partial, this.#path);
  }

  /** Closes the file and removes it where it is not complete. */
  dispose(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
    rmSync(this.#partial, { force: true });
  }

  #flush(): void {
    if (this.#lines.length === 0) return;
    const bytes = Buffer.from(`${this.#lines.join("\n")}\n`);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file!, bytes, at);
    } catch (error) {
      throw fileError(this.#path, "cannot write", error);
    }
    this.#lines = [];
    this.#length = 0;
  }
}
