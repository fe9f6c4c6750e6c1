/** What an adapter is, as PEFT's adapter_config.json and a recipe's `peft` say it. */
import { z } from "zod";
import { QkvError } from "../util/errors.ts";
import { count, rate, readConfig } from "./config-file.ts";
import type { Head } from "./family.ts";

/** The keys that both have, by PEFT's names. */
export const loraChoices = {
  /** The rank. */
  r: count.default(8),
  lora_alpha: z.number().positive().default(8),
  lora_dropout: rate.default(0),
  /**
   * The linear layers that get an adapter: endings of their names in checkpoints, such as "query"; a regular expression
   * for whole names; or "all-linear", which is all but what scores labels or the vocabulary.
   */
  target_modules: z
    .union([z.array(z.string()).nonempty(), z.string()], {
      error: 'must be a list of names, a regular expression or "all-linear"',
    })
    .default("all-linear"),
  /** Modules that are learned as a whole; null = what scores labels. Modules that begin anew are among them anyway. */
  modules_to_save: z.array(z.string()).nullable().default(null),
  /** Whether changes are scaled by alpha / sqrt(r) rather than alpha / r. Source: Kalajdzievski, 2023. */
  use_rslora: z.boolean().default(false),
};

/** A recipe's `peft`. */
export const loraSchema = z.strictObject({
  peft_type: z.literal("LORA").default("LORA"),
  bias: z.literal("none").default("none"),
  ...loraChoices,
});

export type LoraConfig = z.output<z.ZodObject<typeof loraChoices>>;

const fileSchema = z.looseObject({
  ...loraChoices,
  peft_type: z.literal("LORA"),
  bias: z.literal("none").default("none"),
  target_modules: loraChoices.target_modules.unwrap(),
  // Whatever else it may be, it has no effect on weights that are there already.
  init_lora_weights: z.union([z.boolean(), z.literal("gaussian")]).default(true),
});

/** What adapter_config.json holds besides and what does not change what the adapter computes. */
const otherKeys = new Set([
  ...["auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version"],
  // Told by the model itself.
  "fan_in_fan_out",
  // Of methods that are refused by another key, or that only decide how weights begin or where they lie.
  ...["layers_pattern", "loftq_config", "eva_config", "corda_config", "megatron_config", "megatron_core"],
  ...["qalora_group_size", "runtime_config", "ensure_weight_tying"],
]);

/**
 * The contents of adapter_config.json.
 * @param where - the file, for messages
 * @throws QkvError "config" for another kind of adapter, or a choice that is not supported, by its name
 */
export function readAdapterConfig(json: unknown, where: string): LoraConfig {
  readConfig(z.looseObject({ peft_type: fileSchema.shape.peft_type }), json, where);
  const file = readConfig(fileSchema, json, where);
  for (const [key, value] of Object.entries(file)) {
    if (key in fileSchema.shape || otherKeys.has(key) || isNothing(value)) continue;
    throw new QkvError(
      "config",
      `${where}: ${key} must be left out; got ${JSON.stringify(value)}, which qkv does not have yet`,
    );
  }
  return { ...file, modules_to_save: file.modules_to_save ?? [] };
}

function isNothing(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === null || value === false;
}

const taskTypes: Readonly<Record<Head, string | null>> = {
  base: "FEATURE_EXTRACTION",
  "masked-lm": null,
  "pre-training": null,
  "causal-lm": "CAUSAL_LM",
  "sequence-classification": "SEQ_CLS",
  "token-classification": "TOKEN_CLS",
  "question-answering": "QUESTION_ANS",
  "sequence-to-sequence": "SEQ_2_SEQ_LM",
};

/** The contents of adapter_config.json for an adapter. */
export function adapterConfigJson(
  { r, lora_alpha, lora_dropout, target_modules, modules_to_save, use_rslora }: LoraConfig,
  facts: { readonly baseModel: string; readonly head: Head; readonly fanInFanOut: boolean },
): Record<string, unknown> {
  return {
    base_model_name_or_path: facts.baseModel,
    bias: "none",
    fan_in_fan_out: facts.fanInFanOut,
    inference_mode: true,
    init_lora_weights: true,
    ...{ lora_alpha, lora_dropout },
    modules_to_save: modules_to_save?.length === 0 ? null : modules_to_save,
    peft_type: "LORA",
    r,
    target_modules,
    task_type: taskTypes[facts.head],
    use_rslora,
  };
}
