import { RandomStream, randomKey } from "../util/random.ts";
import type { DecodingOptions } from "./decoding-options.ts";

/** The position of the largest score; the first where several are. */
export function argMax(scores: ArrayLike<number>, start = 0, end = scores.length): number {
  let best = start;
  for (let index = start + 1; index < end; index++) if (scores[index]! > scores[best]!) best = index;
  return best - start;
}

/**
 * Draws a token by its probability softmax(scores / temperature), among the topK likeliest and of these the fewest
 * that have topP of the probability together.
 * @param address - tells this draw from every other of the same seed
 */
export function drawToken(
  scores: Float32Array,
  options: DecodingOptions,
  address: string,
  step: number,
): number {
  const { temperature, topK, topP, seed } = options;
  const order = Array.from(scores.keys()).sort((left, right) => scores[right]! - scores[left]!);
  const kept = topK > 0 ? order.slice(0, topK) : order;
  const largest = scores[kept[0]!]!;
  const weights = kept.map((token) => Math.exp((scores[token]! - largest) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let mass = 0;
  let count = 0;
  while (count < kept.length && (count === 0 || mass < topP * total)) mass += weights[count++]!;
  const threshold = new RandomStream(randomKey(seed, `sample:${address}`, step)).uniform() * mass;
  let passed = 0;
  for (let index = 0; index < count; index++) {
    passed += weights[index]!;
    if (threshold < passed) return kept[index]!;
  }
  return kept[count - 1]!;
}
