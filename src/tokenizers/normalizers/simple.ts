import { isSurrogatePair, type Rewrite } from "../aligned-text.ts";
import type { Pattern } from "../patterns.ts";
import { type Normalizer, normalizerFromRewrite } from "./normalizer.ts";

/** Puts `prefix` in front of every text that is not empty. */
export function prependNormalizer(prefix: string): Normalizer {
  return normalizerFromRewrite(
    (text, output) => {
      if (text.length === 0) return;
      output.put(prefix, 0);
      output.keep(0, text.length);
    },
    (text) => (text.length === 0 ? "" : prefix + text),
  );
}

/** Replaces every match of a pattern; what is put in has the place of the match's last character. */
export function replaceNormalizer(pattern: Pattern, content: string): Normalizer {
  const rewrite: Rewrite = (text, output) => {
    let done = 0;
    const matches = pattern.find(text);
    for (let index = 0; index < matches.length; index += 2) {
      const start = matches[index]!;
      const end = matches[index + 1]!;
      output.keep(done, start);
      output.put(content, Math.max(0, end - 1));
      done = end;
    }
    output.keep(done, text.length);
  };
  const { literal } = pattern;
  return normalizerFromRewrite(
    rewrite,
    literal === undefined ? undefined : (text) => text.replaceAll(literal, () => content),
  );
}

/** Takes white space off the left end, the right end or both. */
export function stripNormalizer(left: boolean, right: boolean): Normalizer {
  const rewrite: Rewrite = (text, output) => {
    const [from, to] = strippedRange(text, left, right);
    output.keep(from, to);
  };
  return normalizerFromRewrite(rewrite, (text) => text.slice(...strippedRange(text, left, right)));
}

const whiteSpaceAtStart = /^\p{White_Space}+/u;
const whiteSpaceAtEnd = /\p{White_Space}+$/u;

function strippedRange(text: string, left: boolean, right: boolean): [number, number] {
  const from = left ? (whiteSpaceAtStart.exec(text)?.[0].length ?? 0) : 0;
  if (from === text.length) return [from, from];
  const to = right ? (whiteSpaceAtEnd.exec(text)?.index ?? text.length) : text.length;
  return [from, to];
}

/** Matches a text of ASCII characters only. */
export const asciiOnly = /^[\0-\x7f]*$/;

/**
 * Small letters for capital ones, character by character:
 * a final sigma is not told from the others, as in Rust's `char::to_lowercase`.
 */
export function lowercaseNormalizer(): Normalizer {
  return normalizerFromRewrite(
    (text, output) => mapCharacters(text, output, (character) => character.toLowerCase()),
    (text) => (asciiOnly.test(text) ? text.toLowerCase() : undefined),
  );
}

/** Takes all combining marks (Unicode category M) away; does not take characters apart. */
export function stripAccentsNormalizer(): Normalizer {
  return normalizerFromRewrite(
    (text, output) =>
      mapCharacters(text, output, (character) => (isCombiningMark.test(character) ? "" : character)),
    (text) => (asciiOnly.test(text) ? text : undefined),
  );
}

const isCombiningMark = /^\p{M}$/u;

/** Puts `map(character)` in the place of each character that it changes. */
export function mapCharacters(
  text: string,
  output: Parameters<Rewrite>[1],
  map: (character: string) => string,
): void {
  let kept = 0;
  for (let index = 0; index < text.length; ) {
    const length = isSurrogatePair(text, index) ? 2 : 1;
    const character = text.slice(index, index + length);
    const mapped = map(character);
    if (mapped !== character) {
      output.keep(kept, index);
      output.put(mapped, index);
      kept = index + length;
    }
    index += length;
  }
  output.keep(kept, text.length);
}
