import { z } from "zod";
import { didYouMean, QkvError } from "../util/errors.ts";
import { ablatedDecoder } from "./ablated-decoder.ts";
import { bart } from "./bart.ts";
import { bert } from "./bert.ts";
import { readConfig } from "./config-file.ts";
import { distilbert } from "./distilbert.ts";
import type { Family, Head, Model, ModelOptions } from "./family.ts";
import { gpt2 } from "./gpt2-family.ts";
import { marian } from "./marian.ts";
import { roberta } from "./roberta.ts";
import { t5 } from "./t5.ts";

/** Every family that there is. */
export const families: readonly Family[] = [
  bert,
  roberta,
  distilbert,
  gpt2,
  bart,
  marian,
  t5,
  ablatedDecoder,
];

const kindSchema = z.object({
  model_type: z.string().optional(),
  architectures: z.array(z.string()).nullish(),
});

/**
 * The model that a config.json describes.
 * @param json - the contents of config.json
 * @param where - the file, for messages
 * @throws QkvError "config" for a family, architecture or choice that there is not, by its name
 */
export function createModel(json: unknown, options: ModelOptions = {}, where = "config.json"): Model {
  const { architectures } = readConfig(kindSchema, json, where);
  const family = familyOf(json, where);
  return family.createModel(json, headOf(family, architectures?.[0], options.head, where), options, where);
}

/**
 * The family of the model that a config.json describes.
 * @throws QkvError "config" for one that there is not, by its name
 */
export function familyOf(json: unknown, where = "config.json"): Family {
  const { model_type: modelType, architectures } = readConfig(kindSchema, json, where);
  const architecture = architectures?.[0];
  const family = families.find((candidate) =>
    modelType === undefined
      ? architecture !== undefined && Object.hasOwn(candidate.architectures, architecture)
      : candidate.modelType === modelType,
  );
  if (family !== undefined) return family;
  const known = families.map((candidate) => candidate.modelType);
  const got = modelType === undefined ? "none" : `"${modelType}"${didYouMean(modelType, known)}`;
  throw new QkvError(
    "config",
    `${where}: model_type must be one of ${known.join(", ")}; got ${got}${architecture === undefined ? "" : ` (${architecture})`}; ` +
      "qkv has no such model yet",
  );
}

/** The head that was asked for, or that of the architecture; without either, the base model. */
function headOf(
  family: Family,
  architecture: string | undefined,
  asked: Head | undefined,
  where: string,
): Head {
  const known = Object.entries(family.architectures);
  if (asked !== undefined) {
    if (known.some(([, head]) => head === asked)) return asked;
    const has = known.map(([, head]) => head).join(", ");
    throw new QkvError("config", `${where}: a ${family.modelType} model can be ${has}; got ${asked}`);
  }
  if (architecture === undefined) return "base";
  const head = Object.hasOwn(family.architectures, architecture)
    ? family.architectures[architecture]
    : undefined;
  if (head !== undefined) return head;
  const names = families.flatMap((candidate) => Object.keys(candidate.architectures));
  throw new QkvError(
    "config",
    `${where}: architectures must name one of ${names.join(", ")}; got "${architecture}"${didYouMean(architecture, names)}`,
  );
}
