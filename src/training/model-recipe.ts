import { z } from "zod";
import { generatedRecordsNames } from "../data/generated-corpora.ts";
import { initialPositions } from "./initial-positions.ts";
import { type ModelTaskName, modelTaskNames } from "./model-tasks.ts";
import { checkOptimization } from "./optimization-choices.ts";
import { count, rate, trainingChoices } from "./training-choices.ts";

/**
 * A recipe that trains or fine-tunes a model of a family for a task. What differs from task to task stands in the
 * section `objective`.
 */
const files = z.union([z.string(), z.array(z.string()).min(1)]).transform((value) => [value].flat());

const dataSchema = z.strictObject({
  /** Makes the records instead of reading what somebody else has: the files are written into the run's folder. */
  generate: z.enum(generatedRecordsNames).optional(),
  /** Files of one format; paths are relative to the data folder. */
  train: files,
  validation: files.optional(),
  /** For the final figure; training never reads it. */
  test: files.optional(),
  /** Default: by the files' extension. */
  format: z.enum(["text", "jsonl", "csv", "tsv", "conll", "parquet"]).optional(),
  /** What a record of plain text is: a line, a document between blank lines, or the whole file. */
  documents: z.enum(["line", "document", "file"]).default("line"),
  /** The files' columns by the task's own names for them; of several the first that a file has: `{ "text": "sentence" }`. */
  columns: z.record(z.string(), z.union([z.string(), z.array(z.string()).min(1)])).default({}),
  /** The names of the columns, where the files do not begin with them. */
  column_names: z.array(z.string()).min(1).optional(),
  /** Where there is no validation file: this share of the records is held out, drawn by the seed or the last ones. */
  validation_split: rate.default(0),
  validation_split_by: z.enum(["random", "tail"]).default("random"),
  /** A row that cannot be used ends the training, or is left out, counted and reported. */
  on_bad_row: z.enum(["error", "skip"]).default("error"),
  /** Records that are used, from the beginning; null = all. */
  max_train_samples: count.nullable().default(null),
  max_eval_samples: count.nullable().default(null),
});

const tokenizerSchema = z.strictObject({
  /** A folder whose tokenizer is taken; without it, and without `model.from`, one is learned from the training text. */
  from: z.string().optional(),
  /** What is learned; default: what the family has. */
  type: z.enum(["byteLevel", "wordPiece", "unigram", "characters"]).optional(),
  vocab_size: count.default(8000),
  lowercase: z.boolean().default(false),
  min_frequency: count.default(2),
});

const modelSchema = z.looseObject({
  /** A model folder to go on from; the other keys are then what differs from its config.json. */
  from: z.string().optional(),
  /** Otherwise the family, with the sizes under the names of its config.json. */
  model_type: z.string().optional(),
  /** What the positions that a new model learns begin as: see `startOfPositions`. */
  initial_positions: z.enum(initialPositions).default("random"),
});

/** Texts that follow one another, cut into blocks of so many tokens, special ones included; default: what the model reads. */
const block_size = count.optional();

/** The longest text, in tokens; default: what the model can read. */
const max_length = count.optional();

/** How much each label counts, in the order of the labels; or so that all count the same in all. */
const class_weights = z.union([z.literal("balanced"), z.array(z.number().positive()).min(1)]).optional();

/** The share of words that the model does not see in training, others each epoch. */
const word_dropout = rate.default(0);

/** The share of pieces of words that are written by shorter ones in training, others each epoch. */
const piece_dropout = rate.default(0);

const objectiveSchemas = {
  "text-generation": z.strictObject({
    block_size,
    /** `blocks`: each epoch reads all of the text once, in random order; `windows`: each row begins anywhere in it. */
    sampling: z.enum(["blocks", "windows"]).default("blocks"),
  }),
  "fill-mask": z.strictObject({
    block_size,
    /** The share of tokens that are to be guessed. */
    mlm_probability: rate.default(0.15),
    /** `dynamic`: other tokens each epoch (RoBERTa); `static`: the same in every epoch (BERT). */
    masking: z.enum(["dynamic", "static"]).default("dynamic"),
    /**
     * Blocks are cut wherever they are full, or have as many whole sentences as fit (FULL-SENTENCES of RoBERTa). A
     * record that is a line is one sentence; longer records are divided behind a token that ends with `.`, `!` or `?`.
     */
    packing: z.enum(["continuous", "whole_sentences"]).default("continuous"),
    /** Whether it is asked, too, if a second segment follows the first (BERT). */
    next_sentence: z.boolean().default(false),
  }),
  "text-infilling": z.strictObject({
    block_size,
    mask_ratio: rate.default(0.3),
    poisson_lambda: z.number().positive().default(3),
    permute_sentences: z.boolean().default(true),
  }),
  "span-corruption": z.strictObject({
    block_size,
    noise_density: rate.default(0.15),
    mean_noise_span_length: z.number().min(1).default(3),
    /** What is to be written: what stood in the gaps, or the whole text (Raffel et al., 2020, table 3, second line). */
    target: z.enum(["spans", "text"]).default("spans"),
  }),
  "text2text-generation": z.strictObject({
    max_source_length: max_length,
    max_target_length: max_length,
    /** Put in front of each source, as T5 wants it: "summarize: ". */
    source_prefix: z.string().default(""),
    /** The share of the wanted probability that all tokens have alike, in training only. */
    label_smoothing_factor: rate.default(0),
    /** Validation texts that are written at each validation, for ROUGE and BLEU; 0 = none. */
    eval_generate_samples: z.int().nonnegative().default(100),
  }),
  "text-classification": z.strictObject({
    max_length,
    /** The labels in the order of their ids; default: those of the training data, sorted. */
    labels: z.array(z.string()).min(1).optional(),
    problem_type: z
      .enum(["single_label_classification", "multi_label_classification", "regression"])
      .default("single_label_classification"),
    class_weights,
    word_dropout,
    piece_dropout,
  }),
  "token-classification": z.strictObject({
    max_length,
    labels: z.array(z.string()).min(1).optional(),
    /** How the tags of the files mark where an entity begins; IOB1 is read as IOB2. */
    scheme: z.enum(["IOB1", "IOB2"]).default("IOB2"),
    /** Whether every piece of a word has its label, or the first alone. */
    label_all_tokens: z.boolean().default(false),
    class_weights,
    word_dropout,
    piece_dropout,
  }),
  "question-answering": z.strictObject({
    max_length,
    /** How many tokens two windows of a long text share. */
    doc_stride: z.int().nonnegative().default(64),
    max_answer_length: count.default(30),
    /** Whether some texts have no answer, as in SQuAD 2.0: their list of answers is empty. */
    version_2_with_negative: z.boolean().default(false),
  }),
  "sentence-similarity": z.strictObject({
    max_length,
    pooling: z.enum(["mean", "cls"]).default("mean"),
    /** Cosines are multiplied with this before the softmax over the batch. */
    scale: z.number().positive().default(20),
  }),
} as const satisfies Record<ModelTaskName, z.ZodObject>;

export type ObjectiveChoices = {
  readonly [Name in ModelTaskName]: z.output<(typeof objectiveSchemas)[Name]>;
};

/** A teacher whose answers are learned besides the labels. Source: Sanh et al., 2019, 3. */
const teacherSchema = z.strictObject({
  /** The teacher's model folder. */
  from: z.string(),
  temperature: z.number().positive().default(2),
  /** The weights of three losses: the teacher's probabilities, the labels, and the direction of hidden states. */
  alpha_ce: z.number().min(0).default(5),
  alpha_task: z.number().min(0).default(2),
  alpha_cos: z.number().min(0).default(1),
  /** Whether the student begins with layers of the teacher, evenly chosen; by default where it begins anew. */
  initialize: z.boolean().optional(),
});

const trainingSchema = z
  .strictObject({
    ...trainingChoices,
    optimizer: trainingChoices.optimizer.default("adamw"),
    learning_rate: z.number().positive().default(5e-4),
    lr_scheduler_type: trainingChoices.lr_scheduler_type.default("linear"),
    adam_beta2: rate.default(0.999),
    adam_epsilon: z.number().positive().default(1e-8),
    average_checkpoints: count.default(1),
    save_total_limit: count.default(2),
    /** Updates; null = as many as `num_train_epochs` come to. */
    max_steps: count.nullable().default(null),
    /** Passes over the data, where `max_steps` is not given. */
    num_train_epochs: z.number().positive().default(3),
    /** Rows of a batch; default: as many as `max_tokens` allows. */
    per_device_train_batch_size: count.optional(),
    /** Most tokens of a batch, padding counted, where the rows are not given. */
    max_tokens: count.default(4096),
    /** Rows of a batch at validation; default: as many as in training. */
    per_device_eval_batch_size: count.optional(),
    /** The loss, or one of the task's metrics. */
    metric_for_best_model: z.string().default("loss"),
  })
  .superRefine(checkOptimization);

/** What the recipes of all these tasks have. */
const commonSchema = z.strictObject({
  name: z.string().default("training"),
  description: z.string().default(""),
  data: dataSchema,
  tokenizer: tokenizerSchema.prefault({}),
  model: modelSchema.prefault({}),
  teacher: teacherSchema.optional(),
  training: trainingSchema.prefault({}),
  /** Goes into generation_config.json. */
  generation: z.record(z.string(), z.unknown()).default({}),
});

function recipeSchema(name: ModelTaskName): z.ZodObject {
  const objective: z.ZodObject = objectiveSchemas[name];
  const schema: z.ZodObject = commonSchema.extend({
    task: z.literal(name),
    objective: objective.prefault({}),
  });
  return schema.superRefine((recipe, context) => checkTogether(recipe as ModelRecipe, context));
}

const writes = (task: ModelTaskName): boolean =>
  ["text-generation", "text-infilling", "span-corruption", "text2text-generation"].includes(task);

/** Refuses what cannot be meant together. */
function checkTogether(
  recipe: ModelRecipe,
  { addIssue }: { addIssue(issue: { code: "custom"; path: string[]; message: string }): void },
): void {
  const refuse = (path: string, message: string) =>
    addIssue({ code: "custom", path: path.split("."), message });
  const { training, teacher, data } = recipe;
  if (
    data.generate !== undefined &&
    [data.train, data.validation, data.test].some((own) => (own?.length ?? 0) > 1)
  ) {
    refuse("data.generate", "makes one file of each part; name one");
  }
  if (training.peft !== null && recipe.model.from === undefined) {
    refuse(
      "training.peft",
      "adapters are for a model that was trained before; name it (--model FOLDER, in the recipe model.from), or leave peft out",
    );
  }
  if (recipe.model.initial_positions !== "random" && recipe.model.from !== undefined) {
    refuse(
      "model.initial_positions",
      "is for a new model, and model.from names one that has learned them; leave it out, or say --set initial_positions=random",
    );
  }
  if (recipe.task === "text-generation" && recipe.objective.sampling === "windows") {
    if (training.max_steps === null)
      refuse("training.max_steps", "is needed, since windows have no epochs; give it: --max-steps 1000");
  }
  if (recipe.task === "text-classification" && recipe.objective.problem_type === "regression") {
    if (recipe.objective.labels !== undefined)
      refuse("objective.labels", "a regression has none; leave them out");
  }
  if ("class_weights" in recipe.objective && recipe.objective.class_weights !== undefined) {
    if (
      "problem_type" in recipe.objective &&
      recipe.objective.problem_type !== "single_label_classification"
    ) {
      refuse("objective.class_weights", "go with single_label_classification only; leave them out");
    } else if (teacher !== undefined) {
      refuse("objective.class_weights", "do not go with a teacher, whose probabilities take their place");
    }
  }
  if (teacher !== undefined && teacher.alpha_ce + teacher.alpha_task + teacher.alpha_cos === 0) {
    refuse("teacher", "one of alpha_ce, alpha_task and alpha_cos must be above 0");
  }
  if (recipe.task === "fill-mask" && recipe.objective.next_sentence) {
    if (recipe.objective.packing !== "continuous")
      refuse(
        "objective.packing",
        "pairs of segments are cut from continuous text; leave packing or next_sentence out",
      );
  }
  if (teacher !== undefined && recipe.task === "fill-mask" && recipe.objective.next_sentence) {
    refuse("teacher", "teaches hidden tokens only; leave objective.next_sentence out");
  }
  if (!writes(recipe.task) && Object.keys(recipe.generation).length > 0) {
    refuse("generation", `goes with a task whose models write; ${recipe.task} is none`);
  }
  if (teacher !== undefined && recipe.task === "sentence-similarity") {
    refuse("teacher", "goes with a task whose models give scores; sentence-similarity has none");
  }
}

/** The schema of each task's recipe. */
export const modelRecipeSchemas = Object.fromEntries(
  modelTaskNames.map((name) => [name, recipeSchema(name)]),
);

/** The recipe of one task, or of any. */
export type ModelRecipe<Name extends ModelTaskName = ModelTaskName> = {
  readonly [Own in Name]: z.output<typeof commonSchema> & {
    readonly task: Own;
    readonly objective: ObjectiveChoices[Own];
  };
}[Name];
