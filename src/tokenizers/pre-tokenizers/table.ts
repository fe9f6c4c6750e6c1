import {
  type JsonObject,
  readBoolean,
  readByType,
  readChoice,
  readCount,
  readList,
  readObject,
  readString,
} from "../json.ts";
import { literalPattern, readPattern } from "../patterns.ts";
import { byteLevelSteps } from "./byte-level.ts";
import { metaspaceSteps } from "./metaspace.ts";
import type { PreTokenizerStep } from "./pre-tokenizer.ts";
import {
  bertWordsStep,
  digitsStep,
  fixedLengthStep,
  punctuationStep,
  type SplitBehavior,
  splitBehaviors,
  splitStep,
} from "./split.ts";
import { whitespaceSplitStep, whitespaceStep } from "./whitespace.ts";

type Reader = (object: JsonObject, place: string) => PreTokenizerStep[];

/** How each type of pre-tokenizer is read from JSON. */
const preTokenizers = {
  BertPreTokenizer: () => [bertWordsStep],
  ByteLevel: (object, place) =>
    byteLevelSteps(
      readBoolean(object, "add_prefix_space", place, true),
      readBoolean(object, "use_regex", place, true),
    ),
  CharDelimiterSplit: (object, place) => [
    splitStep(literalPattern(readString(object, "delimiter", place)), "Removed"),
  ],
  Digits: (object, place) => [digitsStep(readBoolean(object, "individual_digits", place, false))],
  FixedLength: (object, place) => [fixedLengthStep(Math.max(1, readCount(object, "length", place, 5)))],
  Metaspace: (object, place) => {
    const addPrefixSpace = readBoolean(object, "add_prefix_space", place, true);
    const scheme = readChoice(object, "prepend_scheme", place, ["always", "first", "never"], "always");
    return metaspaceSteps(
      readString(object, "replacement", place, "▁"),
      addPrefixSpace ? scheme : "never",
      readBoolean(object, "split", place, true),
    );
  },
  Punctuation: (object, place) => [punctuationStep(readBehavior(object, place, "Isolated"))],
  Sequence: (object, place) => {
    const listPlace = `${place}.pretokenizers`;
    return readList(object.pretokenizers, listPlace).flatMap((entry, index) =>
      readPreTokenizer(entry, `${listPlace}[${index}]`),
    );
  },
  Split: (object, place) => [
    splitStep(
      readPattern(object, "pattern", place),
      readBehavior(object, place),
      readBoolean(object, "invert", place, false),
    ),
  ],
  Whitespace: () => [whitespaceStep],
  WhitespaceSplit: () => [whitespaceSplitStep],
} satisfies { [type: string]: Reader };

/** The pre-tokenizer that a `tokenizer.json` describes, as steps. */
export function readPreTokenizer(value: unknown, place: string): PreTokenizerStep[] {
  const object = readObject(value, place);
  return readByType<Reader>(preTokenizers, object, place)(object, place);
}

function readBehavior(object: JsonObject, place: string, fallback?: SplitBehavior): SplitBehavior {
  return readChoice(object, "behavior", place, splitBehaviors, fallback);
}
