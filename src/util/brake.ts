/**
 * Lets somebody stop work for a while and let it go on: what an AbortSignal is for stopping for good. The work asks
 * between two of its parts whether the brake is on, and waits until it is released.
 */
export class Brake {
  #isOn = false;
  readonly #listeners = new Set<(isOn: boolean) => void>();

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Puts it on or releases it; to say the same twice changes nothing. */
  set(isOn: boolean): void {
    if (isOn === this.#isOn) return;
    this.#isOn = isOn;
    for (const listener of [...this.#listeners]) listener(isOn);
  }

  /**
   * Calls `listener` at each change.
   * @returns ends that
   */
  onChange(listener: (isOn: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the brake is off, or the work is to be stopped for good. */
  async released(signal: AbortSignal): Promise<void> {
    if (!this.#isOn || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        forget();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const forget = this.onChange((isOn) => !isOn && end());
      signal.addEventListener("abort", end);
    });
  }
}
