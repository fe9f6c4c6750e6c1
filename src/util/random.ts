/**
 * Randomness as a pure function: of a seed, an address (what the numbers are for) and a position.
 * Nothing keeps a state that could get lost, so a run that was killed and resumed draws the same numbers as one
 * that was not, on every device. 32-bit integer arithmetic only, so that a shader can compute the same.
 */

/** Two 32-bit words that tell one stream of random numbers from every other. */
export interface RandomKey {
  readonly high: number;
  readonly low: number;
}

/** A bijection of 32-bit words whose output bits each depend on every input bit. */
export function mix32(word: number): number {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The key of the stream that belongs to a seed, an address and, where it changes from step to step, a step. */
export function randomKey(seed: number, address: string, step = 0): RandomKey {
  let high = mix32(seed ^ 0x9e3779b9);
  let low = mix32(Math.floor(seed / 0x1_0000_0000) ^ 0x85ebca6b);
  for (let index = 0; index < address.length; index++) {
    high = mix32(high ^ address.charCodeAt(index));
    low = mix32(Math.imul(low, 31) + address.charCodeAt(index));
  }
  return { high: mix32(high ^ mix32(step)), low: mix32(low + mix32(step ^ 0xc2b2ae35)) };
}

/** The 32 random bits at a position of a stream. */
export function randomWord(key: RandomKey, position: number): number {
  let x = position ^ key.high;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d) + key.low;
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Numbers drawn one after another from the stream of a key, from a position that may be read and set. */
export class RandomStream {
  readonly key: RandomKey;
  position: number;

  constructor(key: RandomKey, position = 0) {
    this.key = key;
    this.position = position;
  }

  /** 32 random bits. */
  word(): number {
    return randomWord(this.key, this.position++);
  }

  /** Uniform in [0, 1), with 53 random bits. */
  uniform(): number {
    return ((this.word() >>> 5) * 0x4000000 + (this.word() >>> 6)) / 0x20000000000000;
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.uniform() * limit);
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }
}

/** Puts the items of an array in random order, in place (Fisher and Yates). */
export function shuffle<Items extends { length: number; [index: number]: unknown }>(
  items: Items,
  random: RandomStream,
): Items {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    const item = items[last];
    items[last] = items[other];
    items[other] = item;
  }
  return items;
}

/**
 * Fills `mask` with dropout's factors: 0 with probability `rate`, else 1 / (1 - rate).
 * One random word decides two elements, 16 bits each, so `rate` is rounded to a multiple of 2^-16.
 * @param first - fills a stretch of a longer mask that begins at this element
 */
export function fillDropoutMask(mask: Float32Array, rate: number, key: RandomKey, first = 0): void {
  const threshold = Math.round(rate * 65536);
  const keep = Math.fround(1 / (1 - rate));
  let word = first & 1 ? randomWord(key, first >> 1) : 0;
  for (let index = 0; index < mask.length; index++) {
    const place = first + index;
    if ((place & 1) === 0) word = randomWord(key, place / 2);
    mask[index] = (place & 1 ? word >>> 16 : word & 0xffff) < threshold ? 0 : keep;
  }
}
