import { isSurrogatePair, type Rewrite } from "../aligned-text.ts";
import { type Normalizer, normalizerFromRewrite } from "./normalizer.ts";
import { asciiOnly } from "./simple.ts";

/** The four normalization forms of Unicode. */
export type NormalizationForm = "NFC" | "NFD" | "NFKC" | "NFKD";

/** A character with all that may combine with it: marks, Hangul vowels and finals, half-width sound marks. */
const combiningSequence = /\P{M}[\p{M}\u1160-\u11ff\uff9e\uff9f]*|\p{M}+/gu;

/** Puts a text into a normalization form. Source: Unicode Standard Annex 15. */
export function unicodeNormalizer(form: NormalizationForm): Normalizer {
  const rewrite: Rewrite = (text, output) => {
    let end = 0;
    for (const match of text.matchAll(combiningSequence)) {
      const start = match.index;
      output.keep(end, start);
      end = start + match[0].length;
      const result = match[0].normalize(form);
      if (result === match[0]) output.keep(start, end);
      else putSequence(match[0], result, form, (character, unit) => output.put(character, start + unit));
    }
    output.keep(end, text.length);
  };
  return normalizerFromRewrite(rewrite, (text) => (asciiOnly.test(text) ? text : text.normalize(form)));
}

/**
 * Tells for each character of a normalized sequence which unit of the source it stands for: the one whose
 * decomposition has the character's first part.
 */
function putSequence(
  source: string,
  result: string,
  form: NormalizationForm,
  put: (character: string, unit: number) => void,
): void {
  const decomposed = form === "NFKC" || form === "NFKD" ? "NFKD" : "NFD";
  const parts: { part: string; unit: number }[] = [];
  for (let unit = 0; unit < source.length; unit += isSurrogatePair(source, unit) ? 2 : 1) {
    const character = String.fromCodePoint(source.codePointAt(unit)!);
    for (const part of character.normalize(decomposed)) parts.push({ part, unit });
  }
  let last = 0;
  for (const character of result) {
    let first: number | undefined;
    for (const part of character.normalize(decomposed)) {
      const index = parts.findIndex((candidate) => candidate.part === part);
      if (index < 0) continue;
      first ??= parts[index]!.unit;
      parts.splice(index, 1);
    }
    last = first ?? last;
    put(character, last);
  }
}
