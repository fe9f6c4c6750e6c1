/** exp(x) / sum of exp(x), in double precision. */
export function softmax(scores: ArrayLike<number>): Float64Array {
  let largest = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < scores.length; index++) largest = Math.max(largest, scores[index]!);
  const result = Float64Array.from(scores, (score) => Math.exp(score - largest));
  let sum = 0;
  for (const value of result) sum += value;
  for (let index = 0; index < result.length; index++) result[index]! /= sum;
  return result;
}

/** 1 / (1 + exp(-x)). */
export function sigmoid(scores: ArrayLike<number>): Float64Array {
  return Float64Array.from(scores, (score) => 1 / (1 + Math.exp(-score)));
}

/** The places of the largest values, the largest first; of equal ones the first comes first. */
export function largestPlaces(values: ArrayLike<number>, most: number): number[] {
  const places = Array.from({ length: values.length }, (_, place) => place);
  return places.sort((left, right) => values[right]! - values[left]! || left - right).slice(0, most);
}

/** The place of the largest value. */
export function largestPlace(values: ArrayLike<number>): number {
  let best = 0;
  for (let place = 1; place < values.length; place++) if (values[place]! > values[best]!) best = place;
  return best;
}
