import { z } from "zod";
import type { ActivationName } from "../nn/layers.ts";
import { QkvError } from "../util/errors.ts";
import { ruleOf } from "../util/schema-rules.ts";
import type { Head } from "./family.ts";

export const count = z.int().positive();
/** A probability of dropout. */
export const rate = z.number().min(0).lt(1);
export const tokenId = z.int().nonnegative();

/** Activations as Hugging Face spells them. */
const activationNames = {
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "geluTanh",
  gelu_fast: "geluTanh",
  gelu_pytorch_tanh: "geluTanh",
  relu: "relu",
  silu: "silu",
  swish: "silu",
  tanh: "tanh",
} as const satisfies Readonly<Record<string, ActivationName>>;
type SpelledActivation = keyof typeof activationNames;

/** An activation by Hugging Face's name. */
export const activation = z
  .enum(Object.keys(activationNames) as [SpelledActivation, ...SpelledActivation[]])
  .transform((name): ActivationName => activationNames[name]);

/** The keys that configurations of classifiers share, to be spread into a schema. */
export const classifierKeys = {
  id2label: z.record(z.string(), z.string()).nullish(),
  num_labels: z.int().positive().nullish(),
  problem_type: z.enum(["regression", "single_label_classification", "multi_label_classification"]).nullish(),
};

/**
 * The names of the classes by id, for a model that classifies. Hugging Face leaves out the default: two of them.
 */
export function labelsOf(
  file: { id2label?: Record<string, string> | null | undefined; num_labels?: number | null | undefined },
  head: Head,
  where: string,
): string[] {
  // Other models have the key too, and nobody looks at what it says there.
  if (head !== "sequence-classification" && head !== "token-classification") return [];
  const named = file.id2label ?? undefined;
  const labelCount = named === undefined ? (file.num_labels ?? 2) : Object.keys(named).length;
  return Array.from({ length: labelCount }, (_, id) => {
    if (named === undefined) return `LABEL_${id}`;
    const label = named[id];
    if (label === undefined) {
      const got = Object.keys(named).join(", ");
      throw new QkvError("config", `${where}: id2label must number the labels from 0 on; got ${got}`);
    }
    return label;
  });
}

/**
 * Reads the contents of a config.json. Keys that the schema does not name are of no concern.
 * @param where - the file, for messages
 * @throws QkvError "config" with every problem found, by the key's name
 */
export function readConfig<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
  where: string,
): z.output<Schema> {
  const parsed = schema.safeParse(json, { error: configRuleOf });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "the file"}: ${issue.message}`,
  );
  throw new QkvError("config", `${where}: ${problems.join("; ")}`);
}

/** What a configuration's file breaks; of names that there are elsewhere it is told which are known here. */
function configRuleOf(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== "invalid_value" || issue.input === undefined) return ruleOf(issue);
  const values = issue.values.map((value) => JSON.stringify(value));
  const verb = values.length === 1 ? "is" : "are";
  return `only ${values.join(", ")} ${verb} supported; got ${JSON.stringify(issue.input)}`;
}

/** @throws QkvError "config" where the width is no multiple of the number of heads */
export function checkHeads(
  width: readonly [key: string, value: number],
  heads: readonly [key: string, value: number],
  where: string,
): void {
  if (width[1] % heads[1] === 0) return;
  throw new QkvError(
    "config",
    `${where}: ${width[0]} must be a multiple of ${heads[0]}; got ${width[1]} and ${heads[1]}`,
  );
}
