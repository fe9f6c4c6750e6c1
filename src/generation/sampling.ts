import { type RandomKey, randomWord } from "../util/random.ts";
import type { ScoreRow } from "./logits-processors.ts";

/** The position of the largest score; the first where several are. */
export function argMax(scores: ArrayLike<number>, start = 0, end = scores.length): number {
  let best = start;
  for (let index = start + 1; index < end; index++) if (scores[index]! > scores[best]!) best = index;
  return best - start;
}

/**
 * A random number with the distribution function exp(-exp(-x)) for each token. The token with the largest sum of
 * score and such noise is a draw from softmax(scores), and the k largest are a draw of k without replacement,
 * whatever the order of the tokens. Source: Kool, van Hoof and Welling, 2019.
 */
export function gumbelNoise(key: RandomKey, token: number): number {
  const high = randomWord(key, 2 * token) >>> 5;
  const low = randomWord(key, 2 * token + 1) >>> 6;
  const uniform = (high * 0x4000000 + low + 0.5) / 0x20000000000000;
  return -Math.log(-Math.log(uniform));
}

/** Where in a row the drawn token stands: by the probabilities softmax(scores). @param key - of this draw alone */
export function drawPlace({ scores, tokens }: ScoreRow, key: RandomKey): number {
  let best = 0;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (let place = 0; place < scores.length; place++) {
    const score = scores[place]!;
    if (score === Number.NEGATIVE_INFINITY) continue;
    const noisy = score + gumbelNoise(key, tokens === undefined ? place : tokens[place]!);
    if (noisy > bestScore) {
      best = place;
      bestScore = noisy;
    }
  }
  return best;
}

/** The places of the largest scores, largest first, the earlier of equal ones first; those forbidden are left out. */
export function largestPlaces(scores: ArrayLike<number>, count: number): number[] {
  const places: number[] = [];
  if (count > 64) {
    for (let place = 0; place < scores.length; place++) {
      if (scores[place]! > Number.NEGATIVE_INFINITY) places.push(place);
    }
    return places.sort((left, right) => scores[right]! - scores[left]!).slice(0, count);
  }
  let bound = Number.NEGATIVE_INFINITY;
  for (let place = 0; place < scores.length; place++) {
    const score = scores[place]!;
    if (score <= bound) continue;
    let rank = places.length;
    while (rank > 0 && scores[places[rank - 1]!]! < score) rank--;
    places.splice(rank, 0, place);
    if (places.length > count) places.pop();
    if (places.length === count) bound = scores[places[count - 1]!]!;
  }
  return places;
}
