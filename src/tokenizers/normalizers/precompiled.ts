import { QkvError } from "../../util/errors.ts";
import { isSurrogatePair, type RewriteOutput } from "../aligned-text.ts";
import { detachText } from "../detach.ts";
import { type Normalizer, normalizerFromRewrite } from "./normalizer.ts";

/**
 * Replacements of texts by texts, as SentencePiece compiles its normalization rules: a double array that leads
 * from the UTF-8 bytes of a text to the place of its replacement in a list of texts, each ended by a zero byte.
 *
 * Source: google/sentencepiece, normalizer.cc; s-yata/darts-clone, the form of the units.
 */
export class ReplacementMap {
  readonly #units: Uint32Array;
  readonly #texts: Uint8Array;
  readonly #known = new Map<string, string | undefined>();

  /** @param bytes - the field `precompiled_charsmap` */
  constructor(bytes: Uint8Array, place: string) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = bytes.length >= 4 ? view.getUint32(0, true) : -1;
    if (size < 4 || size % 4 !== 0 || size + 4 > bytes.length) {
      throw new QkvError("file", `${place}: is damaged: a table of ${size} bytes in ${bytes.length} bytes`);
    }
    this.#units = Uint32Array.from({ length: size / 4 }, (_, index) => view.getUint32(4 + 4 * index, true));
    this.#texts = bytes.subarray(4 + size);
  }

  /** The replacement of the shortest beginning of `text` that has one; what follows it is dropped. */
  replacementOf(text: string): string | undefined {
    if (this.#known.has(text)) return this.#known.get(text);
    const first = this.#prefixes(encoder.encode(text))[0];
    const replacement = first === undefined ? undefined : this.#textAt(first.place);
    if (this.#known.size < 10_000) this.#known.set(detachText(text), replacement);
    return replacement;
  }

  /** The longest beginning of the bytes that has a replacement. */
  longestPrefix(bytes: Uint8Array): { readonly length: number; readonly replacement: string } | undefined {
    const longest = this.#prefixes(bytes).at(-1);
    return longest && { length: longest.length, replacement: this.#textAt(longest.place) };
  }

  #prefixes(bytes: Uint8Array): { length: number; place: number }[] {
    const found: { length: number; place: number }[] = [];
    let node = offsetOf(this.#units[0]!);
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index]!;
      if (byte === 0) break;
      node ^= byte;
      const unit = this.#units[node];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) break;
      node ^= offsetOf(unit);
      if (((unit >>> 8) & 1) === 1) {
        const leaf = this.#units[node];
        if (leaf === undefined) break;
        found.push({ length: index + 1, place: leaf & 0x7fffffff });
      }
    }
    return found;
  }

  #textAt(place: number): string {
    const end = this.#texts.indexOf(0, place);
    return decoder.decode(this.#texts.subarray(place, end < 0 ? undefined : end));
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

/** The bytes of a text in base 64. */
export function decodeBase64(text: string, place: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new QkvError("file", `${place}: is damaged: not a text in base 64`, { cause });
  }
}

/** An ASCII character that is a grapheme of its own, or what may be several. */
const runs = /[\0-\x7f]?[^\0-\x7f]+|\r\n|[\0-\x7f]/g;
const hasAscii = /^[\0-\x7f]$/;
/** Characters that may join with a neighbour to one grapheme. */
const joining =
  /[\p{M}\p{Cf}\p{Grapheme_Extend}\p{Emoji_Modifier}\p{Regional_Indicator}\u0e33\u0eb3\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]|[\u{110bd}\u{110cd}\u{111c2}\u{111c3}\u{1193f}\u{11941}\u{11a3a}\u{11a84}-\u{11a89}\u{11d46}\u{11f02}]|\u0d4e/u;
const longestGrapheme = 5;

/**
 * SentencePiece's replacements.
 * @param way - `graphemes`: as Hugging Face's tokenizers apply them, to each grapheme of up to 5 bytes as a whole
 *   where its beginning has a replacement, else to each of its characters; `longest`: as SentencePiece does, at
 *   each place the longest text that has a replacement
 */
export function precompiledNormalizer(
  map: ReplacementMap,
  way: "graphemes" | "longest" = "graphemes",
): Normalizer {
  let segmenter: Intl.Segmenter | undefined;
  const ascii = Array.from({ length: 128 }, (_, code) => {
    const character = String.fromCharCode(code);
    return map.replacementOf(character) ?? character;
  });
  const isPlainAscii = (text: string) => {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code >= 128 || ascii[code]!.charCodeAt(0) !== code || ascii[code]!.length !== 1) return false;
    }
    return true;
  };
  const rewriteCharacters = (run: string, start: number, output: RewriteOutput) => {
    for (let unit = 0; unit < run.length; ) {
      const length = isSurrogatePair(run, unit) ? 2 : 1;
      putReplacement(run.slice(unit, unit + length), start + unit, output, map);
      unit += length;
    }
  };
  return normalizerFromRewrite(
    (text, output) => {
      for (const { 0: run, index: start } of text.matchAll(runs)) {
        if (hasAscii.test(run)) {
          const replacement = ascii[run.charCodeAt(0)]!;
          if (replacement === run) output.keep(start, start + 1);
          else if (replacement.length > 0) output.put(replacement, start);
        } else if (way === "longest") rewriteLongest(run, start, output, map);
        else if (run !== "\r\n" && !joining.test(run)) rewriteCharacters(run, start, output);
        else {
          segmenter ??= new Intl.Segmenter("und", { granularity: "grapheme" });
          for (const { segment, index } of segmenter.segment(run)) {
            const bytes = encoder.encode(segment).length;
            const replacement = bytes <= longestGrapheme ? map.replacementOf(segment) : undefined;
            if (replacement === undefined) rewriteCharacters(segment, start + index, output);
            else putAligned(segment, replacement, start + index, output);
          }
        }
      }
    },
    (text) => (isPlainAscii(text) ? text : undefined),
  );
}

/** At each place the longest text that has a replacement; what has none stays. */
function rewriteLongest(run: string, start: number, output: RewriteOutput, map: ReplacementMap): void {
  for (let unit = 0; unit < run.length; ) {
    const found = map.longestPrefix(encoder.encode(run.slice(unit, unit + longestReplaced)));
    let next = unit + (isSurrogatePair(run, unit) ? 2 : 1);
    if (found === undefined) output.keep(start + unit, start + next);
    else {
      next = unit + unitsOfBytes(run, unit, found.length);
      putAligned(run.slice(unit, next), found.replacement, start + unit, output);
    }
    unit = next;
  }
}

/** No replaced text of SentencePiece's rules is longer than this many units. */
const longestReplaced = 32;

/** How many UTF-16 units from `start` on have so many UTF-8 bytes. */
function unitsOfBytes(text: string, start: number, bytes: number): number {
  let left = bytes;
  let unit = start;
  while (left > 0) {
    const code = text.codePointAt(unit) ?? 0;
    left -= code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    unit += code < 0x10000 ? 1 : 2;
  }
  return unit - start;
}

function putReplacement(character: string, start: number, output: RewriteOutput, map: ReplacementMap): void {
  const replacement = map.replacementOf(character);
  if (replacement === undefined || replacement === character) output.keep(start, start + character.length);
  else putAligned(character, replacement, start, output);
}

/** Character by character in the places of the source's; those that are left over in the place of the last. */
function putAligned(source: string, replacement: string, start: number, output: RewriteOutput): void {
  let unit = 0;
  for (const character of replacement) {
    const next = unit + (isSurrogatePair(source, unit) ? 2 : 1);
    output.put(character, start + unit);
    if (next < source.length) unit = next;
  }
}
