import { means } from "../util/format.ts";

/** The time over which the speed is measured, in milliseconds. */
const speedWindow = 60_000;
const longestHistory = 256;

/** What is remembered of the steps so far: how fast they went, and the course of the losses. */
export class Course {
  readonly #total: number | undefined;
  readonly #marks: { readonly time: number; readonly step: number }[] = [];
  #step = 0;
  #losses: number[] = [];
  /** How many values each of `#losses` is the mean of, and how many of them the last one has so far. */
  #lossesEach = 1;
  #lossesInLast = 1;

  /** @param total - how many steps there are, where that is known */
  constructor(total: number | undefined) {
    this.#total = total;
  }

  /** The losses from the first on; where there are many, means of equally many. */
  get losses(): readonly number[] {
    return this.#losses;
  }

  add(step: number, loss?: number): void {
    const time = performance.now();
    this.#step = step;
    const last = this.#marks.at(-1);
    if (last === undefined || time - last.time >= 1000) this.#marks.push({ time, step });
    while (this.#marks.length > 2 && time - this.#marks[1]!.time > speedWindow) this.#marks.shift();
    if (loss !== undefined && Number.isFinite(loss)) this.#addLoss(loss);
  }

  /** Seconds to the end at the speed of the last minute, if there is a speed yet. */
  secondsLeft(): number | undefined {
    const first = this.#marks[0];
    if (this.#total === undefined || first === undefined || this.#step <= first.step) return undefined;
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
    if (this.#losses.length === longestHistory) {
      this.#losses = means(this.#losses, longestHistory / 2);
      this.#lossesEach *= 2;
    }
    this.#losses.push(loss);
    this.#lossesInLast = 1;
  }
}
