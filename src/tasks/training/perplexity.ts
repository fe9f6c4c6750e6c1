import type { HeldOut, Tally } from "./training-task.ts";

/** e to the mean loss: among how many tokens the model wavers, so to speak. */
export function perplexityTally(): Tally {
  return { visit() {}, finish: (loss) => ({ perplexity: Math.exp(loss) }) };
}

/**
 * The same, and the bits that a byte of the text costs, which compares models with different tokens.
 * @param tokens - how many are predicted in all
 */
export function textTally({ records }: HeldOut, tokens: number): Tally {
  const encoder = new TextEncoder();
  const bytes = records.reduce((sum, { fields }) => sum + encoder.encode(fields.text as string).length, 0);
  return {
    visit() {},
    finish: (loss) => ({
      perplexity: Math.exp(loss),
      bits_per_byte: (loss * tokens) / Math.LN2 / Math.max(1, bytes),
    }),
  };
}
