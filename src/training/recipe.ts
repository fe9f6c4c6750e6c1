import { z } from "zod";
import { generatedCorpusNames } from "../data/generated-corpora.ts";
import { transformerChoices } from "../models/transformer-config.ts";
import { didYouMean, QkvError } from "../util/errors.ts";
import { checkOptimization, optimizationChoices } from "./optimization-choices.ts";

/**
 * A recipe: everything that a training is, in one JSON file. Its words are those of Hugging Face's Trainer and of
 * fairseq; every key but the data has a default.
 */
const count = z.int().positive();
const rate = z.number().min(0).lt(1);

const dataSchema = z.strictObject({
  /** Makes the data instead of reading what somebody else has: the name of a generated corpus. */
  generate: z.enum(generatedCorpusNames).optional(),
  /** One sentence a line; paths are relative to the data folder. */
  train_source: z.string(),
  train_target: z.string(),
  validation_source: z.string().optional(),
  validation_target: z.string().optional(),
  test_source: z.string().optional(),
  test_target: z.string().optional(),
  /** Longer pairs are left out, counted and reported. In tokens, end marks not counted. */
  max_length: count.default(128),
  /** Pairs whose lengths differ by more than this factor are left out; null = none. */
  max_length_ratio: z.number().gt(1).nullable().default(null),
});

const tokenizerSchema = z.strictObject({
  vocab_size: count.default(8000),
  /** One vocabulary for both languages, or one each. */
  joint: z.boolean().default(true),
  lowercase: z.boolean().default(false),
  pre_tokenizer: z.enum(["byteLevel", "metaspace", "whitespace"]).default("byteLevel"),
  min_frequency: count.default(2),
});

const modelSchema = z.strictObject({
  d_model: count.default(256),
  num_attention_heads: count.default(4),
  ffn_dim: count.default(1024),
  encoder_layers: count.default(3),
  decoder_layers: count.default(3),
  max_position_embeddings: count.default(512),
  ...transformerChoices,
});

const trainingSchema = z
  .strictObject({
    seed: z.int().nonnegative().default(1),
    max_steps: count.default(10_000),
    /** Most tokens of a batch on either side, padding counted. */
    max_tokens: count.default(4096),
    /** Rows are padded to a multiple of this many tokens. */
    pad_to_multiple_of: count.default(1),
    /** Batches whose gradients make one update together. */
    gradient_accumulation_steps: count.default(1),
    ...optimizationChoices,
    label_smoothing_factor: rate.default(0.1),
    /** Steps between two lines of the log. */
    logging_steps: count.default(10),
    /** Steps between two validations, each with a checkpoint. */
    eval_steps: count.default(500),
    /** Checkpoints kept besides the best. */
    save_total_limit: count.default(10),
    /** Validations without improvement after which training ends; null = never. */
    early_stopping_patience: count.nullable().default(null),
    metric_for_best_model: z.enum(["loss", "bleu"]).default("loss"),
    /** Validation sentences translated for BLEU at each validation; 0 = none. */
    eval_bleu_sentences: z.int().nonnegative().default(200),
    /** The model that is kept at the end is the mean of this many last checkpoints; 1 = the last. */
    average_checkpoints: count.default(5),
    /** Word-vector text files, as wide as d_model, that the embeddings of whole words begin with. */
    source_word_vectors: z.string().nullable().default(null),
    target_word_vectors: z.string().nullable().default(null),
    /** What model.safetensors is stored in. */
    save_dtype: z.enum(["float32", "float16"]).default("float32"),
  })
  .superRefine(checkOptimization);

const generationSchema = z.strictObject({
  num_beams: count.default(5),
  length_penalty: z.number().default(1),
  max_length: count.default(256),
});

const recipeSchema = z.strictObject({
  name: z.string().default("translation"),
  description: z.string().default(""),
  task: z.literal("translation").default("translation"),
  data: dataSchema,
  tokenizer: tokenizerSchema.prefault({}),
  model: modelSchema.prefault({}),
  training: trainingSchema.prefault({}),
  generation: generationSchema.prefault({}),
});

export type Recipe = z.output<typeof recipeSchema>;

/**
 * Checks a recipe and fills in the defaults.
 * @param where - the file, for messages
 * @throws QkvError "config" with every problem, unknown keys with the nearest known name
 */
export function parseRecipe(json: unknown, where: string): Recipe {
  const parsed = recipeSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const place = issue.path.join(".");
    if (issue.code !== "unrecognized_keys") return `${place || "recipe"}: ${issue.message}`;
    const known = knownKeys(place);
    return issue.keys
      .map((key) => `unknown key "${[...issue.path, key].join(".")}"${didYouMean(key, known)}`)
      .join("; ");
  });
  throw new QkvError("config", `${where}: ${problems.join("; ")}`);
}

const sections: Readonly<Record<string, { readonly shape: object }>> = {
  "": recipeSchema,
  data: dataSchema,
  tokenizer: tokenizerSchema,
  model: modelSchema,
  training: trainingSchema,
  generation: generationSchema,
};

function knownKeys(section: string): string[] {
  return Object.keys(sections[section]?.shape ?? {});
}

/**
 * Puts `key=value` over a recipe's JSON. A key is `section.name`, or the name alone where only one section has it; a
 * value is JSON, or else text.
 * @throws QkvError "option" for an unknown key
 */
export function overrideRecipe(json: unknown, assignments: readonly string[]): unknown {
  const result = structuredClone(json ?? {}) as Record<string, Record<string, unknown>>;
  for (const assignment of assignments) {
    const split = assignment.indexOf("=");
    if (split < 1) throw new QkvError("option", `--set: needs key=value; got "${assignment}"`);
    const [section, key] = findKey(assignment.slice(0, split));
    const value = parseValue(assignment.slice(split + 1));
    if (section === "") Object.assign(result, { [key]: value });
    else result[section] = { ...result[section], [key]: value };
  }
  return result;
}

function findKey(name: string): [section: string, key: string] {
  const dot = name.indexOf(".");
  const candidates = Object.keys(sections).flatMap((section) =>
    knownKeys(section).map((key) => [section, key] as const),
  );
  const matching = candidates.filter(([section, key]) =>
    dot < 0
      ? key === name && !(section === "" && key in sections)
      : section === name.slice(0, dot) && key === name.slice(dot + 1),
  );
  if (matching.length === 1) return [matching[0]![0], matching[0]![1]];
  const known = candidates.map(([section, key]) => (dot < 0 || section === "" ? key : `${section}.${key}`));
  throw new QkvError("option", `--set: unknown key "${name}"${didYouMean(name, known)}`);
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
