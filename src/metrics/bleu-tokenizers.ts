import { isWhitespace, splitWhitespace, trimWhitespace, trimWhitespaceEnd } from "./text.ts";

/** The tokenizations that BLEU knows, by sacreBLEU's names. */
export const bleuTokenizations = ["13a", "none", "intl", "char", "zh"] as const;

/** One of `bleuTokenizations`. */
export type BleuTokenization = (typeof bleuTokenizations)[number];

/**
 * The tokens of a segment as BLEU counts them.
 *
 * - `13a`: mteval-v13a, the default of WMT: ASCII punctuation apart, except period and comma between digits.
 * - `none`: split at white space only.
 * - `intl`: mteval-v14: every Unicode punctuation mark and symbol apart, except punctuation between digits.
 * - `char`: every character (code point) that is not white space.
 * - `zh`: Chinese characters one by one, the rest as `13a` (without its entities).
 *
 * Punctuation and symbols are those of the Unicode version that the JavaScript engine has; sacreBLEU goes by
 * that of its Python, which matters for characters that only one of them knows.
 *
 * Source: sacreBLEU 2.6.0, https://github.com/mjpost/sacrebleu/tree/v2.6.0/sacrebleu/tokenizers
 */
export function tokenizeForBleu(segment: string, tokenization: BleuTokenization): string[] {
  return tokenizers[tokenization](trimWhitespaceEnd(segment));
}

const tokenizers = {
  "13a": tokenize13a,
  none: splitWhitespace,
  intl: tokenizeInternational,
  char: tokenizeCharacters,
  zh: tokenizeChinese,
} satisfies Record<BleuTokenization, (segment: string) => string[]>;

function tokenize13a(segment: string): string[] {
  let text = segment.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ");
  if (text.includes("&")) {
    // In this order: "&amp;lt;" becomes "<".
    text = text
      .replaceAll("&quot;", '"')
      .replaceAll("&amp;", "&")
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">");
  }
  return splitWesternPunctuation(` ${text} `);
}

/**
 * The language-dependent part of mteval-v13a. Matches of one pattern do not overlap, so the order matters.
 */
function splitWesternPunctuation(text: string): string[] {
  const apart = text
    .replace(/[{-~[-` -&(-+:-@/]/g, " $& ")
    .replace(/([^0-9])([.,])/g, "$1 $2 ")
    .replace(/([.,])([^0-9])/g, " $1 $2")
    .replace(/([0-9])(-)/g, "$1 $2 ");
  return splitWhitespace(apart);
}

function tokenizeInternational(segment: string): string[] {
  const apart = segment
    .replace(/(\P{N})(\p{P})/gu, "$1 $2 ")
    .replace(/(\p{P})(\P{N})/gu, " $1 $2")
    .replace(/\p{S}/gu, " $& ");
  return splitWhitespace(apart);
}

function tokenizeCharacters(segment: string): string[] {
  return Array.from(segment).filter((character) => !isWhitespace(character.charCodeAt(0)));
}

function tokenizeChinese(segment: string): string[] {
  return splitWesternPunctuation(trimWhitespace(segment).replace(chineseCharacter, " $& "));
}

/**
 * Two ranges are here as sacreBLEU has them in effect, not as it means them: it writes extension B and the
 * compatibility supplement (U+20000-2A6D6, U+2F800-2FA1D) as strings of two characters, which in comparison
 * with one character come to U+2001-2A6D and U+2F81-2FA1. So typographic quotes, dashes and symbols stand
 * apart, and ideographs of the supplementary planes do not.
 */
const chineseCharacter = new RegExp(
  `[${[
    "\\u3400-\\u4db5", // unified ideographs, extension A
    "\\u4e00-\\u9fbb", // unified ideographs
    "\\uf900-\\ufa2d\\ufa30-\\ufa6a\\ufa70-\\ufad9", // compatibility ideographs
    "\\u2001-\\u2a6d\\u2f81-\\u2fa1", // see above
    "\\uff00-\\uffef", // full-width and half-width forms
    "\\u2e80-\\u2eff\\u2f00-\\u2fdf", // radicals
    "\\u2ff0-\\u2fff", // ideographic description
    "\\u3000-\\u303f", // punctuation
    "\\u3100-\\u312f\\u31a0-\\u31bf", // Bopomofo
    "\\u31c0-\\u31ef", // strokes
    "\\u3200-\\u33ff", // enclosed letters, units
    "\\ufe10-\\ufe1f\\ufe30-\\ufe4f", // vertical and compatibility forms
  ].join("")}]`,
  "g",
);
