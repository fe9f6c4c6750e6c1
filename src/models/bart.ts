import { z } from "zod";
import type { ParameterSpec } from "../nn/parameters.ts";
import {
  type CheckpointNames,
  linearNames,
  normNames,
  type TensorName,
} from "../weights/checkpoint-names.ts";
import { type Bart, type BartConfig, bartGraph, bartParameters } from "./bart-graph.ts";
import { activation, checkHeads, count, rate, readConfig, tokenId } from "./config-file.ts";
import { encoderDecoderModel } from "./encoder-decoder-model.ts";
import type { Family, Head, Model } from "./family.ts";
import { bartTokenizer } from "./new-tokenizer.ts";

/** The keys of config.json that BART and Marian share, as Hugging Face spells them. */
export const bartConfigKeys = {
  vocab_size: count,
  d_model: count,
  encoder_layers: count,
  encoder_attention_heads: count,
  encoder_ffn_dim: count,
  decoder_layers: count,
  decoder_attention_heads: count,
  decoder_ffn_dim: count,
  max_position_embeddings: count,
  activation_function: activation.default("gelu"),
  scale_embedding: z.boolean().default(false),
  init_std: z.number().positive().default(0.02),
  dropout: rate.default(0.1),
  attention_dropout: rate.default(0),
  activation_dropout: rate.default(0),
  // Choices that other checkpoints of these types make and that this model does not have.
  tie_word_embeddings: z.literal(true).default(true),
  normalize_before: z.literal(false).default(false),
  add_final_layer_norm: z.literal(false).default(false),
};

const bartConfigSchema = z.object({
  ...bartConfigKeys,
  pad_token_id: tokenId.default(1),
  bos_token_id: tokenId.default(0),
  eos_token_id: tokenId.default(2),
  decoder_start_token_id: tokenId.default(2),
  normalize_embedding: z.literal(true).default(true),
  static_position_embeddings: z.literal(false).default(false),
  add_bias_logits: z.literal(false).default(false),
});

/** What the shared keys of config.json say. */
export function readSharedConfig(file: z.output<z.ZodObject<typeof bartConfigKeys>>, where: string) {
  for (const side of ["encoder", "decoder"] as const) {
    const heads = file[`${side}_attention_heads`];
    checkHeads(["d_model", file.d_model], [`${side}_attention_heads`, heads], where);
  }
  return {
    vocabSize: file.vocab_size,
    modelDim: file.d_model,
    layerCount: file.encoder_layers,
    headCount: file.encoder_attention_heads,
    feedForwardDim: file.encoder_ffn_dim,
    decoderLayerCount: file.decoder_layers,
    decoderHeadCount: file.decoder_attention_heads,
    decoderFeedForwardDim: file.decoder_ffn_dim,
    maxPositions: file.max_position_embeddings,
    activation: file.activation_function,
    scaleEmbedding: file.scale_embedding,
    initialDeviation: file.init_std,
    dropout: file.dropout,
    attentionDropout: file.attention_dropout,
    activationDropout: file.activation_dropout,
  };
}

function readBartConfig(json: unknown, where: string): BartConfig {
  const file = readConfig(bartConfigSchema, json, where);
  return {
    ...readSharedConfig(file, where),
    positions: "learned",
    embeddingNorm: true,
    padTokenId: file.pad_token_id,
    bosTokenId: file.bos_token_id,
    eosTokenId: file.eos_token_id,
    decoderStartTokenId: file.decoder_start_token_id,
  };
}

/** How the parameters of BART and Marian are called in checkpoints. */
export function bartNames(): CheckpointNames {
  const stack = (side: "encoder" | "decoder"): Record<string, string> => {
    const [ours, theirs] = [`${side}.layers.{layer}`, `model.${side}.layers.{layer}`];
    const attention = (own: string, their: string) => ({
      ...linearNames(`${ours}.${own}.query`, `${theirs}.${their}.q_proj`),
      ...linearNames(`${ours}.${own}.key`, `${theirs}.${their}.k_proj`),
      ...linearNames(`${ours}.${own}.value`, `${theirs}.${their}.v_proj`),
      ...linearNames(`${ours}.${own}.output`, `${theirs}.${their}.out_proj`),
      ...normNames(`${ours}.${own}Norm`, `${theirs}.${their}_layer_norm`),
    });
    return {
      [`${side}.positions`]: `model.${side}.embed_positions.weight`,
      ...normNames(`${side}.embeddingNorm`, `model.${side}.layernorm_embedding`),
      ...attention("selfAttention", "self_attn"),
      ...(side === "decoder" && attention("crossAttention", "encoder_attn")),
      ...linearNames(`${ours}.feedForward.inner`, `${theirs}.fc1`),
      ...linearNames(`${ours}.feedForward.outer`, `${theirs}.fc2`),
      ...normNames(`${ours}.feedForwardNorm`, `${theirs}.final_layer_norm`),
    };
  };
  const tensors: Record<string, string | TensorName> = {
    "encoder.embedding": "model.shared.weight",
    ...stack("encoder"),
    ...stack("decoder"),
    "output.bias": { name: "final_logits_bias", leadingAxis: true },
  };
  return {
    base: "model.",
    tensors,
    // The table of embeddings once more.
    ignored: ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"],
  };
}

/** A model of BART's kind: everything but what its family makes of config.json. */
export function bartModel(
  family: Family,
  head: Head,
  config: BartConfig,
  options: { readonly targetFromSource: boolean; readonly labelSmoothing?: number },
): Model<Bart<ParameterSpec>> {
  const headCount = config.decoderHeadCount;
  return encoderDecoderModel(family, head, {
    config,
    parameters: bartParameters(config, head === "sequence-to-sequence"),
    names: bartNames(),
    graph: (mode) => bartGraph(config, mode),
    heads: { headCount, headDim: config.modelDim / headCount },
    finalNorm: false,
    ...options,
  });
}

export const bart: Family = {
  modelType: "bart",
  configKeys: Object.keys(bartConfigSchema.shape),
  newTokenizer: bartTokenizer,
  architectures: { BartModel: "base", BartForConditionalGeneration: "sequence-to-sequence" },
  createModel: (json, head, { labelSmoothing = 0 }, where) =>
    bartModel(bart, head, readBartConfig(json, where), { targetFromSource: true, labelSmoothing }),
};
