/** Which model a folder holds, told from its config.json alone. */
import { join } from "node:path";
import { familyOf } from "../../models/families.ts";
import { architectureOf, type Head } from "../../models/family.ts";
import { QkvError } from "../../util/errors.ts";
import { type JsonObject, readJsonObject } from "./json-file.ts";

/** A translator of our own kind, or a model of one of the families. */
export interface ModelKind {
  /** The name that config.json gives it, such as "BertForMaskedLM". */
  readonly architecture: string;
  /** `model_type` of config.json. */
  readonly modelType: string;
  readonly head: Head;
  /** Whether it reads one text and writes another, so that it may translate. */
  readonly translates: boolean;
  /** The contents of config.json. */
  readonly config: JsonObject;
}

/** `model_type` of the translators that we write down apart from the families. */
export const ownTranslator = "transformer";

/** The families whose models may translate. */
const translatingFamilies = ["marian", "bart", "t5"];

/**
 * Reads no more than the names in config.json, so that a model that cannot be built is told by its name too.
 * @throws QkvError "file" where there is no config.json, "config" for a family that there is not
 */
export async function readModelKind(folder: string): Promise<ModelKind> {
  const path = join(folder, "config.json");
  const config = await readJsonObject(path);
  if (config === undefined) throw new QkvError("file", `${path}: there is no such file; name a model folder`);
  if (config.model_type === ownTranslator) {
    const architecture = "TransformerForConditionalGeneration";
    return { architecture, modelType: ownTranslator, head: "sequence-to-sequence", translates: true, config };
  }
  const family = familyOf(config, path);
  const [named] = (config.architectures ?? []) as readonly string[];
  const head =
    named !== undefined && Object.hasOwn(family.architectures, named) ? family.architectures[named]! : "base";
  const { modelType } = family;
  const translates = translatingFamilies.includes(modelType);
  return { architecture: named ?? architectureOf(family, head), modelType, head, translates, config };
}

/** What a model is used with, by its head. */
const verbs: Readonly<Partial<Record<Head, string>>> = {
  base: "embed",
  "masked-lm": "fill-mask",
  "pre-training": "fill-mask",
  "causal-lm": "complete",
  "sequence-classification": "classify",
  "token-classification": "tag",
  "question-answering": "answer",
};

/** The error for a model that translates nothing, with the command that it is for. */
export function noTranslator(folder: string, { architecture, head }: ModelKind): QkvError {
  const lacks = head === "causal-lm" ? "goes on from a text and translates none" : "writes no text";
  const verb = verbs[head];
  const wayOut = verb === undefined ? "name another folder" : `try qkv ${verb} --model ${folder}`;
  return new QkvError("config", `${folder}: ${lacks}; got ${architecture}; ${wayOut}`);
}

/** Refuses all but translators of our own kind where a text is followed through the model. */
export async function requireOwnTranslator(folder: string): Promise<void> {
  const { architecture, modelType } = await readModelKind(folder);
  if (modelType === ownTranslator) return;
  throw new QkvError(
    "config",
    `${folder}: --text is for translators of qkv's own kind; got ${architecture}; give token ids with --inputs FILE`,
  );
}
