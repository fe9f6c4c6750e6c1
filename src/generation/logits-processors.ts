/**
 * What changes the scores of the next token before one is chosen: one function for each rule, with the semantics of
 * Hugging Face transformers 4.57. `processor-chain.ts` puts them in order.
 */

/**
 * The scores of one hypothesis's next token. They belong to the whole vocabulary, in order, or to the likeliest
 * tokens only, which `tokens` then names.
 */
export interface ScoreRow {
  readonly scores: Float32Array;
  readonly tokens?: Int32Array;
}

/**
 * Changes scores in place; a token that may not come next gets minus infinity.
 * @param ids - the row so far: prompt (or start token) and all that was generated
 */
export type LogitsProcessor = (row: ScoreRow, ids: readonly number[]) => void;

const forbidden = Number.NEGATIVE_INFINITY;

function forbid({ scores, tokens }: ScoreRow, token: number): void {
  const index = tokens === undefined ? token : tokens.indexOf(token);
  if (index >= 0 && index < scores.length) scores[index] = forbidden;
}

/** Allows one token and nothing else; among the likeliest tokens it takes the first place if it is none of them. */
export function forceToken({ scores, tokens }: ScoreRow, token: number): void {
  scores.fill(forbidden);
  let index = token;
  if (tokens !== undefined) {
    index = Math.max(0, tokens.indexOf(token));
    tokens[index] = token;
  }
  scores[index] = 0;
}

/**
 * Scores of tokens that occurred are divided by the penalty where positive, multiplied where negative. It needs the
 * whole vocabulary. Source: Keskar et al., 2019, 4.1.
 */
export function repetitionPenalty(penalty: number): LogitsProcessor {
  return ({ scores }, ids) => {
    for (const token of new Set(ids)) {
      const score = scores[token];
      if (score !== undefined) scores[token] = score < 0 ? score * penalty : score / penalty;
    }
  };
}

/** No run of `size` tokens occurs twice. It may forbid any number of tokens. */
export function noRepeatNgram(size: number): LogitsProcessor {
  return (row, ids) => {
    const prefix = ids.length + 1 - size;
    if (prefix < 0) return;
    for (let start = 0; start < prefix; start++) {
      let same = true;
      for (let offset = 0; same && offset < size - 1; offset++) {
        same = ids[start + offset] === ids[prefix + offset];
      }
      if (same) forbid(row, ids[start + size - 1]!);
    }
  };
}

/** None of these runs of tokens is completed; a single end token among them stays allowed. */
export function noBadWords(
  words: readonly (readonly number[])[],
  endIds: readonly number[],
): LogitsProcessor {
  const relevant = words.filter((word) => word.length !== 1 || !endIds.includes(word[0]!));
  return (row, ids) => {
    for (const word of relevant) {
      // As in the reference a word that is longer than the row so far is not looked for.
      if (word.length > 1 && word.length > ids.length) continue;
      const start = ids.length - (word.length - 1);
      if (word.slice(0, -1).every((token, offset) => ids[start + offset] === token))
        forbid(row, word.at(-1)!);
    }
  };
}

/** The sequence does not end before the row has this many tokens, the prompt included. */
export function minLength(length: number, endIds: readonly number[]): LogitsProcessor {
  return (row, ids) => {
    if (ids.length < length) for (const token of endIds) forbid(row, token);
  };
}

/** The sequence does not end before this many tokens were generated. */
export function minNewTokens(
  count: number,
  promptLength: number,
  endIds: readonly number[],
): LogitsProcessor {
  return minLength(promptLength + count, endIds);
}

/**
 * From `start` generated tokens on, the end becomes likelier: |score| · (factor^(tokens beyond start) - 1) is added.
 */
export function exponentialDecayLengthPenalty(
  [start, factor]: readonly [number, number],
  promptLength: number,
  endIds: readonly number[],
): LogitsProcessor {
  return ({ scores }, ids) => {
    const beyond = ids.length - promptLength - start;
    if (beyond <= 0) return;
    for (const token of endIds) scores[token]! += Math.abs(scores[token]!) * (factor ** beyond - 1);
  };
}

/** These tokens never come. */
export function suppressTokens(suppressed: readonly number[]): LogitsProcessor {
  return (row) => {
    for (const token of suppressed) forbid(row, token);
  };
}

/** These tokens do not come where the row has exactly `length` tokens. */
export function suppressTokensAt(suppressed: readonly number[], length: number): LogitsProcessor {
  return (row, ids) => {
    if (ids.length === length) for (const token of suppressed) forbid(row, token);
  };
}

/** Scores divided by the temperature: above 1 the choice is freer, below 1 narrower. */
export function temperature(value: number): LogitsProcessor {
  return ({ scores }) => {
    for (let index = 0; index < scores.length; index++) scores[index]! /= value;
  };
}

/** Keeps the `count` likeliest tokens, and those equal to the last of them. */
export function topK(count: number, minTokensToKeep = 1): LogitsProcessor {
  return ({ scores }) => {
    const kept = Math.max(count, minTokensToKeep);
    if (kept >= scores.length) return;
    forbidBelow(scores, scores.toSorted()[scores.length - kept]!);
  };
}

/** Keeps the fewest likeliest tokens that have this probability together. Source: Holtzman et al., 2020. */
export function topP(mass: number, minTokensToKeep = 1): LogitsProcessor {
  return ({ scores }) => {
    const ascending = scores.toSorted();
    const total = sumOfExponentials(scores);
    const largest = ascending.at(-1)!;
    let sum = 0;
    let removed = 0;
    while (removed < scores.length - minTokensToKeep) {
      sum += Math.exp(ascending[removed]! - largest) / total;
      if (sum > 1 - mass) break;
      removed++;
    }
    if (removed === 0) return;
    const bound = ascending[removed]!;
    // Of tokens with the same score as the last one kept, the first go, as in a stable sort.
    let atBound = 0;
    while (atBound <= removed && ascending[removed - atBound] === bound) atBound++;
    let goes = bound === forbidden ? 0 : atBound - 1;
    for (let index = 0; index < scores.length; index++) {
      if (scores[index]! < bound || (scores[index] === bound && goes-- > 0)) scores[index] = forbidden;
    }
  };
}

/** Keeps tokens at least this many times as probable as the likeliest. */
export function minP(fraction: number, minTokensToKeep = 1): LogitsProcessor {
  return ({ scores }) => {
    const likeliest = scores.toSorted().at(-minTokensToKeep) ?? forbidden;
    forbidBelow(scores, Math.min(likeliest, maximum(scores) + Math.log(fraction)));
  };
}

/**
 * Keeps the fewest tokens with this probability together whose surprise is nearest to the expected one.
 * Source: Meister et al., 2022.
 */
export function typicalP(mass: number, minTokensToKeep = 1): LogitsProcessor {
  return ({ scores }) => {
    const largest = maximum(scores);
    const logTotal = Math.log(sumOfExponentials(scores));
    const logProbabilities = Float64Array.from(scores, (score) => score - largest - logTotal);
    const expected = entropyOf(logProbabilities);
    const distances = logProbabilities.map((value) => Math.abs(-value - expected));
    const order = Array.from(distances.keys()).sort((left, right) => distances[left]! - distances[right]!);
    let sum = 0;
    let last = 0;
    for (const token of order) {
      sum += Math.exp(logProbabilities[token]!);
      if (sum >= mass) break;
      last++;
    }
    const bound = distances[order[Math.min(last, order.length - 1)]!]!;
    order.forEach((token, rank) => {
      if (rank >= minTokensToKeep && distances[token]! > bound) scores[token] = forbidden;
    });
  };
}

/** Keeps tokens with at least this probability. Source: Hewitt et al., 2022. */
export function epsilonCutoff(epsilon: number, minTokensToKeep = 1): LogitsProcessor {
  return ({ scores }) => forbidImprobable(scores, epsilon, minTokensToKeep);
}

/**
 * Keeps tokens with at least the probability min(epsilon, sqrt(epsilon) · exp(-entropy)).
 * Source: Hewitt et al., 2022.
 */
export function etaCutoff(epsilon: number, minTokensToKeep = 1): LogitsProcessor {
  return ({ scores }) => {
    const largest = maximum(scores);
    const logTotal = Math.log(sumOfExponentials(scores));
    const entropy = entropyOf(Float64Array.from(scores, (score) => score - largest - logTotal));
    forbidImprobable(scores, Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropy)), minTokensToKeep);
  };
}

/** Scores become log-probabilities. */
export const normalizeScores: LogitsProcessor = ({ scores }) => {
  const shift = maximum(scores) + Math.log(sumOfExponentials(scores));
  for (let index = 0; index < scores.length; index++) scores[index]! -= shift;
};

function maximum(scores: ArrayLike<number>): number {
  let largest = forbidden;
  for (let index = 0; index < scores.length; index++) if (scores[index]! > largest) largest = scores[index]!;
  return largest;
}

/** The sum of exp(score - largest score). */
function sumOfExponentials(scores: ArrayLike<number>): number {
  const largest = maximum(scores);
  let sum = 0;
  for (let index = 0; index < scores.length; index++) sum += Math.exp(scores[index]! - largest);
  return sum;
}

function entropyOf(logProbabilities: Float64Array): number {
  return logProbabilities.reduce(
    (sum, value) => (value === forbidden ? sum : sum - value * Math.exp(value)),
    0,
  );
}

function forbidBelow(scores: Float32Array, bound: number): void {
  for (let index = 0; index < scores.length; index++) if (scores[index]! < bound) scores[index] = forbidden;
}

function forbidImprobable(scores: Float32Array, probability: number, minTokensToKeep: number): void {
  const bound = maximum(scores) + Math.log(probability * sumOfExponentials(scores));
  forbidBelow(scores, Math.min(bound, scores.toSorted().at(-minTokensToKeep) ?? forbidden));
}
