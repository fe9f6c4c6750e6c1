import { type JsonObject, readString } from "../json.ts";
import type { Model } from "./model.ts";
import { readVocabulary } from "./vocabulary.ts";

/** The model of a `tokenizer.json` whose type is WordLevel: each word is one token or unknown. */
export function readWordLevel(object: JsonObject, place: string): Model {
  const vocabulary = readVocabulary(object, "vocab", place);
  const unknown = vocabulary.idOf(readString(object, "unk_token", place, "<unk>"));
  return {
    vocabSize: vocabulary.size,
    idLimit: vocabulary.idLimit,
    tokenToId: (token) => vocabulary.idOf(token),
    idToToken: (id) => vocabulary.tokenOf(id),
    encodeWord: (word, output) => {
      const id = vocabulary.idOf(word) ?? unknown;
      if (id === undefined) return;
      output.ids.push(id);
      output.starts.push(0);
      output.ends.push(word.length);
    },
  };
}
