import { QkvError } from "../../util/errors.ts";
import {
  type JsonObject,
  readChoice,
  readCount,
  readList,
  readObject,
  readString,
  wrongKind,
} from "../json.ts";
import type { Template, TemplatePiece } from "./post-processor.ts";

/** The template of a `tokenizer.json`'s TemplateProcessing. */
export function readTemplate(object: JsonObject, place: string): Template {
  const specials = readObject(object.special_tokens ?? {}, `${place}.special_tokens`);
  const readPieces = (key: string) =>
    readList(object[key], `${place}.${key}`).map((piece, index) =>
      readPiece(readObject(piece, `${place}.${key}[${index}]`), specials, `${place}.${key}[${index}]`),
    );
  return { single: readPieces("single"), pair: readPieces("pair") };
}

function readPiece(piece: JsonObject, specials: JsonObject, place: string): TemplatePiece {
  if (piece.Sequence !== undefined) {
    const fields = readObject(piece.Sequence, `${place}.Sequence`);
    const index = readChoice(fields, "id", `${place}.Sequence`, ["A", "B"]) === "A" ? 0 : 1;
    return { kind: "sequence", index, typeId: readCount(fields, "type_id", `${place}.Sequence`, 0) };
  }
  if (piece.SpecialToken !== undefined) {
    const fields = readObject(piece.SpecialToken, `${place}.SpecialToken`);
    const name = readString(fields, "id", `${place}.SpecialToken`);
    const special = specials[name];
    if (special === undefined) {
      throw new QkvError(
        "config",
        `${place}: the special token "${name}" is not in special_tokens; known are ` +
          (Object.keys(specials).join(", ") || "none"),
      );
    }
    const { ids, tokens } = readObject(special, `special_tokens.${name}`);
    const listPlace = `special_tokens.${name}`;
    return {
      kind: "special",
      ids: readList(ids, `${listPlace}.ids`).map((id) => {
        if (typeof id === "number" && Number.isInteger(id) && id >= 0) return id;
        throw wrongKind(`${listPlace}.ids`, "a list of ids", ids);
      }),
      tokens: readList(tokens, `${listPlace}.tokens`).map(String),
      typeId: readCount(fields, "type_id", `${place}.SpecialToken`, 0),
    };
  }
  throw wrongKind(place, 'an object with "Sequence" or "SpecialToken"', piece);
}
