import { regexPattern } from "../patterns.ts";
import type { PreTokenizerStep } from "./pre-tokenizer.ts";

const wordCharacters = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d";

/** Runs of word characters and runs of other characters; white space is dropped. */
export const whitespaceStep: PreTokenizerStep = wordsOf(
  new RegExp(`[${wordCharacters}]+|[^${wordCharacters}\\p{White_Space}]+`, "gu"),
);

/** Runs of characters that are not white space. */
export const whitespaceSplitStep: PreTokenizerStep = wordsOf(/\P{White_Space}+/gu);

/** The matches of an expression as words; what is between them is dropped. */
function wordsOf(expression: RegExp): PreTokenizerStep {
  const pattern = regexPattern(expression);
  return { kind: "cut", cut: (text) => pattern.find(text), quick: (text) => text.match(expression) ?? [] };
}
