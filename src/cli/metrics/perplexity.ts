import type { Metric } from "./metric.ts";
import { readNumbers, readText } from "./read-items.ts";

export const perplexity: Metric<readonly number[], never> = {
  description: "perplexity; a line is the natural log-probabilities of a text's tokens",
  options: () => [],
  decimals: 4,
  references: "none",
  readHypothesis: readNumbers,
  readReference: (_, place) => {
    throw new Error(`${place}: perplexity reads no references`);
  },
  async open() {
    const { perplexity: measure } = await import("../../metrics/perplexity.ts");
    return {
      corpus(logProbabilities) {
        const found = measure(logProbabilities);
        return {
          score: found.perplexity,
          details: { perplexity: found.perplexity, loss: found.loss, tokens: found.tokens },
          text: `perplexity = ${found.perplexity.toFixed(4)}  loss = ${found.loss.toFixed(4)}  tokens = ${found.tokens}`,
        };
      },
    };
  },
};

export const bitsPerByte: Metric<readonly number[], string> = {
  description: "bits per byte of the texts in --references; lines as for perplexity",
  options: () => [],
  decimals: 4,
  references: "one",
  readHypothesis: readNumbers,
  readReference: readText,
  async open() {
    const { bitsPerByte: measure } = await import("../../metrics/perplexity.ts");
    return {
      corpus(logProbabilities, [texts]) {
        const found = measure(logProbabilities, texts!);
        return {
          score: found.bitsPerByte,
          details: { bits_per_byte: found.bitsPerByte, bytes: found.bytes, tokens: found.tokens },
          text: `bits_per_byte = ${found.bitsPerByte.toFixed(4)}  bytes = ${found.bytes}  tokens = ${found.tokens}`,
        };
      },
    };
  },
};
