import { didYouMean, QkvError } from "../util/errors.ts";
import { snakeCase } from "../util/spelling.ts";
import {
  checkDecodingOptions,
  type DecodingOptions,
  decodingOptionNames,
  refuseIdleOptions,
} from "./decoding-options.ts";

/**
 * Options under Hugging Face's names, as `generation_config.json` and options of the command line spell them. Every
 * key is one of: an option of ours, a token of the model, a request for something that we do not have (refused where
 * its value asks for it), or bookkeeping that changes no result.
 */

/** What absent keys mean to Hugging Face, where to us they mean something else. */
const referenceMaxLength = 20;
const referenceTopK = 50;

/** Requests that we do not support, with the values that ask for nothing. */
const unsupported: Readonly<Record<string, readonly unknown[]>> = {
  assistant_early_exit: [],
  constraints: [],
  diversity_penalty: [0],
  dola_layers: [],
  encoder_no_repeat_ngram_size: [0],
  encoder_repetition_penalty: [1],
  force_words_ids: [],
  forced_decoder_ids: [],
  guidance_scale: [1],
  max_time: [],
  num_beam_groups: [1],
  output_attentions: [false],
  output_hidden_states: [false],
  output_logits: [false],
  output_scores: [false],
  penalty_alpha: [0],
  remove_invalid_values: [false],
  sequence_bias: [],
  token_healing: [false],
  trust_remote_code: [false],
  watermarking_config: [],
};

/** What changes no result: notes, memory and speed. */
const bookkeeping: ReadonlySet<string> = new Set([
  "_from_model_config",
  "assistant_confidence_threshold",
  "assistant_lookbehind",
  "cache_config",
  "cache_implementation",
  "compile_config",
  "disable_compile",
  "is_assistant",
  "low_memory",
  "max_matching_ngram_size",
  "num_assistant_tokens",
  "num_assistant_tokens_schedule",
  "prefill_chunk_size",
  "prompt_lookup_num_tokens",
  "return_dict_in_generate",
  "return_legacy_cache",
  "target_lookbehind",
  "transformers_version",
  "use_cache",
]);

/** Tokens that the model itself knows of and that generation need not be told. */
const modelTokens: ReadonlySet<string> = new Set(["bos_token_id", "pad_token_id"]);

const optionsByKey: ReadonlyMap<string, keyof DecodingOptions> = new Map(
  decodingOptionNames.map((name) => [snakeCase(name), name]),
);

/** Every name that Hugging Face has for a generation option. */
export const generationKeys: readonly string[] = [
  ...optionsByKey.keys(),
  ...Object.keys(unsupported),
  ...modelTokens,
  ...bookkeeping,
];

export interface ReadGenerationOptions {
  /** Where they stand, for messages. */
  readonly where: string;
  /** What becomes of keys that neither we nor Hugging Face know. A model's file may hold such, which do nothing. */
  readonly unknownKeys: "refuse" | "ignore";
}

/**
 * Reads options under Hugging Face's names. A key whose value is null is as good as absent.
 * @returns only those that are given
 * @throws QkvError "option" for a request that we do not support, a value out of range or an unknown key
 */
export function readGenerationOptions(
  json: unknown,
  { where, unknownKeys }: ReadGenerationOptions,
): Partial<DecodingOptions> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new QkvError("option", `${where}: must be an object of options; got ${JSON.stringify(json)}`);
  }
  const options: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    if (value === null || value === undefined || bookkeeping.has(key) || modelTokens.has(key)) continue;
    const name = optionsByKey.get(key);
    const neutral = Object.hasOwn(unsupported, key) ? unsupported[key]! : undefined;
    if (name !== undefined)
      options[name] = name === "stopStrings" && typeof value === "string" ? [value] : value;
    else if (neutral !== undefined) refuse(where, key, value, neutral);
    else if (unknownKeys === "refuse") {
      const near = optionsByKey.has(snakeCase(key))
        ? ` (did you mean "${snakeCase(key)}"?)`
        : didYouMean(key, generationKeys);
      throw new QkvError("option", `${where}: unknown option "${key}"${near}`);
    }
  }
  try {
    // Whether options fit each other shows only when all of them are known.
    for (const [name, value] of Object.entries(options))
      checkDecodingOptions({ ...alone(name), [name]: value });
  } catch (cause) {
    if (!(cause instanceof QkvError)) throw cause;
    throw new QkvError(cause.code, `${where}: ${cause.message.replace("generation: ", "")}`, { cause });
  }
  return options as Partial<DecodingOptions>;
}

/** The options beside which numReturnSequences may have any value. */
const alone = (name: string): Partial<DecodingOptions> =>
  name === "numReturnSequences" ? { doSample: true } : {};

function refuse(where: string, key: string, value: unknown, neutral: readonly unknown[]): void {
  if (neutral.includes(value) || (Array.isArray(value) && value.length === 0)) return;
  throw new QkvError(
    "option",
    `${where}: ${key} is not supported; got ${JSON.stringify(value)}; leave it out${neutral.length > 0 ? ` or set it to ${neutral.join(" or ")}` : ""}`,
  );
}

/**
 * The generation options among the keys of a model's config.json, where older models have them. They count where
 * there is no generation_config.json.
 */
export function generationOptionsOfModelConfig(
  json: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const known = new Set([...optionsByKey.keys(), ...Object.keys(unsupported)]);
  // These are requests to a model's forward pass there.
  for (const key of ["output_attentions", "output_hidden_states", "trust_remote_code"]) known.delete(key);
  return Object.fromEntries(Object.entries(json).filter(([key]) => known.has(key)));
}

/**
 * All options of a call.
 * @param ofModel - those of the model's files, @param given - those of the call, which are stronger
 * @throws QkvError "option" where one of the call's could have no effect
 */
export function completeGenerationOptions(
  ofModel: Partial<DecodingOptions>,
  given: Partial<DecodingOptions>,
): Partial<DecodingOptions> {
  const { maxLength, ...others } = ofModel;
  // 20 is what files have where nobody decided; to Hugging Face it means so many new tokens.
  const decided = maxLength === undefined || maxLength === referenceMaxLength ? {} : { maxLength };
  const merged = { ...others, ...decided, ...given };
  refuseIdleOptions(given, merged);
  return {
    ...(merged.maxNewTokens === undefined &&
      merged.maxLength === undefined && { maxNewTokens: referenceMaxLength }),
    ...(merged.doSample === true && { topK: referenceTopK }),
    ...merged,
  };
}
