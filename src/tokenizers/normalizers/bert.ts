import { toByteCharacters } from "../byte-level.ts";
import { type Normalizer, normalizerFromRewrite, normalizerSequence } from "./normalizer.ts";
import { asciiOnly, lowercaseNormalizer, mapCharacters } from "./simple.ts";
import { unicodeNormalizer } from "./unicode.ts";

const printableAscii = /^[\x20-\x7e]*$/;

/**
 * BERT's normalizer: control characters go and white space becomes a space (`cleanText`); Chinese characters
 * get spaces around (`handleChinese`); accents go; small letters.
 *
 * Source: google-research/bert, tokenization.py, BasicTokenizer.
 */
export function bertNormalizer(options: {
  readonly cleanText: boolean;
  readonly handleChinese: boolean;
  readonly stripAccents: boolean;
  readonly lowercase: boolean;
}): Normalizer {
  const { cleanText, handleChinese, stripAccents, lowercase } = options;
  const steps = normalizerSequence([
    ...(cleanText ? [cleanTextNormalizer()] : []),
    ...(handleChinese ? [spaceChineseNormalizer()] : []),
    ...(stripAccents ? [unicodeNormalizer("NFD"), stripNonSpacingMarks()] : []),
    ...(lowercase ? [lowercaseNormalizer()] : []),
  ]);
  return {
    normalize: (text) => {
      if (!printableAscii.test(text)) return steps.normalize(text);
      return lowercase ? text.toLowerCase() : text;
    },
    align: steps.align,
  };
}

const control = /^[\0\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]$/u;
const whiteSpace = /^\p{White_Space}$/u;
const cleanable = /[\0\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{White_Space}]/gu;

function cleanTextNormalizer(): Normalizer {
  const clean = (character: string) => {
    if (character === "\t" || character === "\n" || character === "\r") return " ";
    if (control.test(character)) return "";
    return whiteSpace.test(character) ? " " : character;
  };
  return normalizerFromRewrite(
    (text, output) => mapCharacters(text, output, clean),
    (text) => text.replace(cleanable, clean),
  );
}

/**
 * The blocks of Chinese characters; the last but two starts at U+2B920, as in the reference implementation,
 * not at U+2B820, where the block does.
 */
const chinese =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

function spaceChineseNormalizer(): Normalizer {
  return normalizerFromRewrite(
    (text, output) => {
      let kept = 0;
      for (const match of text.matchAll(chinese)) {
        const end = match.index + match[0].length;
        output.keep(kept, match.index);
        output.put(" ", match.index);
        output.keep(match.index, end);
        output.put(" ", match.index);
        kept = end;
      }
      output.keep(kept, text.length);
    },
    (text) => text.replace(chinese, " $& "),
  );
}

const nonSpacingMark = /^\p{Mn}$/u;
const nonSpacingMarks = /\p{Mn}+/gu;

function stripNonSpacingMarks(): Normalizer {
  return normalizerFromRewrite(
    (text, output) =>
      mapCharacters(text, output, (character) => (nonSpacingMark.test(character) ? "" : character)),
    (text) => (asciiOnly.test(text) ? text : text.replace(nonSpacingMarks, "")),
  );
}

const spacesOfNmt = /^[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]$/;

/** The control characters that NMT's clean-up removes: all but some that separate. */
function isRemovedByNmt(character: string): boolean {
  const code = character.charCodeAt(0);
  if (code === 0x0b || code === 0x7f || code === 0x8f || code === 0x9f) return true;
  return (code >= 1 && code <= 8) || (code >= 0x0e && code <= 0x1f);
}

/** The clean-up of machine translation: some control characters go, kinds of white space become a space. */
export function nmtNormalizer(): Normalizer {
  return normalizerFromRewrite((text, output) =>
    mapCharacters(text, output, (character) => {
      if (isRemovedByNmt(character)) return "";
      return spacesOfNmt.test(character) ? " " : character;
    }),
  );
}

/** Puts the byte-level characters of each character in its place. */
export function byteLevelNormalizer(): Normalizer {
  return normalizerFromRewrite(
    (text, output) => mapCharacters(text, output, toByteCharacters),
    toByteCharacters,
  );
}
