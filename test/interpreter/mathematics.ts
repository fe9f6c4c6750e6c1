/**
 * The error function, 2 / sqrt(pi) · the integral of exp(-t²) from 0 to x, to double precision: by the series
 * 2 / sqrt(pi) · exp(-x²) · sum of 2ⁿ x²ⁿ⁺¹ / (1 · 3 · ... · (2n + 1)), whose terms all have one sign.
 */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let odd = 3; Math.abs(term) > 1e-17 * Math.abs(sum); odd += 2) {
    term *= (2 * x * x) / odd;
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** exp(x) / sum(exp(x)). */
export function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((left, right) => left + right, 0);
  return powers.map((power) => power / sum);
}

/** log(sum(exp(x))). */
export function logSumExp(scores: readonly number[]): number {
  const largest = Math.max(...scores);
  return largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
}

export function dot(left: readonly number[], right: readonly number[]): number {
  return left.reduce((sum, factor, index) => sum + factor * right[index]!, 0);
}
