import { type JsonObject, readBoolean, readByType, readList, readObject, wrongKind } from "../json.ts";
import type { PostProcessorStep, TemplatePiece } from "./post-processor.ts";
import { readTemplate } from "./template.ts";

type Reader = (object: JsonObject, place: string) => PostProcessorStep[];

/** How each type of post-processor is read from JSON. */
const postProcessors = {
  BertProcessing: (object, place) => {
    const first = readSpecial(object, "cls", place);
    const end = readSpecial(object, "sep", place);
    const single = [first(0), sequence(0, 0), end(0)];
    const pair = [...single, sequence(1, 1), end(1)];
    return [{ kind: "template", template: { single, pair }, typesAlways: false }];
  },
  ByteLevel: (object, place) => trimming(object, place),
  RobertaProcessing: (object, place) => {
    const first = readSpecial(object, "cls", place);
    const end = readSpecial(object, "sep", place);
    const single = [first(0), sequence(0, 0), end(0)];
    const pair = [...single, end(0), sequence(1, 0), end(0)];
    const template: PostProcessorStep = { kind: "template", template: { single, pair }, typesAlways: true };
    return [...trimming(object, place), template];
  },
  Sequence: (object, place) => {
    const listPlace = `${place}.processors`;
    return readList(object.processors, listPlace).flatMap((entry, index) =>
      readPostProcessor(entry, `${listPlace}[${index}]`),
    );
  },
  TemplateProcessing: (object, place) => [
    { kind: "template", template: readTemplate(object, place), typesAlways: true },
  ],
} satisfies { [type: string]: Reader };

/** The post-processor that a `tokenizer.json` describes, as steps. */
export function readPostProcessor(value: unknown, place: string): PostProcessorStep[] {
  const object = readObject(value, place);
  return readByType<Reader>(postProcessors, object, place)(object, place);
}

function trimming(object: JsonObject, place: string): PostProcessorStep[] {
  if (!readBoolean(object, "trim_offsets", place, true)) return [];
  return [{ kind: "trim", addPrefixSpace: readBoolean(object, "add_prefix_space", place, true) }];
}

function sequence(index: 0 | 1, typeId: number): TemplatePiece {
  return { kind: "sequence", index, typeId };
}

/** A field [token, id]. */
function readSpecial(object: JsonObject, key: string, place: string): (typeId: number) => TemplatePiece {
  const value = object[key];
  if (Array.isArray(value) && typeof value[0] === "string" && typeof value[1] === "number") {
    const [token, id] = value as [string, number];
    return (typeId) => ({ kind: "special", ids: [id], tokens: [token], typeId });
  }
  throw wrongKind(`${place}.${key}`, "a list of a token and its id", value);
}
