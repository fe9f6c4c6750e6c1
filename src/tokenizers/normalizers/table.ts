import { type JsonObject, readBoolean, readByType, readList, readObject, readString } from "../json.ts";
import { readPattern } from "../patterns.ts";
import { bertNormalizer, byteLevelNormalizer, nmtNormalizer } from "./bert.ts";
import { type Normalizer, normalizerSequence } from "./normalizer.ts";
import { decodeBase64, precompiledNormalizer, ReplacementMap } from "./precompiled.ts";
import {
  lowercaseNormalizer,
  prependNormalizer,
  replaceNormalizer,
  stripAccentsNormalizer,
  stripNormalizer,
} from "./simple.ts";
import { unicodeNormalizer } from "./unicode.ts";

/** How each type of normalizer is read from JSON. */
const normalizers = {
  BertNormalizer: (object, place) => {
    const lowercase = readBoolean(object, "lowercase", place, true);
    return bertNormalizer({
      cleanText: readBoolean(object, "clean_text", place, true),
      handleChinese: readBoolean(object, "handle_chinese_chars", place, true),
      stripAccents: readBoolean(object, "strip_accents", place, lowercase),
      lowercase,
    });
  },
  ByteLevel: () => byteLevelNormalizer(),
  Lowercase: () => lowercaseNormalizer(),
  NFC: () => unicodeNormalizer("NFC"),
  NFD: () => unicodeNormalizer("NFD"),
  NFKC: () => unicodeNormalizer("NFKC"),
  NFKD: () => unicodeNormalizer("NFKD"),
  Nmt: () => nmtNormalizer(),
  Precompiled: (object, place) => {
    const field = `${place}.precompiled_charsmap`;
    const text = readString(object, "precompiled_charsmap", place, "");
    if (text.length === 0) return normalizerSequence([]);
    const map = new ReplacementMap(decodeBase64(text, field), field);
    // Not a field of Hugging Face's: SentencePiece's own files ask for SentencePiece's own way.
    const isLongest = readBoolean(object, "longest_match", place, false);
    return precompiledNormalizer(map, isLongest ? "longest" : "graphemes");
  },
  Prepend: (object, place) => prependNormalizer(readString(object, "prepend", place)),
  Replace: (object, place) =>
    replaceNormalizer(readPattern(object, "pattern", place), readString(object, "content", place)),
  Sequence: (object, place) => {
    const listPlace = `${place}.normalizers`;
    return normalizerSequence(
      readList(object.normalizers, listPlace).map((entry, index) =>
        readNormalizer(entry, `${listPlace}[${index}]`),
      ),
    );
  },
  Strip: (object, place) =>
    stripNormalizer(
      readBoolean(object, "strip_left", place, true),
      readBoolean(object, "strip_right", place, true),
    ),
  StripAccents: () => stripAccentsNormalizer(),
} satisfies { [type: string]: (object: JsonObject, place: string) => Normalizer };

/** The normalizer that a `tokenizer.json` describes. */
export function readNormalizer(value: unknown, place: string): Normalizer {
  const object = readObject(value, place);
  const read = readByType<(object: JsonObject, place: string) => Normalizer>(normalizers, object, place);
  return read(object, place);
}
