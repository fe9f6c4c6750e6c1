import type { z } from "zod";
import { didYouMean, QkvError } from "../util/errors.ts";
import { type ModelRecipe, modelRecipeSchemas, modelTaskNames } from "./model-recipe.ts";
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
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data as Recipe;
  const problems = parsed.error.issues.map((issue) => {
    const place = issue.path.join(".");
    if (issue.code !== "unrecognized_keys") return `${place || "recipe"}: ${issue.message}`;
    const known = keysOf(schema, place);
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

function keysOf(schema: z.ZodObject, section: string): string[] {
  return Object.keys(sectionsOf(schema).get(section)?.shape ?? {});
}

/**
 * Puts `key=value` over a recipe's JSON. A key is `section.name`, or the name alone where only one section has it; a
 * value is JSON, or else text.
 * @throws QkvError "option" for an unknown key
 */
export function overrideRecipe(json: unknown, assignments: readonly string[]): unknown {
  const result = structuredClone(json ?? {}) as Record<string, Record<string, unknown>>;
  const schema = schemaOf(json, "recipe");
  for (const assignment of assignments) {
    const split = assignment.indexOf("=");
    if (split < 1) throw new QkvError("option", `--set: needs key=value; got "${assignment}"`);
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
  const known = candidates.map(([own, key]) => (dot < 0 || own === "" ? key : `${own}.${key}`));
  const family = dot < 0 && sections.get("model")?.def.catchall?._zod.def.type === "unknown";
  const wayOut = family ? `; sizes of a model's family are set as model.${name}` : "";
  throw new QkvError("option", `--set: unknown key "${name}"${didYouMean(name, known) || wayOut}`);
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
