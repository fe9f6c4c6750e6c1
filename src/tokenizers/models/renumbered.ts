import { type JsonObject, readObject, readString } from "../json.ts";
import type { Model } from "./model.ts";
import { readUnigram } from "./unigram.ts";
import { readVocabulary, requireToken } from "./vocabulary.ts";

/**
 * A unigram model whose tokens have the ids of another vocabulary; tokens that this lacks are unknown.
 * Marian's models are made so. The type is not one of Hugging Face's.
 */
export function readRenumbered(object: JsonObject, place: string): Model {
  const inner = readUnigram(readObject(object.model, `${place}.model`), `${place}.model`);
  const vocabulary = readVocabulary(object, "vocab", place);
  const unknownId = requireToken(vocabulary, readString(object, "unk_token", place), `${place}.unk_token`);
  const ids = Int32Array.from({ length: inner.idLimit }, (_, id) =>
    id === inner.idShownAsText ? unknownId : (vocabulary.idOf(inner.idToToken(id) ?? "") ?? unknownId),
  );
  return {
    vocabSize: vocabulary.size,
    idLimit: vocabulary.idLimit,
    idShownAsText: unknownId,
    tokenToId: (token) => vocabulary.idOf(token),
    idToToken: (id) => vocabulary.tokenOf(id),
    encodeWord: (word, output) => {
      const first = output.ids.length;
      inner.encodeWord(word, output);
      for (let index = first; index < output.ids.length; index++)
        output.ids[index] = ids[output.ids[index]!]!;
    },
  };
}
