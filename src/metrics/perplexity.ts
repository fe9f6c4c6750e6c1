import { QkvError } from "../util/errors.ts";

/** How well a language model predicts texts. */
export interface Perplexity {
  /** `exp(loss)`; 1 is perfect. */
  readonly perplexity: number;
  /** Mean negative natural log-probability of a token. */
  readonly loss: number;
  readonly tokens: number;
}

/** How well a language model predicts texts, whatever its tokens are. */
export interface BitsPerByte {
  readonly bitsPerByte: number;
  /** Bytes of the texts in UTF-8. */
  readonly bytes: number;
  readonly tokens: number;
}

/**
 * Perplexity: `exp(-(sum of log p) / tokens)`, over the tokens of all texts together, so that long texts weigh more.
 * Models are comparable only if their tokens are the same.
 *
 * @param logProbabilities - for every text the natural log-probability of each of its tokens; 0 at most, minus
 *   infinity where the model holds a token for impossible
 * @throws QkvError "data" for no token, or a number that is no log-probability
 *
 * Source: Jelinek et al. 1977, "Perplexity: a measure of the difficulty of speech recognition tasks".
 */
export function perplexity(logProbabilities: readonly (readonly number[])[]): Perplexity {
  const { sum, tokens } = sumTokens("perplexity", logProbabilities);
  const loss = -sum / tokens;
  return { perplexity: Math.exp(loss), loss, tokens };
}

/**
 * Bits per byte: `-(sum of log p) / (ln 2 * bytes)`, the size to which the model would compress the texts. Models with
 * different tokens are comparable.
 *
 * @param logProbabilities - as for `perplexity`
 * @param texts - what the tokens stand for
 * @throws QkvError "data" as `perplexity`, for unequal numbers of texts, or texts without a byte
 *
 * Source: Gao et al. 2020, "The Pile", section 3.1.
 */
export function bitsPerByte(
  logProbabilities: readonly (readonly number[])[],
  texts: readonly string[],
): BitsPerByte {
  if (logProbabilities.length !== texts.length) {
    const rule = "bitsPerByte: every text has its log-probabilities";
    throw new QkvError("data", `${rule}; got ${texts.length} texts and ${logProbabilities.length} lists`);
  }
  const { sum, tokens } = sumTokens("bitsPerByte", logProbabilities);
  const encoder = new TextEncoder();
  const bytes = texts.reduce((total, text) => total + encoder.encode(text).length, 0);
  if (bytes === 0) throw new QkvError("data", "bitsPerByte: needs at least one byte of text; got none");
  return { bitsPerByte: -sum / (Math.LN2 * bytes), bytes, tokens };
}

function sumTokens(
  where: string,
  logProbabilities: readonly (readonly number[])[],
): { sum: number; tokens: number } {
  let [sum, tokens] = [0, 0];
  for (const [text, ofTokens] of logProbabilities.entries()) {
    for (const value of ofTokens) {
      if (!(value <= 0)) {
        const rule = `${where}: text ${text + 1}: a log-probability is 0 at most`;
        throw new QkvError("data", `${rule}; got ${value}; give logarithms, not probabilities`);
      }
      sum += value;
      tokens++;
    }
  }
  if (tokens === 0) throw new QkvError("data", `${where}: needs at least one token; got none`);
  return { sum, tokens };
}
