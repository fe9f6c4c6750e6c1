import { z } from "zod";
import { generatedCorpusNames } from "../data/generated-corpora.ts";
import { transformerChoices } from "../models/transformer-config.ts";
import { checkOptimization } from "./optimization-choices.ts";
import { count, rate, trainingChoices } from "./training-choices.ts";

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
  /** Longer pairs are left out, counted and reported, and so is what positions do not hold. In tokens without marks. */
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
    ...trainingChoices,
    /** Most tokens of a batch on either side, padding counted. */
    max_tokens: count.default(4096),
    label_smoothing_factor: rate.default(0.1),
    metric_for_best_model: z.enum(["loss", "bleu"]).default("loss"),
    /** Validation sentences translated for BLEU at each validation; 0 = none. */
    eval_bleu_sentences: z.int().nonnegative().default(200),
    /** Word-vector text files, as wide as d_model, that the embeddings of whole words begin with. */
    source_word_vectors: z.string().nullable().default(null),
    target_word_vectors: z.string().nullable().default(null),
    peft: z
      .null({
        error: "adapters are for a model that was trained before, and a translator begins anew; leave it out",
      })
      .default(null),
  })
  .superRefine((choices, context) => {
    checkOptimization(choices, context);
    if (choices.metric_for_best_model !== "bleu" || choices.eval_bleu_sentences > 0) return;
    const message = "bleu needs sentences to translate; got 0; set more: --set eval_bleu_sentences=200";
    context.addIssue({ code: "custom", path: ["metric_for_best_model"], message });
  });

const generationSchema = z.strictObject({
  num_beams: count.default(5),
  length_penalty: z.number().default(1),
  max_length: count.default(256),
});

/** A recipe that trains the original Transformer to translate, from parallel text. */
export const translationRecipeSchema = z
  .strictObject({
    name: z.string().default("translation"),
    description: z.string().default(""),
    task: z.literal("translation").default("translation"),
    data: dataSchema,
    tokenizer: tokenizerSchema.prefault({}),
    model: modelSchema.prefault({}),
    training: trainingSchema.prefault({}),
    generation: generationSchema.prefault({}),
  })
  .superRefine(({ data }, context) => {
    for (const part of ["validation", "test"] as const) {
      const sides = [`${part}_source`, `${part}_target`] as const;
      const missing = sides.find((side) => data[side] === undefined);
      if (missing === undefined || sides.every((side) => data[side] === undefined)) continue;
      const message = `is needed beside the other side of the ${part} text; name it, or leave out both`;
      context.addIssue({ code: "custom", path: ["data", missing], message });
    }
  });

export type TranslationRecipe = z.output<typeof translationRecipeSchema>;
