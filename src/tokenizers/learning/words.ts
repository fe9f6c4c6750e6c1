import { detachText } from "../detach.ts";
import { readNormalizer } from "../normalizers/table.ts";
import { byteCharactersStep } from "../pre-tokenizers/byte-level.ts";
import { cutIntoWords } from "../pre-tokenizers/pre-tokenizer.ts";
import { readPreTokenizer } from "../pre-tokenizers/table.ts";

/** Words and how often each occurs, in the order in which they were first seen. */
export type WordCounts = Map<string, number>;

/**
 * Counts the words that a tokenizer's normalizer and pre-tokenizer, as JSON, make of all lines. A line's end does
 * not count as part of the line. Bytes are not mapped to characters.
 */
export async function countWords(
  lines: Iterable<string> | AsyncIterable<string>,
  stages: { readonly normalizer: unknown; readonly pre_tokenizer: unknown },
): Promise<WordCounts> {
  const normalizer = stages.normalizer ? readNormalizer(stages.normalizer, "normalizer") : undefined;
  const steps = readPreTokenizer(stages.pre_tokenizer, "pre_tokenizer").filter(
    (step) => step !== byteCharactersStep,
  );
  const counts: WordCounts = new Map();
  const add = (line: string) => {
    const text = normalizer?.normalize(line) ?? line;
    if (text.length === 0) return;
    for (const word of cutIntoWords(steps, text, true)) {
      if (word.length === 0) continue;
      const count = counts.get(word);
      if (count === undefined) counts.set(detachText(word), 1);
      else counts.set(word, count + 1);
    }
  };
  if (Symbol.iterator in lines) for (const line of lines) add(line);
  else for await (const line of lines) add(line);
  return counts;
}

/** All characters of the words, by code point. */
export function charactersOf(counts: WordCounts): string[] {
  const characters = new Set<string>();
  for (const word of counts.keys()) for (const character of word) characters.add(character);
  return [...characters].sort(byCodePoint);
}

/** The order of texts by their first code points. */
export function byCodePoint(one: string, other: string): number {
  return one.codePointAt(0)! - other.codePointAt(0)!;
}
