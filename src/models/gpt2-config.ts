import { z } from "zod";
import { QkvError } from "../util/errors.ts";

/** The sizes and choices of a decoder-only Transformer of GPT-2's kind. */
export interface Gpt2Config {
  readonly vocabSize: number;
  readonly modelDim: number;
  readonly headCount: number;
  readonly feedForwardDim: number;
  readonly layerCount: number;
  /** The longest text, in tokens. */
  readonly maxPositions: number;
  /** GELU with the exact error function, or with its approximation by tanh as in GPT-2. */
  readonly activation: "gelu" | "geluTanh";
  readonly normEpsilon: number;
  /** On each sub-layer's output. */
  readonly residualDropout: number;
  /** On the sums of embedding and position. */
  readonly embeddingDropout: number;
  readonly attentionDropout: number;
  readonly bosTokenId: number;
  readonly eosTokenId: number;
}

const count = z.int().positive();
const rate = z.number().min(0).lt(1);

/** How the configuration is spelled in config.json, by Hugging Face's words; other keys are of no concern here. */
const fileSchema = z.object({
  model_type: z.literal("gpt2"),
  vocab_size: count,
  n_embd: count,
  n_head: count,
  n_inner: count.nullish(),
  n_layer: count,
  n_positions: count,
  activation_function: z.enum(["gelu", "gelu_new", "gelu_pytorch_tanh"]).default("gelu_new"),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  resid_pdrop: rate.default(0.1),
  embd_pdrop: rate.default(0.1),
  attn_pdrop: rate.default(0.1),
  bos_token_id: z.int().nonnegative(),
  eos_token_id: z.int().nonnegative(),
  // Choices that other checkpoints of this type make and that this model does not have.
  tie_word_embeddings: z.literal(true).default(true),
  scale_attn_weights: z.literal(true).default(true),
  scale_attn_by_inverse_layer_idx: z.literal(false).default(false),
  add_cross_attention: z.literal(false).default(false),
});

/** The keys of config.json that have a meaning here. */
export const gpt2ConfigKeys: readonly string[] = Object.keys(fileSchema.shape);

/**
 * Reads the contents of config.json.
 * @param where - the file, for messages
 * @throws QkvError "config" with every problem found
 */
export function parseGpt2Config(json: unknown, where = "config.json"): Gpt2Config {
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join(".") || "the file"}: ${issue.message}`,
    );
    throw new QkvError("config", `${where}: ${problems.join("; ")}`);
  }
  const file = parsed.data;
  const config: Gpt2Config = {
    vocabSize: file.vocab_size,
    modelDim: file.n_embd,
    headCount: file.n_head,
    feedForwardDim: file.n_inner ?? 4 * file.n_embd,
    layerCount: file.n_layer,
    maxPositions: file.n_positions,
    activation: file.activation_function === "gelu" ? "gelu" : "geluTanh",
    normEpsilon: file.layer_norm_epsilon,
    residualDropout: file.resid_pdrop,
    embeddingDropout: file.embd_pdrop,
    attentionDropout: file.attn_pdrop,
    bosTokenId: file.bos_token_id,
    eosTokenId: file.eos_token_id,
  };
  if (config.modelDim % config.headCount !== 0) {
    throw new QkvError(
      "config",
      `${where}: n_embd must be a multiple of n_head; got ${config.modelDim} and ${config.headCount}`,
    );
  }
  return config;
}

/** The contents of config.json for a configuration. */
export function gpt2ConfigToJson(config: Gpt2Config): Record<string, unknown> {
  return {
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    vocab_size: config.vocabSize,
    n_embd: config.modelDim,
    n_head: config.headCount,
    n_inner: config.feedForwardDim,
    n_layer: config.layerCount,
    n_positions: config.maxPositions,
    activation_function: config.activation === "gelu" ? "gelu" : "gelu_new",
    layer_norm_epsilon: config.normEpsilon,
    resid_pdrop: config.residualDropout,
    embd_pdrop: config.embeddingDropout,
    attn_pdrop: config.attentionDropout,
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenId,
  };
}
