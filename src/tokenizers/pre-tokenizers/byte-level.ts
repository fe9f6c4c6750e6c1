import { isSurrogatePair } from "../aligned-text.ts";
import { toByteCharacters } from "../byte-level.ts";
import { regexPattern } from "../patterns.ts";
import type { PreTokenizerStep } from "./pre-tokenizer.ts";

/**
 * GPT-2's words: an English contraction, or letters, digits or other signs with one space before them, or
 * white space. White space before a word leaves its last character to the word.
 *
 * Source: openai/gpt-2, encoder.py.
 */
const gpt2Words =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

const gpt2Pattern = regexPattern(gpt2Words);

/** Cuts a text into GPT-2's words. */
export const gpt2WordsStep: PreTokenizerStep = {
  kind: "cut",
  cut: (text) => gpt2Pattern.find(text),
  quick: (text) => text.match(gpt2Words) ?? [],
};

/** Puts each byte's character in the place of the text. */
export const byteCharactersStep: PreTokenizerStep = {
  kind: "rewrite",
  rewrite: (text, output) => {
    for (let index = 0; index < text.length; ) {
      const length = isSurrogatePair(text, index) ? 2 : 1;
      output.put(toByteCharacters(text.slice(index, index + length)), index);
      index += length;
    }
  },
  quick: toByteCharacters,
};

/** Puts a space in front of a text that does not start with one. */
const prefixSpaceStep: PreTokenizerStep = {
  kind: "rewrite",
  rewrite: (text, output) => {
    if (!text.startsWith(" ")) output.put(" ", 0);
    output.keep(0, text.length);
  },
  quick: (text) => (text.startsWith(" ") ? text : ` ${text}`),
};

/** The byte-level pre-tokenizer: a space in front (optional), GPT-2's words (optional), the bytes' characters. */
export function byteLevelSteps(addPrefixSpace: boolean, useRegex: boolean): PreTokenizerStep[] {
  return [
    ...(addPrefixSpace ? [prefixSpaceStep] : []),
    ...(useRegex ? [gpt2WordsStep] : []),
    byteCharactersStep,
  ];
}
