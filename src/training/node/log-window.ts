/** Loss and speed between two records. */
export class LogWindow {
  #loss = 0;
  #count = 0;
  #seconds = 0;
  #since = performance.now();

  add(loss: number, count: number): number {
    const now = performance.now();
    const seconds = (now - this.#since) / 1000;
    this.#since = now;
    this.#loss += loss;
    this.#count += count;
    this.#seconds += seconds;
    return seconds;
  }

  take(): { loss: number; tokensPerSecond: number } {
    const result = {
      loss: this.#loss / this.#count,
      tokensPerSecond: Math.round(this.#count / this.#seconds),
    };
    this.#loss = this.#count = this.#seconds = 0;
    return result;
  }

  /** Leaves the time since the last step (a validation) out. */
  restart(): void {
    this.#since = performance.now();
  }
}
