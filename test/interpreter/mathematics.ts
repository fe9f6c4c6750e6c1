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

const cubic = 0.044715;

/** x · Φ(x), or the approximation of it by tanh. */
export function gelu(x: number, approximation: "none" | "tanh"): number {
  if (approximation === "none") return (x * (1 + erf(x * Math.SQRT1_2))) / 2;
  return (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + cubic * x ** 3)))) / 2;
}

/** Its derivative. */
export function geluDerivative(x: number, approximation: "none" | "tanh"): number {
  if (approximation === "none") {
    return (1 + erf(x * Math.SQRT1_2)) / 2 + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
  }
  const tangent = Math.tanh(Math.sqrt(2 / Math.PI) * (x + cubic * x ** 3));
  const slope = Math.sqrt(2 / Math.PI) * (1 + 3 * cubic * x * x);
  return (1 + tangent) / 2 + (x * (1 - tangent * tangent) * slope) / 2;
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
