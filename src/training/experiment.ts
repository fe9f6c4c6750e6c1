import { z } from "zod";
import { didYouMean, QkvError } from "../util/errors.ts";
import { ruleOf } from "../util/schema-rules.ts";

/** The name of a shipped recipe, or a recipe itself. */
const recipe = z.union([z.string(), z.record(z.string(), z.unknown())]);
const split = z.enum(["validation", "test"]);

const variantSchema = z.strictObject({
  name: z.string(),
  /**
   * What differs from the recipe, as `--set` takes it: `{ "model.n_head": 1 }`. In a text `${run:NAME}` is the folder
   * of a variant above, trained with the same seed: `{ "teacher.from": "${run:teacher}" }`.
   */
  set: z.record(z.string(), z.unknown()).default({}),
});

const questionSchema = z.strictObject({
  /** Names its files. */
  id: z.string().regex(/^[a-z0-9-]+$/),
  question: z.string(),
  /**
   * What is else than in the other questions; `data` is a folder in the experiment's data folder, or null where the
   * recipe makes its own.
   */
  recipe: recipe.optional(),
  data: z.string().nullable().optional(),
  metric: z.string().optional(),
  split: split.optional(),
  variants: z.array(variantSchema).min(1),
});

/** Small controlled trainings that answer questions: one recipe, variants of it, several seeds of each. */
const experimentSchema = z.strictObject({
  name: z.string().default("experiment"),
  description: z.string().default(""),
  /** The recipe that all variants share. */
  recipe: recipe.optional(),
  /** Each variant is trained once with each. */
  seeds: z.array(z.int().nonnegative()).min(1).default([1, 2, 3]),
  /** What is compared: the loss, or a metric of the recipe's task. */
  metric: z.string().default("loss"),
  /** The data that it is measured on; each model was chosen on the validation data in any case. */
  split: split.default("validation"),
  questions: z.array(questionSchema).min(1),
});

/** One question, with everything that it shares with others. */
export interface Question {
  readonly id: string;
  readonly question: string;
  readonly recipe: string | Readonly<Record<string, unknown>>;
  /** A folder in the experiment's data folder; null where the recipe makes its own data. */
  readonly data: string | null;
  readonly metric: string;
  readonly split: z.output<typeof split>;
  readonly variants: readonly Variant[];
}
export type Variant = z.output<typeof variantSchema>;

export interface Experiment {
  readonly name: string;
  readonly description: string;
  readonly seeds: readonly number[];
  readonly questions: readonly Question[];
}

/**
 * Checks an experiment and fills in the defaults.
 * @param where - the file, for messages
 * @throws QkvError "config" with every problem, unknown keys with the nearest known name
 */
export function parseExperiment(json: unknown, where: string): Experiment {
  const parsed = experimentSchema.safeParse(json, { error: ruleOf });
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, ...issue }) =>
      issue.code === "unrecognized_keys"
        ? issue.keys
            .map((key) => `unknown key "${[...path, key].join(".")}"${didYouMean(key, keysAt(path))}`)
            .join("; ")
        : `${path.join(".") || "experiment"}: ${issue.message}`,
    );
    throw new QkvError("config", `${where}: ${problems.join("; ")}`);
  }
  const ids = parsed.data.questions.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw new QkvError("config", `${where}: two questions have the id "${twice}"`);
  const { recipe, metric, split, questions, ...others } = parsed.data;
  const whole = questions.map((question): Question => {
    const own = question.recipe ?? recipe;
    if (own !== undefined) {
      const { id, variants, data = "." } = question;
      return {
        id,
        question: question.question,
        recipe: own,
        data,
        metric: question.metric ?? metric,
        split: question.split ?? split,
        variants,
      };
    }
    throw new QkvError(
      "config",
      `${where}: questions.${question.id}: needs a recipe, here or for the whole experiment`,
    );
  });
  const folders = questions.flatMap(({ id, variants }) => variants.map(({ name }) => trialName(id, name)));
  const same = folders.find((name, index) => folders.indexOf(name) !== index);
  if (same !== undefined) {
    throw new QkvError(
      "config",
      `${where}: two variants would have the run "${same}"; give them names that differ in letters or digits`,
    );
  }
  for (const { id, variants } of questions) {
    variants.forEach(({ name, set }, index) => {
      const above = variants.slice(0, index).map((variant) => variant.name);
      const unknown = runsIn(set).find((run) => !above.includes(run));
      if (unknown === undefined) return;
      throw new QkvError(
        "config",
        `${where}: questions.${id}: "${name}" can use the runs of variants above it only; got "${unknown}"` +
          didYouMean(unknown, above),
      );
    });
  }
  return { ...others, questions: whole };
}

/** The keys that an object within an experiment may have. */
function keysAt(path: readonly PropertyKey[]): string[] {
  const schema = [experimentSchema, questionSchema, variantSchema][Math.ceil(path.length / 2)];
  return Object.keys(schema?.shape ?? {});
}

/** What the runs of a variant are called, but for the seed. @param id - its question's */
export function trialName(id: string, variant: string): string {
  const plain = variant.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
  return `${id}-${plain.replace(/^-|-$/g, "")}`;
}

const runPattern = /\$\{run:([^}]*)\}/g;

/** The names of the variants whose runs some choices use. */
export function runsIn(set: Readonly<Record<string, unknown>>): string[] {
  const texts = Object.values(set).filter((value) => typeof value === "string");
  return texts.flatMap((text) => [...text.matchAll(runPattern)].map((match) => match[1]!));
}

/** Choices in which each `${run:NAME}` is a folder. @param folderOf - the folder of a variant's run */
export function withRuns(
  set: Readonly<Record<string, unknown>>,
  folderOf: (variant: string) => string,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(set).map(([key, value]) => [
      key,
      typeof value === "string"
        ? value.replaceAll(runPattern, (_, variant: string) => folderOf(variant))
        : value,
    ]),
  );
}

/** What one training came to. */
export const trialSchema = z.object({
  question: z.string(),
  variant: z.string(),
  seed: z.int(),
  /** Tells this training from others under the same name: of other choices, steps or data. */
  choices: z.string().optional(),
  parameters: z.int(),
  /** Mean loss of the last steps that were logged; null where none was. */
  trainingLoss: z.number().nullable(),
  /** Loss and metrics of the model that the run kept, on the experiment's split. */
  measured: z.record(z.string(), z.number()),
  /** Of training, validations included. */
  seconds: z.number(),
});
export type TrialResult = z.infer<typeof trialSchema>;
