/** What was added up since the last record: a checkpoint has it, so that a run that goes on writes the same record. */
export interface WindowSums {
  readonly loss: number;
  readonly count: number;
  readonly seconds: number;
}

const empty: WindowSums = { loss: 0, count: 0, seconds: 0 };

/** Loss and speed between two records. */
export class LogWindow {
  #sums: WindowSums;
  #since = performance.now();

  constructor(sums: WindowSums = empty) {
    this.#sums = sums;
  }

  get sums(): WindowSums {
    return this.#sums;
  }

  add(loss: number, count: number): number {
    const now = performance.now();
    const seconds = (now - this.#since) / 1000;
    this.#since = now;
    const sums = this.#sums;
    this.#sums = { loss: sums.loss + loss, count: sums.count + count, seconds: sums.seconds + seconds };
    return seconds;
  }

  take(): { loss: number; tokensPerSecond: number } {
    const { loss, count, seconds } = this.#sums;
    this.#sums = empty;
    return { loss: loss / count, tokensPerSecond: Math.round(count / seconds) };
  }

  /** Leaves the time since the last step (a validation) out. */
  restart(): void {
    this.#since = performance.now();
  }
}
