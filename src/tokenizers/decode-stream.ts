import type { DecodeOptions, Tokenizer } from "./tokenizer.ts";

/** What bytes that are not a whole character yet are decoded to. */
const unfinished = "\ufffd";

/**
 * Decodes ids that come one by one. Text is given out as soon as later ids cannot change it: not while the last
 * character still lacks bytes. The parts together are what decoding all ids at once gives.
 */
export class DecodeStream {
  readonly #tokenizer: Tokenizer;
  readonly #options: DecodeOptions;
  readonly #ids: number[] = [];
  #given = "";

  constructor(tokenizer: Tokenizer, options: DecodeOptions = {}) {
    this.#tokenizer = tokenizer;
    this.#options = options;
  }

  /** The text that one more id adds, often none. */
  push(id: number): string {
    this.#ids.push(id);
    const text = this.#tokenizer.decode(this.#ids, this.#options);
    if (text.endsWith(unfinished) || !text.startsWith(this.#given)) return "";
    return this.#give(text);
  }

  /** The text that is left when no more ids come. */
  finish(): string {
    return this.#give(this.#tokenizer.decode(this.#ids, this.#options));
  }

  #give(text: string): string {
    const added = text.slice(this.#given.length);
    this.#given = text;
    return added;
  }
}
