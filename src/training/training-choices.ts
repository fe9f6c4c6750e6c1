import { z } from "zod";
import { optimizationChoices } from "./optimization-choices.ts";

/**
 * How a training goes on, the same for every task. The words are those of Hugging Face's Trainer and of fairseq.
 */
export const count = z.int().positive();
export const rate = z.number().min(0).lt(1);

export const trainingChoices = {
  seed: z.int().nonnegative().default(1),
  max_steps: count.default(10_000),
  /** Rows are padded to a multiple of this many tokens. */
  pad_to_multiple_of: count.default(1),
  /** Batches whose gradients make one update together. */
  gradient_accumulation_steps: count.default(1),
  ...optimizationChoices,
  /** Steps between two lines of the log. */
  logging_steps: count.default(10),
  /** Steps between two validations, each with a checkpoint. */
  eval_steps: count.default(500),
  /** Checkpoints kept besides the best. */
  save_total_limit: count.default(10),
  /** Validations without improvement after which training ends; null = never. */
  early_stopping_patience: count.nullable().default(null),
  /** The model that is kept at the end is the mean of this many last checkpoints; 1 = the best. */
  average_checkpoints: count.default(5),
  /** What model.safetensors is stored in. */
  save_dtype: z.enum(["float32", "float16"]).default("float32"),
};
