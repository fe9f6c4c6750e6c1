/**
 * What the command line shows while it works: a progress bar on a terminal, plain lines in a file or pipe.
 */
import { Course } from "./course.ts";

import { barPieces, type ProgressFields, plainLine } from "./progress-line.ts";

export { formatCount, formatDuration, sparkline } from "../util/format.ts";
export type { ProgressFields } from "./progress-line.ts";

export interface ProgressOptions {
  /** How many steps there are in all; undefined where that is not known before. */
  readonly total: number | undefined;
  /** What is done, in a word or two. */
  readonly label: string;
  /** Where there is no terminal: a line at most this often. Default 10 seconds. */
  readonly secondsBetweenLines?: number;
}

/** A view of something under way. */
export interface Progress {
  /** Tells how far it is. Cheap enough to be called at every step: what comes too fast is not drawn. */
  update(fields: ProgressFields): void;
  /** Prints a line that stays, above the bar. */
  line(text: string): void;
  /** Removes the bar, or prints the last line where there is none. Nothing is drawn afterwards. */
  done(): void;
}

/**
 * Shows progress on a stream: on a terminal one line that is drawn again at most ten times a second, else a
 * line now and then. The environment variable NO_COLOR turns colours off.
 */
export function createProgress(stream: NodeJS.WriteStream, options: ProgressOptions): Progress {
  const isTerminal = stream.isTTY === true && process.env.TERM !== "dumb";
  return isTerminal ? new ProgressBar(stream, options) : new ProgressLines(stream, options);
}

const millisecondsBetweenDrawings = 100;

class ProgressBar implements Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #options: ProgressOptions;
  readonly #course: Course;
  readonly #isColored: boolean;
  #fields: ProgressFields | undefined;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #waiting: NodeJS.Timeout | undefined;
  #isDrawn = false;
  #isDone = false;

  constructor(stream: NodeJS.WriteStream, options: ProgressOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#course = new Course(options.total);
    this.#isColored = !process.env.NO_COLOR && stream.hasColors?.() === true;
  }

  update(fields: ProgressFields): void {
    if (this.#isDone) return;
    this.#fields = fields;
    this.#course.add(fields.step, fields.loss);
    this.#drawSoon();
  }

  line(text: string): void {
    this.#erase();
    this.#stream.write(`${text}\n`);
    if (!this.#isDone) this.#drawSoon();
  }

  done(): void {
    this.#erase();
    this.#isDone = true;
  }

  /** Draws now, or when the time between drawings has passed. */
  #drawSoon(): void {
    const wait = this.#drawnAt + millisecondsBetweenDrawings - performance.now();
    if (wait <= 0) this.#draw();
    else this.#waiting ??= setTimeout(() => this.#draw(), wait).unref();
  }

  #draw(): void {
    this.#stopWaiting();
    if (this.#fields === undefined) return;
    // A line that fills the last column makes some terminals begin another.
    const width = Math.max(1, (this.#stream.columns || 80) - 1);
    const pieces = barPieces(this.#fields, this.#options, this.#course, width);
    const line = pieces.map(({ text, style }) =>
      this.#isColored && style && text ? `\x1b[${style}m${text}\x1b[0m` : text,
    );
    this.#stream.write(`\r${line.join("")}\x1b[K`);
    this.#drawnAt = performance.now();
    this.#isDrawn = true;
  }

  #erase(): void {
    this.#stopWaiting();
    if (this.#isDrawn) this.#stream.write("\r\x1b[K");
    this.#isDrawn = false;
  }

  #stopWaiting(): void {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
  }
}

class ProgressLines implements Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #options: ProgressOptions;
  readonly #course: Course;
  /** What was told last and is not printed. */
  #fields: ProgressFields | undefined;
  #printedAt = Number.NEGATIVE_INFINITY;
  #isDone = false;

  constructor(stream: NodeJS.WriteStream, options: ProgressOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#course = new Course(options.total);
  }

  update(fields: ProgressFields): void {
    if (this.#isDone) return;
    this.#fields = fields;
    this.#course.add(fields.step, fields.loss);
    const pause = (this.#options.secondsBetweenLines ?? 10) * 1000;
    if (performance.now() - this.#printedAt >= pause) this.#print(fields);
  }

  line(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  done(): void {
    if (this.#fields !== undefined) this.#print(this.#fields);
    this.#isDone = true;
  }

  #print(fields: ProgressFields): void {
    this.#stream.write(`${plainLine(fields, this.#options, this.#course)}\n`);
    this.#printedAt = performance.now();
    this.#fields = undefined;
  }
}
