import { z } from "zod";
import type { ActivationName } from "../nn/layers.ts";
import { activation, checkHeads, count, rate, readConfig, tokenId } from "./config-file.ts";

/** The sizes and choices of a decoder-only Transformer of GPT-2's kind. */
export interface Gpt2Config {
  readonly vocabSize: number;
  readonly modelDim: number;
  readonly headCount: number;
  readonly feedForwardDim: number;
  readonly layerCount: number;
  /** The longest text, in tokens. */
  readonly maxPositions: number;
  readonly activation: ActivationName;
  readonly normEpsilon: number;
  /** On each sub-layer's output. */
  readonly residualDropout: number;
  /** On the sums of embedding and position. */
  readonly embeddingDropout: number;
  readonly attentionDropout: number;
  readonly bosTokenId: number;
  readonly eosTokenId: number;
  /** The standard deviation that matrices and embeddings begin with. Default: 0.02. */
  readonly initialDeviation?: number;
  /** Whether the projection to the vocabulary has a table of its own. Default: false, it is the embeddings'. */
  readonly untied?: boolean;
  /** Whether scores of attention are not divided by sqrt(headDim). Default: false. */
  readonly unscaledAttention?: boolean;
  /** Whether those of the n-th layer are divided by n besides. Default: false. */
  readonly scaledByLayer?: boolean;
}

/** The token that ends a text in the vocabulary of the first GPT-2, and begins one. */
const endOfText = 50_256;

/** How the configuration is spelled in config.json, by Hugging Face's words; other keys are of no concern here. */
const fileSchema = z.object({
  vocab_size: count,
  n_embd: count,
  n_head: count,
  n_inner: count.nullish(),
  n_layer: count,
  n_positions: count,
  activation_function: activation.default("geluTanh"),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  resid_pdrop: rate.default(0.1),
  embd_pdrop: rate.default(0.1),
  attn_pdrop: rate.default(0.1),
  initializer_range: z.number().positive().default(0.02),
  bos_token_id: tokenId.nullish(),
  eos_token_id: tokenId.nullish(),
  tie_word_embeddings: z.boolean().default(true),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  // A choice that other checkpoints of this type make and that this model does not have.
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
  const file = readConfig(fileSchema, json, where);
  checkHeads(["n_embd", file.n_embd], ["n_head", file.n_head], where);
  return {
    vocabSize: file.vocab_size,
    modelDim: file.n_embd,
    headCount: file.n_head,
    feedForwardDim: file.n_inner ?? 4 * file.n_embd,
    layerCount: file.n_layer,
    maxPositions: file.n_positions,
    activation: file.activation_function,
    normEpsilon: file.layer_norm_epsilon,
    residualDropout: file.resid_pdrop,
    embeddingDropout: file.embd_pdrop,
    attentionDropout: file.attn_pdrop,
    initialDeviation: file.initializer_range,
    bosTokenId: file.bos_token_id ?? endOfText,
    eosTokenId: file.eos_token_id ?? endOfText,
    untied: !file.tie_word_embeddings,
    unscaledAttention: !file.scale_attn_weights,
    scaledByLayer: file.scale_attn_by_inverse_layer_idx,
  };
}
