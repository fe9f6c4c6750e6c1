import { z } from "zod";
import { relu } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import { firstPosition } from "../nn/heads.ts";
import { linear, linearParameters } from "../nn/layers.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import { type CheckpointNames, linearNames, normNames } from "../weights/checkpoint-names.ts";
import { bertOlderEndings } from "./bert.ts";
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
const configSchema = z.object({
  vocab_size: count,
  dim: count,
  hidden_dim: count,
  n_layers: count,
  n_heads: count,
  max_position_embeddings: count,
  pad_token_id: tokenId.nullish(),
  activation: activation.default("gelu"),
  initializer_range: z.number().positive().default(0.02),
  tie_word_embeddings: z.boolean().default(true),
  dropout: rate.default(0.1),
  attention_dropout: rate.default(0.1),
  qa_dropout: rate.default(0.1),
  seq_classif_dropout: rate.default(0.2),
  ...classifierKeys,
});

function readDistilbertConfig(
  json: unknown,
  head: Head,
  options: ModelOptions,
  where: string,
): EncoderConfig {
  const file = readConfig(configSchema, json, where);
  checkHeads(["dim", file.dim], ["n_heads", file.n_heads], where);
  const labels = labelsOf(file, head, where);
  return {
    vocabSize: file.vocab_size,
    modelDim: file.dim,
    headCount: file.n_heads,
    feedForwardDim: file.hidden_dim,
    layerCount: file.n_layers,
    maxPositions: file.max_position_embeddings,
    positionCount: file.max_position_embeddings,
    tokenTypeCount: 0,
    padTokenId: file.pad_token_id ?? 0,
    activation: file.activation,
    headActivation: file.activation,
    normEpsilon: 1e-12,
    tiedEmbeddings: file.tie_word_embeddings,
    labels,
    problemType: problemTypeOf(file, labels.length, options),
    initialDeviation: file.initializer_range,
    dropout: file.dropout,
    attentionDropout: file.attention_dropout,
    textClassifierDropout: file.seq_classif_dropout,
    tokenClassifierDropout: file.dropout,
    spanDropout: file.qa_dropout,
  };
}

/**
 * BERT's network with half the layers, without token types and pooler, taught by BERT: "DistilBERT, a distilled
 * version of BERT" (Sanh et al., 2019). The classifier of texts has a layer of its own.
 */
function distilbertParameters(config: EncoderConfig, head: Head): EncoderModel<ParameterSpec> {
  const textVector = dim("textVector", config.modelDim);
  return encoderModelParameters(config, head, textVector, (model, weight) =>
    head === "sequence-classification" ? { textLayer: linearParameters(model, textVector, weight) } : {},
  );
}

/** A DistilBERT's forward pass, written down for one configuration. */
function distilbertForward(
  config: EncoderConfig,
  head: Head,
  parameters: EncoderModel<Tensor>,
  inputs: ForwardInputs,
  mode: Mode,
): ForwardOutputs {
  const hidden = hiddenStates(config, parameters.encoder, inputs, mode);
  const textVector = () =>
    scope("textLayer", () => named("output", relu(linear(parameters.textLayer!, firstPosition(hidden)))));
  return encoderHeadOutputs(config, head, parameters, hidden, textVector, inputs, mode);
}

const base = "distilbert.";
const layer = `${base}transformer.layer.{layer}`;
const distilbertNames: CheckpointNames = {
  base,
  tensors: {
    "encoder.embedding": `${base}embeddings.word_embeddings.weight`,
    "encoder.positions": `${base}embeddings.position_embeddings.weight`,
    ...normNames("encoder.embeddingNorm", `${base}embeddings.LayerNorm`),
    ...linearNames("encoder.layers.{layer}.selfAttention.query", `${layer}.attention.q_lin`),
    ...linearNames("encoder.layers.{layer}.selfAttention.key", `${layer}.attention.k_lin`),
    ...linearNames("encoder.layers.{layer}.selfAttention.value", `${layer}.attention.v_lin`),
    ...linearNames("encoder.layers.{layer}.selfAttention.output", `${layer}.attention.out_lin`),
    ...normNames("encoder.layers.{layer}.selfAttentionNorm", `${layer}.sa_layer_norm`),
    ...linearNames("encoder.layers.{layer}.feedForward.inner", `${layer}.ffn.lin1`),
    ...linearNames("encoder.layers.{layer}.feedForward.outer", `${layer}.ffn.lin2`),
    ...normNames("encoder.layers.{layer}.feedForwardNorm", `${layer}.output_layer_norm`),
    ...linearNames("vocabularyHead.transform", "vocab_transform"),
    ...normNames("vocabularyHead.norm", "vocab_layer_norm"),
    "vocabularyHead.output.weight": "vocab_projector.weight",
    "vocabularyHead.output.bias": "vocab_projector.bias",
    ...linearNames("textLayer", "pre_classifier"),
    ...linearNames("textClassifier", "classifier"),
    ...linearNames("tokenClassifier", "classifier"),
    ...linearNames("spanHead", "qa_outputs"),
  },
  olderEndings: bertOlderEndings,
  ignored: [`${base}embeddings.position_ids`],
};

export const distilbert: Family = {
  modelType: "distilbert",
  configKeys: Object.keys(configSchema.shape),
  newTokenizer: bertTokenizer,
  architectures: {
    DistilBertModel: "base",
    DistilBertForMaskedLM: "masked-lm",
    DistilBertForSequenceClassification: "sequence-classification",
    DistilBertForTokenClassification: "token-classification",
    DistilBertForQuestionAnswering: "question-answering",
  },
  createModel(json, head, options, where) {
    const config = readDistilbertConfig(json, head, options, where);
    return encoderModel(distilbert, head, {
      config,
      parameters: distilbertParameters(config, head),
      names: distilbertNames,
      text: textInputs(config),
      forward: (...given) => distilbertForward(config, head, ...given),
    });
  },
};
