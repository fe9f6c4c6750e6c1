import {
  type JsonObject,
  readBoolean,
  readByType,
  readCount,
  readList,
  readObject,
  readString,
} from "../json.ts";
import { readPattern } from "../patterns.ts";
import { decodeByteFallback, decodeByteLevel } from "./bytes.ts";
import type { Decoder } from "./decoder.ts";
import {
  connectionistTemporalDecoder,
  fuse,
  metaspaceDecoder,
  replaceDecoder,
  stripDecoder,
  wordPieceDecoder,
  wordSuffixDecoder,
} from "./pieces.ts";

/** How each type of decoder is read from JSON. */
const decoders = {
  BPEDecoder: (object, place) => wordSuffixDecoder(readString(object, "suffix", place, "</w>")),
  ByteFallback: () => decodeByteFallback,
  ByteLevel: () => decodeByteLevel,
  CTC: (object, place) =>
    connectionistTemporalDecoder(
      readString(object, "pad_token", place, "<pad>"),
      readString(object, "word_delimiter_token", place, "|"),
      readBoolean(object, "cleanup", place, true),
    ),
  Fuse: () => fuse,
  Metaspace: (object, place) => {
    const addsPrefix =
      readString(object, "prepend_scheme", place, "always") !== "never" &&
      readBoolean(object, "add_prefix_space", place, true);
    return metaspaceDecoder(readString(object, "replacement", place, "▁"), addsPrefix);
  },
  Replace: (object, place) =>
    replaceDecoder(readPattern(object, "pattern", place), readString(object, "content", place)),
  Sequence: (object, place) => {
    const listPlace = `${place}.decoders`;
    const sequence = readList(object.decoders, listPlace).map((entry, index) =>
      readDecoder(entry, `${listPlace}[${index}]`),
    );
    return (pieces) => sequence.reduce<string[]>((result, decoder) => decoder(result), [...pieces]);
  },
  Strip: (object, place) =>
    stripDecoder(
      readString(object, "content", place, " "),
      readCount(object, "start", place, 0),
      readCount(object, "stop", place, 0),
    ),
  WordPiece: (object, place) =>
    wordPieceDecoder(readString(object, "prefix", place, "##"), readBoolean(object, "cleanup", place, true)),
} satisfies { [type: string]: (object: JsonObject, place: string) => Decoder };

/** The decoder that a `tokenizer.json` describes. */
export function readDecoder(value: unknown, place: string): Decoder {
  const object = readObject(value, place);
  return readByType<(object: JsonObject, place: string) => Decoder>(decoders, object, place)(object, place);
}
