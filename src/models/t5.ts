import { z } from "zod";
import { type CheckpointNames, linearNames } from "../weights/checkpoint-names.ts";
import { activation, classifierKeys, count, labelsOf, rate, readConfig, tokenId } from "./config-file.ts";
import { encoderDecoderModel } from "./encoder-decoder-model.ts";
import type { Family, Head, Model } from "./family.ts";
import { t5Tokenizer } from "./new-tokenizer.ts";
import { t5Graph, t5Parameters } from "./t5-graph.ts";
import { type T5TaggerConfig, t5TaggingModel } from "./t5-tagging.ts";

/** The feed-forward network as config.json spells it: an activation, maybe after "gated-". */
const feedForward = z
  .string()
  .default("relu")
  .transform((spelled, context) => {
    const gated = spelled.startsWith("gated-");
    const name = gated ? spelled.slice("gated-".length) : spelled;
    // By "gated-gelu" T5 1.1 means the approximation by tanh.
    const parsed = activation.safeParse(spelled === "gated-gelu" ? "gelu_new" : name);
    if (!parsed.success) {
      context.addIssue({ code: "custom", message: `must be an activation such as relu, or gated-gelu` });
      return z.NEVER;
    }
    return { gated, activation: parsed.data };
  });

const t5ConfigSchema = z.object({
  vocab_size: count,
  d_model: count,
  d_kv: count,
  d_ff: count,
  num_layers: count,
  num_decoder_layers: count.nullish(),
  num_heads: count,
  relative_attention_num_buckets: count.default(32),
  relative_attention_max_distance: count.default(128),
  feed_forward_proj: feedForward,
  layer_norm_epsilon: z.number().positive().default(1e-6),
  initializer_factor: z.number().positive().default(1),
  dropout_rate: rate.default(0.1),
  classifier_dropout: rate.default(0),
  tie_word_embeddings: z.boolean().default(true),
  pad_token_id: tokenId.default(0),
  eos_token_id: tokenId.default(1),
  decoder_start_token_id: tokenId.default(0),
  ...classifierKeys,
});

function readT5Config(json: unknown, head: Head, where: string): T5TaggerConfig {
  const file = readConfig(t5ConfigSchema, json, where);
  return {
    vocabSize: file.vocab_size,
    modelDim: file.d_model,
    headCount: file.num_heads,
    headDim: file.d_kv,
    feedForwardDim: file.d_ff,
    layerCount: file.num_layers,
    decoderLayerCount: file.num_decoder_layers ?? file.num_layers,
    maxPositions: Number.POSITIVE_INFINITY,
    relativePositions: {
      bucketCount: file.relative_attention_num_buckets,
      maxDistance: file.relative_attention_max_distance,
    },
    ...file.feed_forward_proj,
    tiedEmbeddings: file.tie_word_embeddings,
    normEpsilon: file.layer_norm_epsilon,
    initializerFactor: file.initializer_factor,
    dropout: file.dropout_rate,
    classifierDropout: file.classifier_dropout,
    labels: labelsOf(file, head, where),
    padTokenId: file.pad_token_id,
    eosTokenId: file.eos_token_id,
    decoderStartTokenId: file.decoder_start_token_id,
  };
}

/** How the parameters of a stack are called in checkpoints; its sub-layers are numbered. */
function stackNames(side: "encoder" | "decoder"): Record<string, string> {
  const ours = `${side}.layers.{layer}`;
  const theirs = (sublayer: number) => `${side}.block.{layer}.layer.${sublayer}`;
  const attention = (own: string, sublayer: number, their: string) => ({
    [`${ours}.${own}.query.weight`]: `${theirs(sublayer)}.${their}.q.weight`,
    [`${ours}.${own}.key.weight`]: `${theirs(sublayer)}.${their}.k.weight`,
    [`${ours}.${own}.value.weight`]: `${theirs(sublayer)}.${their}.v.weight`,
    [`${ours}.${own}.output.weight`]: `${theirs(sublayer)}.${their}.o.weight`,
    [`${ours}.${own}Norm.gain`]: `${theirs(sublayer)}.layer_norm.weight`,
  });
  const last = side === "encoder" ? 1 : 2;
  const dense = `${theirs(last)}.DenseReluDense`;
  return {
    [`${side}.relativePositions`]: `${side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`,
    ...attention("selfAttention", 0, "SelfAttention"),
    ...(side === "decoder" && attention("crossAttention", 1, "EncDecAttention")),
    [`${ours}.feedForward.inner.weight`]: `${dense}.wi.weight`,
    [`${ours}.feedForward.gate.weight`]: `${dense}.wi_0.weight`,
    [`${ours}.feedForward.value.weight`]: `${dense}.wi_1.weight`,
    [`${ours}.feedForward.outer.weight`]: `${dense}.wo.weight`,
    [`${ours}.feedForwardNorm.gain`]: `${theirs(last)}.layer_norm.weight`,
    [`${side}.finalNorm.gain`]: `${side}.final_layer_norm.weight`,
  };
}

const t5Names: CheckpointNames = {
  base: "",
  tensors: {
    "encoder.embedding": "shared.weight",
    ...stackNames("encoder"),
    ...stackNames("decoder"),
    "output.weight": "lm_head.weight",
  },
  ignored: [
    // The table of embeddings once more.
    "encoder.embed_tokens.weight",
    "decoder.embed_tokens.weight",
    // A table that the first checkpoints hold and that nothing reads.
    "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",
  ],
};

/** With a classifier the base model's names begin with "transformer.". */
const taggingNames: CheckpointNames = {
  base: "transformer.",
  tensors: {
    ...Object.fromEntries(
      Object.entries(t5Names.tensors).map(([address, name]) => [
        address,
        name === "lm_head.weight" ? name : `transformer.${name}`,
      ]),
    ),
    ...linearNames("tokenClassifier", "classifier"),
  },
  ignored: (t5Names.ignored ?? []).map((name) => `transformer.${name}`),
};

export const t5: Family = {
  modelType: "t5",
  configKeys: Object.keys(t5ConfigSchema.shape),
  newTokenizer: t5Tokenizer,
  architectures: {
    T5Model: "base",
    T5ForConditionalGeneration: "sequence-to-sequence",
    T5ForTokenClassification: "token-classification",
  },
  createModel(json: unknown, head: Head, { labelSmoothing = 0 }, where: string): Model {
    const config = readT5Config(json, head, where);
    if (head === "token-classification") return t5TaggingModel(t5, config, taggingNames);
    return encoderDecoderModel(t5, head, {
      config,
      parameters: t5Parameters(config, head === "sequence-to-sequence"),
      names: t5Names,
      graph: (mode) => t5Graph(config, mode),
      heads: config,
      targetFromSource: false,
      finalNorm: true,
      labelSmoothing,
    });
  },
};
