/** What the command line shows while it works: a progress bar on a terminal, plain lines in a file or pipe. */

/** What is known at a moment. Fields left out are not shown. */
export interface ProgressFields {
  /** How much of the total is done. */
  readonly step: number;
  /** Shown as a number, and its course as a sparkline. */
  readonly loss?: number;
  readonly perplexity?: number;
  readonly learningRate?: number;
  readonly gradientNorm?: number;
  readonly tokensPerSecond?: number;
  /** Default: estimated from the steps of the last minute. */
  readonly secondsLeft?: number;
}

export interface ProgressOptions {
  /** How many steps there are in all. */
  readonly total: number;
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

/** A piece of the bar. */
interface Segment {
  readonly text: string;
  /** The terminal's code for the piece as a whole (SGR), if it has one. */
  readonly style?: string;
}

const millisecondsBetweenDrawings = 100;
/** The time over which the speed is measured, in milliseconds. */
const speedWindow = 60_000;
const longestHistory = 256;
const dim = "2";
const bold = "1";
const green = "32";

/** Shows progress on a stream: one line that is drawn again and again on a terminal, else a line now and then. */
export function createProgress(stream: NodeJS.WriteStream, options: ProgressOptions): Progress {
  const isTerminal = stream.isTTY === true && process.env.TERM !== "dumb";
  return isTerminal ? new ProgressBar(stream, options) : new ProgressLines(stream, options);
}

class ProgressBar implements Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #options: ProgressOptions;
  readonly #course: Course;
  readonly #colored: boolean;
  #fields: ProgressFields | undefined;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #waiting: NodeJS.Timeout | undefined;
  #isDrawn = false;
  #isDone = false;

  constructor(stream: NodeJS.WriteStream, options: ProgressOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#course = new Course(options.total);
    this.#colored = !process.env.NO_COLOR && stream.hasColors?.() === true;
  }

  update(fields: ProgressFields): void {
    if (this.#isDone) return;
    this.#fields = fields;
    this.#course.add(fields);
    const wait = this.#drawnAt + millisecondsBetweenDrawings - performance.now();
    if (wait <= 0) this.#draw();
    else this.#waiting ??= setTimeout(() => this.#draw(), wait).unref();
  }

  line(text: string): void {
    this.#erase();
    this.#stream.write(`${text}\n`);
    if (!this.#isDone) this.#draw();
  }

  done(): void {
    this.#erase();
    this.#isDone = true;
  }

  #draw(): void {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    if (this.#fields === undefined) return;
    this.#drawnAt = performance.now();
    this.#isDrawn = true;
    // A line that fills the last column makes some terminals begin another.
    const width = Math.max(1, (this.#stream.columns ?? 80) - 1);
    const segments = barSegments(this.#fields, this.#options, this.#course, width);
    const text = segments
      .map(({ text, style }) => (this.#colored && style ? `\x1b[${style}m${text}\x1b[0m` : text))
      .join("");
    this.#stream.write(`\r${text}\x1b[K`);
  }

  #erase(): void {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    if (this.#isDrawn) this.#stream.write("\r\x1b[K");
    this.#isDrawn = false;
  }
}

class ProgressLines implements Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #options: ProgressOptions;
  readonly #course: Course;
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
    this.#course.add(fields);
    const pause = (this.#options.secondsBetweenLines ?? 10) * 1000;
    if (performance.now() - this.#printedAt >= pause) this.#print();
  }

  line(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  done(): void {
    if (this.#fields !== undefined) this.#print();
    this.#isDone = true;
  }

  #print(): void {
    const { label, total } = this.#options;
    const parts = [`${label} ${stepText(this.#fields!.step, total)}`, ...fieldTexts(this.#fields!, this.#course)];
    this.#stream.write(`${parts.join("  ")}\n`);
    this.#printedAt = performance.now();
    this.#fields = undefined;
  }
}

/** What is remembered of the steps so far: how fast they went, and the losses. */
class Course {
  readonly #total: number;
  readonly #marks: { readonly time: number; readonly step: number }[] = [];
  #step = 0;
  #losses: number[] = [];
  /** How many values each of `#losses` is the mean of, and how many of them the last one has so far. */
  #lossesEach = 1;
  #lossesInLast = 1;

  constructor(total: number) {
    this.#total = total;
  }

  /** The course of the losses, thinned out evenly where it is long. */
  get losses(): readonly number[] {
    return this.#losses;
  }

  add({ step, loss }: ProgressFields): void {
    const time = performance.now();
    this.#step = step;
    if (time - (this.#marks.at(-1)?.time ?? Number.NEGATIVE_INFINITY) >= 1000) this.#marks.push({ time, step });
    while (this.#marks.length > 2 && time - this.#marks[1]!.time > speedWindow) this.#marks.shift();
    if (loss !== undefined && Number.isFinite(loss)) this.#addLoss(loss);
  }

  /** Seconds to the end at the speed of the last minute, if there is a speed yet. */
  secondsLeft(): number | undefined {
    const first = this.#marks[0];
    if (first === undefined || this.#step <= first.step) return undefined;
    const seconds = (performance.now() - first.time) / 1000;
    return (seconds / (this.#step - first.step)) * Math.max(0, this.#total - this.#step);
  }

  #addLoss(loss: number): void {
    const last = this.#losses.length - 1;
    if (this.#lossesInLast < this.#lossesEach) {
      this.#lossesInLast++;
      this.#losses[last]! += (loss - this.#losses[last]!) / this.#lossesInLast;
      return;
    }
    this.#losses.push(loss);
    this.#lossesInLast = 1;
    if (this.#losses.length < longestHistory) return;
    this.#losses = means(this.#losses, longestHistory / 2);
    this.#lossesEach *= 2;
    this.#lossesInLast = this.#lossesEach;
  }
}
