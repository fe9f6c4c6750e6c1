import { z } from "zod";
import { QkvError } from "../util/errors.ts";
import { ruleOf } from "../util/schema-rules.ts";

/** The sizes and choices of an encoder-decoder Transformer. */
export interface TransformerConfig {
  readonly sourceVocabSize: number;
  readonly targetVocabSize: number;
  readonly modelDim: number;
  readonly headCount: number;
  readonly feedForwardDim: number;
  readonly encoderLayerCount: number;
  readonly decoderLayerCount: number;
  /** The longest source or target, in tokens. */
  readonly maxPositions: number;
  readonly positions: "sinusoidal" | "learned";
  readonly activation: "relu" | "gelu";
  /** Where layer norm stands: after the residual sum, as in the paper, or before each sub-layer. */
  readonly norm: "after" | "before";
  /** One more norm at the end of each stack; usual with norm before. */
  readonly finalNorm: boolean;
  /** A norm right after embedding and position are added. */
  readonly embeddingNorm: boolean;
  readonly normEpsilon: number;
  /** Whether embeddings are multiplied by sqrt(modelDim). */
  readonly scaleEmbedding: boolean;
  /** Which of source embedding, target embedding and output projection are one matrix. */
  readonly sharedEmbeddings: "none" | "target-output" | "all";
  readonly outputBias: boolean;
  /** On each sub-layer's output and on the sums of embedding and position, as in the paper. */
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly activationDropout: number;
  readonly padTokenId: number;
  readonly bosTokenId: number;
  readonly eosTokenId: number;
}

const count = z.int().positive();
const rate = z.number().min(0).lt(1);
const tokenId = z.int().nonnegative();

/** The choices besides the sizes, with their defaults; recipes have the same. */
export const transformerChoices = {
  position_embedding_type: z.enum(["sinusoidal", "learned"]).default("sinusoidal"),
  activation_function: z.enum(["relu", "gelu"]).default("relu"),
  normalize_before: z.boolean().default(false),
  final_layer_norm: z.boolean().optional(),
  layernorm_embedding: z.boolean().default(false),
  layer_norm_eps: z.number().positive().default(1e-5),
  scale_embedding: z.boolean().default(true),
  share_embeddings: z.enum(["none", "target-output", "all"]).default("all"),
  output_bias: z.boolean().default(false),
  dropout: rate.default(0.1),
  attention_dropout: rate.default(0),
  activation_dropout: rate.default(0),
};

/** How the configuration is spelled in config.json: Hugging Face's words where they have one. */
const fileSchema = z.strictObject({
  model_type: z.literal("transformer"),
  architectures: z.array(z.string()).optional(),
  vocab_size: count,
  decoder_vocab_size: count.optional(),
  d_model: count,
  num_attention_heads: count,
  ffn_dim: count,
  encoder_layers: z.int().nonnegative(),
  decoder_layers: count,
  max_position_embeddings: count,
  ...transformerChoices,
  pad_token_id: tokenId,
  bos_token_id: tokenId,
  eos_token_id: tokenId,
  torch_dtype: z.string().optional(),
  dtype: z.string().optional(),
});

/**
 * Reads the contents of config.json.
 * @param where - the file, for messages
 * @throws QkvError "config" with every problem found
 */
export function parseTransformerConfig(json: unknown, where = "config.json"): TransformerConfig {
  const parsed = fileSchema.safeParse(json, { error: ruleOf });
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join(".") || "the file"}: ${issue.message}`,
    );
    throw new QkvError("config", `${where}: ${problems.join("; ")}`);
  }
  const file = parsed.data;
  const config: TransformerConfig = {
    sourceVocabSize: file.vocab_size,
    targetVocabSize: file.decoder_vocab_size ?? file.vocab_size,
    modelDim: file.d_model,
    headCount: file.num_attention_heads,
    feedForwardDim: file.ffn_dim,
    encoderLayerCount: file.encoder_layers,
    decoderLayerCount: file.decoder_layers,
    maxPositions: file.max_position_embeddings,
    positions: file.position_embedding_type,
    activation: file.activation_function,
    norm: file.normalize_before ? "before" : "after",
    finalNorm: file.final_layer_norm ?? file.normalize_before,
    embeddingNorm: file.layernorm_embedding,
    normEpsilon: file.layer_norm_eps,
    scaleEmbedding: file.scale_embedding,
    sharedEmbeddings: file.share_embeddings,
    outputBias: file.output_bias,
    dropout: file.dropout,
    attentionDropout: file.attention_dropout,
    activationDropout: file.activation_dropout,
    padTokenId: file.pad_token_id,
    bosTokenId: file.bos_token_id,
    eosTokenId: file.eos_token_id,
  };
  checkTransformerConfig(config, where);
  return config;
}

/** @throws QkvError "config" where two values contradict each other */
export function checkTransformerConfig(config: TransformerConfig, where: string): void {
  if (config.modelDim % config.headCount !== 0) {
    throw new QkvError(
      "config",
      `${where}: d_model must be a multiple of num_attention_heads; got ${config.modelDim} and ${config.headCount}`,
    );
  }
  if (config.sharedEmbeddings === "all" && config.sourceVocabSize !== config.targetVocabSize) {
    throw new QkvError(
      "config",
      `${where}: embeddings can be shared by all only with one vocabulary; got ${config.sourceVocabSize} source and ` +
        `${config.targetVocabSize} target pieces; set share_embeddings to "target-output" or learn a joint vocabulary`,
    );
  }
}

/** The contents of config.json for a configuration. */
export function transformerConfigToJson(config: TransformerConfig): Record<string, unknown> {
  return {
    architectures: ["TransformerForConditionalGeneration"],
    model_type: "transformer",
    vocab_size: config.sourceVocabSize,
    decoder_vocab_size: config.targetVocabSize,
    d_model: config.modelDim,
    num_attention_heads: config.headCount,
    ffn_dim: config.feedForwardDim,
    encoder_layers: config.encoderLayerCount,
    decoder_layers: config.decoderLayerCount,
    max_position_embeddings: config.maxPositions,
    position_embedding_type: config.positions,
    activation_function: config.activation,
    normalize_before: config.norm === "before",
    final_layer_norm: config.finalNorm,
    layernorm_embedding: config.embeddingNorm,
    layer_norm_eps: config.normEpsilon,
    scale_embedding: config.scaleEmbedding,
    share_embeddings: config.sharedEmbeddings,
    output_bias: config.outputBias,
    dropout: config.dropout,
    attention_dropout: config.attentionDropout,
    activation_dropout: config.activationDropout,
    pad_token_id: config.padTokenId,
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenId,
  };
}
