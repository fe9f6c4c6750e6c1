import { z } from "zod";
import { didYouMean, QkvError } from "../util/errors.ts";
import { ruleOf } from "../util/schema-rules.ts";

/** Small controlled trainings that answer questions: one recipe, variants of it, several seeds of each. */
const experimentSchema = z.strictObject({
  name: z.string().default("experiment"),
  description: z.string().default(""),
  /** The recipe that all variants share. */
  recipe: z.record(z.string(), z.unknown()),
  /** Each variant is trained once with each. */
  seeds: z.array(z.int().nonnegative()).min(1).default([1, 2, 3]),
  questions: z
    .array(
      z.strictObject({
        /** Names its files. */
        id: z.string().regex(/^[a-z0-9-]+$/),
        question: z.string(),
        variants: z
          .array(
            z.strictObject({
              name: z.string(),
              /** What differs from the recipe, as `--set` takes it: `{ "model.n_head": 1 }`. */
              set: z.record(z.string(), z.unknown()).default({}),
            }),
          )
          .min(1),
      }),
    )
    .min(1),
});
export type Experiment = z.output<typeof experimentSchema>;

/**
 * Checks an experiment and fills in the defaults.
 * @param where - the file, for messages
 * @throws QkvError "config" with every problem, unknown keys with the nearest known name
 */
export function parseExperiment(json: unknown, where: string): Experiment {
  const parsed = experimentSchema.safeParse(json, { error: ruleOf });
  if (!parsed.success) {
    const known = Object.keys(experimentSchema.shape);
    const problems = parsed.error.issues.map((issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => `unknown key "${key}"${didYouMean(key, known)}`).join("; ")
        : `${issue.path.join(".") || "experiment"}: ${issue.message}`,
    );
    throw new QkvError("config", `${where}: ${problems.join("; ")}`);
  }
  const ids = parsed.data.questions.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw new QkvError("config", `${where}: two questions have the id "${twice}"`);
  return parsed.data;
}

/** What one training came to. */
export const trialSchema = z.object({
  question: z.string(),
  variant: z.string(),
  seed: z.int(),
  parameters: z.int(),
  /** Mean loss of the last steps that were logged; null where none was. */
  trainingLoss: z.number().nullable(),
  /** Of the validation data at the end. */
  validationLoss: z.number(),
  seconds: z.number(),
});
export type TrialResult = z.infer<typeof trialSchema>;
