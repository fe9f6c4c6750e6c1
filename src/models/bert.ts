import { z } from "zod";
import { tanh } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import { firstPosition } from "../nn/heads.ts";
import { type Linear, linear, linearParameters } from "../nn/layers.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import { type CheckpointNames, linearNames, normNames } from "../weights/checkpoint-names.ts";
import { problemTypeOf } from "./classification.ts";
import {
  activation,
  checkHeads,
  classifierKeys,
  count,
  labelsOf,
  rate,
  readConfig,
  tokenId,
} from "./config-file.ts";
import { encoderHeadOutputs } from "./encoder-heads.ts";
import {
  type EncoderConfig,
  type EncoderModel,
  encoderModel,
  encoderModelParameters,
  hiddenStates,
} from "./encoder-model.ts";
import type { Family, ForwardInputs, ForwardOutputs, Head, Mode, ModelOptions } from "./family.ts";
import { textInputs } from "./inputs.ts";
import { bertTokenizer } from "./new-tokenizer.ts";

/** The keys of config.json, as Hugging Face spells them. */
export const bertConfigSchema = z.object({
  vocab_size: count,
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  intermediate_size: count,
  max_position_embeddings: count,
  type_vocab_size: count.default(2),
  pad_token_id: tokenId.nullish(),
  hidden_act: activation.default("gelu"),
  layer_norm_eps: z.number().positive().default(1e-12),
  initializer_range: z.number().positive().default(0.02),
  tie_word_embeddings: z.boolean().default(true),
  hidden_dropout_prob: rate.default(0.1),
  attention_probs_dropout_prob: rate.default(0.1),
  classifier_dropout: rate.nullish(),
  ...classifierKeys,
  // Choices that other checkpoints of this type make and that this model does not have.
  position_embedding_type: z.literal("absolute").default("absolute"),
  is_decoder: z.literal(false).default(false),
  add_cross_attention: z.literal(false).default(false),
});

/** The configuration that the contents of config.json describe. */
export function readBertConfig(
  json: unknown,
  head: Head,
  options: ModelOptions,
  where: string,
): EncoderConfig {
  const file = readConfig(bertConfigSchema, json, where);
  checkHeads(["hidden_size", file.hidden_size], ["num_attention_heads", file.num_attention_heads], where);
  const labels = labelsOf(file, head, where);
  const classifierDropout = file.classifier_dropout ?? file.hidden_dropout_prob;
  return {
    vocabSize: file.vocab_size,
    modelDim: file.hidden_size,
    headCount: file.num_attention_heads,
    feedForwardDim: file.intermediate_size,
    layerCount: file.num_hidden_layers,
    maxPositions: file.max_position_embeddings,
    positionCount: file.max_position_embeddings,
    tokenTypeCount: file.type_vocab_size,
    padTokenId: file.pad_token_id ?? 0,
    activation: file.hidden_act,
    headActivation: file.hidden_act,
    normEpsilon: file.layer_norm_eps,
    tiedEmbeddings: file.tie_word_embeddings,
    labels,
    problemType: problemTypeOf(file, labels.length, options),
    initialDeviation: file.initializer_range,
    dropout: file.hidden_dropout_prob,
    attentionDropout: file.attention_probs_dropout_prob,
    textClassifierDropout: classifierDropout,
    tokenClassifierDropout: classifierDropout,
    spanDropout: 0,
  };
}

/**
 * The encoder of "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding" (Devlin et al.,
 * 2019), a pooler, which makes one vector of a text, and one of the heads.
 */
function bertParameters(config: EncoderConfig, head: Head, withPooler: boolean): EncoderModel<ParameterSpec> {
  const pooled = dim("pooled", config.modelDim);
  return encoderModelParameters(config, head, pooled, (model, weight) =>
    withPooler ? { pooler: linearParameters(model, pooled, weight) } : {},
  );
}

/** A BERT's forward pass, written down for one configuration. */
function bertForward(
  config: EncoderConfig,
  head: Head,
  parameters: EncoderModel<Tensor>,
  inputs: ForwardInputs,
  mode: Mode,
): ForwardOutputs {
  const hidden = hiddenStates(config, parameters.encoder, inputs, mode);
  const { pooler } = parameters;
  const pooled = pooler === undefined ? undefined : poolFirst(pooler, hidden);
  return {
    ...encoderHeadOutputs(config, head, parameters, hidden, () => pooled!, inputs, mode),
    ...(head === "base" && pooled !== undefined && { poolerOutput: pooled }),
  };
}

/** tanh(W · x + b) of the first token, which stands for the whole text. @returns [batch, pooled] */
export function poolFirst(pooler: Linear<Tensor>, hidden: Tensor): Tensor {
  return scope("pooler", () => named("output", tanh(linear(pooler, firstPosition(hidden)))));
}

/** How the base model's parameters are called in checkpoints. @param base - the beginning of the names */
export function bertBaseNames(base: string): Record<string, string> {
  const layer = `${base}encoder.layer.{layer}`;
  return {
    "encoder.embedding": `${base}embeddings.word_embeddings.weight`,
    "encoder.positions": `${base}embeddings.position_embeddings.weight`,
    "encoder.tokenTypes": `${base}embeddings.token_type_embeddings.weight`,
    ...normNames("encoder.embeddingNorm", `${base}embeddings.LayerNorm`),
    ...linearNames("encoder.layers.{layer}.selfAttention.query", `${layer}.attention.self.query`),
    ...linearNames("encoder.layers.{layer}.selfAttention.key", `${layer}.attention.self.key`),
    ...linearNames("encoder.layers.{layer}.selfAttention.value", `${layer}.attention.self.value`),
    ...linearNames("encoder.layers.{layer}.selfAttention.output", `${layer}.attention.output.dense`),
    ...normNames("encoder.layers.{layer}.selfAttentionNorm", `${layer}.attention.output.LayerNorm`),
    ...linearNames("encoder.layers.{layer}.feedForward.inner", `${layer}.intermediate.dense`),
    ...linearNames("encoder.layers.{layer}.feedForward.outer", `${layer}.output.dense`),
    ...normNames("encoder.layers.{layer}.feedForwardNorm", `${layer}.output.LayerNorm`),
    ...linearNames("pooler", `${base}pooler.dense`),
  };
}

/** What the first checkpoints called the gain and the bias of a norm. */
export const bertOlderEndings = {
  ".LayerNorm.gamma": ".LayerNorm.weight",
  ".LayerNorm.beta": ".LayerNorm.bias",
};

const bertNames: CheckpointNames = {
  base: "bert.",
  tensors: {
    ...bertBaseNames("bert."),
    ...linearNames("vocabularyHead.transform", "cls.predictions.transform.dense"),
    ...normNames("vocabularyHead.norm", "cls.predictions.transform.LayerNorm"),
    "vocabularyHead.output.weight": "cls.predictions.decoder.weight",
    "vocabularyHead.output.bias": "cls.predictions.bias",
    ...linearNames("nextSentence", "cls.seq_relationship"),
    ...linearNames("textClassifier", "classifier"),
    ...linearNames("tokenClassifier", "classifier"),
    ...linearNames("spanHead", "qa_outputs"),
  },
  olderEndings: bertOlderEndings,
  ignored: [
    "bert.embeddings.position_ids",
    // The same values as cls.predictions.bias.
    "cls.predictions.decoder.bias",
  ],
};

export const bert: Family = {
  modelType: "bert",
  configKeys: Object.keys(bertConfigSchema.shape),
  newTokenizer: bertTokenizer,
  architectures: {
    BertModel: "base",
    BertForMaskedLM: "masked-lm",
    BertForPreTraining: "pre-training",
    BertForSequenceClassification: "sequence-classification",
    BertForTokenClassification: "token-classification",
    BertForQuestionAnswering: "question-answering",
  },
  createModel(json, head, options, where) {
    const config = readBertConfig(json, head, options, where);
    const withPooler =
      ["sequence-classification", "pre-training"].includes(head) ||
      (head === "base" && options.withoutPooler !== true);
    return encoderModel(bert, head, {
      config,
      parameters: bertParameters(config, head, withPooler),
      names: bertNames,
      text: textInputs(config),
      forward: (...given) => bertForward(config, head, ...given),
    });
  },
};
