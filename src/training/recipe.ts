import type { z } from "zod";
import { didYouMean, QkvError } from "../util/errors.ts";
import { missing, ruleOf } from "../util/schema-rules.ts";
import { type ModelRecipe, modelRecipeSchemas } from "./model-recipe.ts";
import { modelTaskNames } from "./model-tasks.ts";
import { type TranslationRecipe, translationRecipeSchema } from "./translation-recipe.ts";

/**
 * A recipe: everything that a training is, in one JSON file. Its words are those of Hugging Face's Trainer and of
 * fairseq; every key but the data has a default.
 */
export type Recipe = TranslationRecipe | ModelRecipe;

const schemas: Readonly<Record<string, z.ZodObject>> = {
  translation: translationRecipeSchema,
  ...modelRecipeSchemas,
};

/** What models can be trained for. */
export const trainingTaskNames = ["translation", ...modelTaskNames] as const;

/** The schema of a recipe's task. */
function schemaOf(json: unknown, where: string): z.ZodObject {
  const task = (json as { task?: unknown } | null)?.task ?? "translation";
  if (typeof task === "string" && Object.hasOwn(schemas, task)) return schemas[task]!;
  const near = typeof task === "string" ? didYouMean(task, trainingTaskNames) : "";
  throw new QkvError(
    "config",
    `${where}: task must be one of ${trainingTaskNames.join(", ")}; got ${JSON.stringify(task)}${near}`,
  );
}

/**
 * Checks a recipe and fills in the defaults.
 * @param where - the file, for messages
 * @throws QkvError "config" with every problem, unknown keys with the nearest known name
 */
export function parseRecipe(json: unknown, where: string): Recipe {
  const schema = schemaOf(json, where);
  const parsed = schema.safeParse(json, { error: ruleOf });
  if (parsed.success) return parsed.data as Recipe;
  const problems = parsed.error.issues.map((issue) => {
    const place = issue.path.join(".");
    if (issue.code !== "unrecognized_keys") {
      const wayOut =
        issue.message === missing && issue.path.length > 1 ? `; give it: --set ${place}=...` : "";
      return `${place || "recipe"}: ${issue.message}${wayOut}`;
    }
    const known = keysAt(schema, issue.path);
    return issue.keys
      .map((key) => `unknown key "${[...issue.path, key].join(".")}"${didYouMean(key, known)}`)
      .join("; ");
  });
  throw new QkvError("config", `${where}: ${problems.join("; ")}`);
}

/** The sections of a schema that have keys of their own. */
function sectionsOf(schema: z.ZodObject): Map<string, z.ZodObject> {
  const sections = new Map([["", schema]]);
  for (const [name, value] of Object.entries(schema.shape)) {
    const inner = unwrapped(value as z.ZodType);
    if ("shape" in inner) sections.set(name, inner as z.ZodObject);
  }
  return sections;
}

/** A schema without the defaults around it. */
function unwrapped(schema: z.ZodType): z.ZodType {
  let inner = schema;
  while ("unwrap" in inner && typeof inner.unwrap === "function") inner = inner.unwrap() as z.ZodType;
  return inner;
}

/** The keys that there are at a place. */
function keysAt(schema: z.ZodObject, path: readonly PropertyKey[]): string[] {
  let inner: z.ZodType = schema;
  for (const step of path) {
    inner = unwrapped(inner);
    if (!("shape" in inner)) return [];
    inner = (inner as z.ZodObject).shape[String(step)] as z.ZodType;
  }
  inner = unwrapped(inner);
  return "shape" in inner ? Object.keys((inner as z.ZodObject).shape) : [];
}

/**
 * Puts `key=value` over a recipe's JSON. A key is `section.name`, or the name alone where only one section has it; a
 * value is JSON, or else text.
 * @throws QkvError "option" for a key that is unknown, is a section, or stands in several sections
 */
export function overrideRecipe(json: unknown, assignments: readonly string[]): unknown {
  const result = structuredClone(json ?? {}) as Record<string, Record<string, unknown>>;
  const schema = schemaOf(json, "recipe");
  for (const assignment of assignments) {
    const split = assignment.indexOf("=");
    if (split < 1) {
      throw new QkvError(
        "option",
        `--set: needs key=value; got "${assignment}"; write it as --set learning_rate=0.001`,
      );
    }
    const [section, key] = findKey(schema, assignment.slice(0, split));
    const value = parseValue(assignment.slice(split + 1));
    if (section === "") Object.assign(result, { [key]: value });
    else result[section] = { ...result[section], [key]: value };
  }
  return result;
}

function findKey(schema: z.ZodObject, name: string): [section: string, key: string] {
  const dot = name.indexOf(".");
  const sections = sectionsOf(schema);
  const candidates = [...sections].flatMap(([section, { shape }]) =>
    Object.keys(shape).map((key) => [section, key] as const),
  );
  const matching = candidates.filter(([section, key]) =>
    dot < 0
      ? key === name && !(section === "" && sections.has(key))
      : section === name.slice(0, dot) && key === name.slice(dot + 1),
  );
  if (matching.length === 1) return [matching[0]![0], matching[0]![1]];
  const section = sections.get(name.slice(0, Math.max(0, dot)));
  // A section that takes keys of other files, such as a config.json's.
  if (dot > 0 && section?.def.catchall?._zod.def.type === "unknown")
    return [name.slice(0, dot), name.slice(dot + 1)];
  if (dot > 0 && isOpen(schema, name.slice(0, dot))) return [name.slice(0, dot), name.slice(dot + 1)];
  throw new QkvError("option", `--set: ${whatIsWrong(schema, name, candidates)}`);
}

/** Why a name is no key, and what may be meant. */
function whatIsWrong(
  schema: z.ZodObject,
  name: string,
  candidates: readonly (readonly [section: string, key: string])[],
): string {
  const fullName = ([section, key]: readonly [string, string]) =>
    section === "" ? key : `${section}.${key}`;
  const sections = sectionsOf(schema);
  if (sections.has(name) || isOpen(schema, name)) {
    return `"${name}" is a section; got a value for it; set its keys one by one: --set ${name}.KEY=VALUE`;
  }
  const same = candidates.filter(([, key]) => key === name).map(fullName);
  if (same.length > 1) return `"${name}" stands in several sections; write ${same.join(" or ")}`;
  const parent = name.slice(0, Math.max(0, name.lastIndexOf(".")));
  const whole = candidates.find((own) => fullName(own) === parent || own[1] === parent);
  if (whole !== undefined && !sections.has(parent)) {
    return `unknown key "${name}"; ${fullName(whole)} is set as a whole: --set ${whole[1]}=JSON`;
  }
  const [has, own] = [name.includes("."), name.toLowerCase()];
  const known = candidates.map(([section, key]) => (has && section !== "" ? `${section}.${key}` : key));
  // Other tools say "epochs" or "batch_size" for short.
  const longer = own.length < 5 ? [] : [...new Set(known.filter((key) => key.includes(own)))];
  if (longer.length > 0 && longer.length < 5) {
    return `unknown key "${name}" (did you mean ${longer.map((key) => `"${key}"`).join(" or ")}?)`;
  }
  const takesSizes = !has && sections.get("model")?.def.catchall?._zod.def.type === "unknown";
  const wayOut = takesSizes ? `; if it is a size of the model's family, write model.${name}` : "";
  return `unknown key "${name}"${didYouMean(name, known) || wayOut}`;
}

/** Whether a section takes any key. */
function isOpen(schema: z.ZodObject, section: string): boolean {
  const value = schema.shape[section] as z.ZodType | undefined;
  return value !== undefined && unwrapped(value).def.type === "record";
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
