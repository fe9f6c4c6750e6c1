import { randomKey, randomWord } from "../util/random.ts";
import { normaliseSentence } from "./split.ts";

/** The number of a sentence without any letter or digit, which is never held out. */
export const neverHeldOut = 0xffffffff;

/**
 * A random number below 2^32 that belongs to a sentence and a seed; the same for sentences that differ in case,
 * punctuation or white space only.
 */
export function sentenceNumber(sentence: string, seed: number): number {
  const normalised = normaliseSentence(sentence);
  if (normalised === "") return neverHeldOut;
  return Math.min(randomWord(randomKey(seed, normalised), 0), neverHeldOut - 1);
}

/** How many of some pairs to hold out for validation: one in fifty, 1,000 at most. */
export function wantedHeldOut(pairs: number): number {
  return Math.min(1000, Math.round(pairs / 50));
}

/**
 * The limit below which sentences are held out, so that `wanted` are: all pairs of a sentence stand on one side, so it
 * can be a few more or fewer.
 * @param numbers - `sentenceNumber` of each pair's source
 * @returns 0 where nothing can be held out
 */
export function heldOutLimit(numbers: Uint32Array, wanted: number): number {
  if (wanted < 1) return 0;
  const sorted = numbers.slice().sort();
  const last = sorted[wanted - 1]!;
  if (last === neverHeldOut) return 0;
  const after = sorted.findIndex((number) => number > last);
  const count = after === -1 ? sorted.length : after;
  // A sentence that occurs again and again would take too much; then only those before it are held out.
  return count <= 2 * wanted ? last + 1 : last;
}
