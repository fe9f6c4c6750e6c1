import { QkvError } from "../../util/errors.ts";
import { type JsonObject, readByType, readObject } from "../json.ts";
import { readBytePairEncoding } from "./byte-pair-encoding.ts";
import type { Model } from "./model.ts";
import { readRenumbered } from "./renumbered.ts";
import { readUnigram } from "./unigram.ts";
import { readWordLevel } from "./word-level.ts";
import { readWordPiece } from "./word-piece.ts";

type Reader = (object: JsonObject, place: string) => Model;

/** How each type of model is read from JSON. */
const models = {
  BPE: readBytePairEncoding,
  Renumbered: readRenumbered,
  Unigram: readUnigram,
  WordLevel: readWordLevel,
  WordPiece: readWordPiece,
} satisfies { [type: string]: Reader };

/** The model that a `tokenizer.json` describes; older files leave the type out. */
export function readModel(value: unknown, place: string): Model {
  const object = readObject(value, place);
  const type = object.type ?? guessType(object, place);
  return readByType<Reader>(models, { ...object, type }, place)(object, place);
}

function guessType(object: JsonObject, place: string): string {
  if (Array.isArray(object.merges)) return "BPE";
  if (Array.isArray(object.vocab)) return "Unigram";
  if (typeof object.continuing_subword_prefix === "string") return "WordPiece";
  if (typeof object.vocab === "object" && typeof object.unk_token === "string") return "WordLevel";
  throw new QkvError(
    "config",
    `${place}: has no type and looks like none of ${Object.keys(models).join(", ")}`,
  );
}
