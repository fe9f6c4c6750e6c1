import { type AlignedText, type Rewrite, rewriteAligned, rewriteText } from "../aligned-text.ts";

/** A stage that changes a text before it is cut into words. */
export interface Normalizer {
  /** The changed text. */
  normalize(text: string): string;
  /** The same changed text with the place of each unit. */
  align(source: AlignedText): AlignedText;
}

/**
 * A normalizer from a rewriting of the text.
 * @param quick - gives the same text sooner, where there is a way; undefined for a text it cannot do.
 */
export function normalizerFromRewrite(
  rewrite: Rewrite,
  quick: (text: string) => string | undefined = () => undefined,
): Normalizer {
  return {
    normalize: (text) => quick(text) ?? rewriteText(rewrite, text, true),
    align: (source) => {
      const result = quick(source.text);
      return result === source.text ? source : rewriteAligned(rewrite, source);
    },
  };
}

/** Normalizers one after the other. */
export function normalizerSequence(normalizers: readonly Normalizer[]): Normalizer {
  return {
    normalize: (text) => {
      let result = text;
      for (const normalizer of normalizers) result = normalizer.normalize(result);
      return result;
    },
    align: (source) => {
      let result = source;
      for (const normalizer of normalizers) result = normalizer.align(result);
      return result;
    },
  };
}
