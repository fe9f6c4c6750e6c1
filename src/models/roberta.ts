import { tanh } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import { firstPosition } from "../nn/heads.ts";
import { dropout, linear, linearParameters } from "../nn/layers.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import { type CheckpointNames, linearNames, normNames } from "../weights/checkpoint-names.ts";
import { bertBaseNames, bertConfigSchema, bertOlderEndings, poolFirst, readBertConfig } from "./bert.ts";
import { encoderHeadOutputs } from "./encoder-heads.ts";
import {
  type EncoderConfig,
  type EncoderModel,
  encoderModel,
  encoderModelParameters,
  hiddenStates,
} from "./encoder-model.ts";
import type { Family, ForwardInputs, ForwardOutputs, Head, HostInput, Mode, ModelOptions } from "./family.ts";
import { filledLike, textInputs } from "./inputs.ts";
import { robertaTokenizer } from "./new-tokenizer.ts";

/** The configuration that the contents of config.json describe. */
function readRobertaConfig(json: unknown, head: Head, options: ModelOptions, where: string): EncoderConfig {
  const padTokenId = (json as { pad_token_id?: number | null }).pad_token_id ?? 1;
  const config = readBertConfig({ ...(json as object), pad_token_id: padTokenId }, head, options, where);
  return {
    ...config,
    // The rows up to the padding's are never counted.
    maxPositions: config.positionCount - config.padTokenId - 1,
    headActivation: "gelu",
  };
}

/**
 * BERT's network as "RoBERTa: A Robustly Optimized BERT Pretraining Approach" (Liu et al., 2019) has it: positions
 * are counted from the padding's id on, and the classifier of texts has a layer of its own instead of the pooler.
 */
function robertaParameters(
  config: EncoderConfig,
  head: Head,
  withPooler: boolean,
): EncoderModel<ParameterSpec> {
  const textVector = dim("textVector", config.modelDim);
  return encoderModelParameters(config, head, textVector, (model, weight) => ({
    ...(withPooler && { pooler: linearParameters(model, dim("pooled", config.modelDim), weight) }),
    ...(head === "sequence-classification" && { textLayer: linearParameters(model, textVector, weight) }),
  }));
}

/** A RoBERTa's forward pass, written down for one configuration. */
function robertaForward(
  config: EncoderConfig,
  head: Head,
  parameters: EncoderModel<Tensor>,
  inputs: ForwardInputs,
  mode: Mode,
): ForwardOutputs {
  const hidden = hiddenStates(config, parameters.encoder, inputs, mode);
  const textVector = () =>
    scope("textLayer", () => {
      const rate = mode === "training" ? config.textClassifierDropout : 0;
      const first = dropout("dropout", firstPosition(hidden), rate);
      return named("output", tanh(linear(parameters.textLayer!, first)));
    });
  return {
    ...encoderHeadOutputs(config, head, parameters, hidden, textVector, inputs, mode),
    ...(parameters.pooler !== undefined && { poolerOutput: poolFirst(parameters.pooler, hidden) }),
  };
}

/** The padding has the padding's id as its position; what is no padding is counted on from there. */
function robertaPositions(padTokenId: number): (inputIds: HostInput) => HostInput {
  return (inputIds) => {
    const width = inputIds.shape.at(-1)!;
    let position = padTokenId;
    return filledLike(inputIds, (index) => {
      if (index % width === 0) position = padTokenId;
      return inputIds.data[index] === padTokenId ? padTokenId : ++position;
    });
  };
}

const robertaNames: CheckpointNames = {
  base: "roberta.",
  tensors: {
    ...bertBaseNames("roberta."),
    ...linearNames("vocabularyHead.transform", "lm_head.dense"),
    ...normNames("vocabularyHead.norm", "lm_head.layer_norm"),
    "vocabularyHead.output.weight": "lm_head.decoder.weight",
    "vocabularyHead.output.bias": "lm_head.bias",
    ...linearNames("textLayer", "classifier.dense"),
    ...linearNames("textClassifier", "classifier.out_proj"),
    ...linearNames("tokenClassifier", "classifier"),
    ...linearNames("spanHead", "qa_outputs"),
  },
  olderEndings: bertOlderEndings,
  // The second has the same values as lm_head.bias.
  ignored: ["roberta.embeddings.position_ids", "lm_head.decoder.bias"],
};

export const roberta: Family = {
  modelType: "roberta",
  configKeys: Object.keys(bertConfigSchema.shape),
  newTokenizer: robertaTokenizer,
  architectures: {
    RobertaModel: "base",
    RobertaForMaskedLM: "masked-lm",
    RobertaForSequenceClassification: "sequence-classification",
    RobertaForTokenClassification: "token-classification",
    RobertaForQuestionAnswering: "question-answering",
  },
  createModel(json, head, options, where) {
    const config = readRobertaConfig(json, head, options, where);
    return encoderModel(roberta, head, {
      config,
      parameters: robertaParameters(config, head, head === "base" && options.withoutPooler !== true),
      names: robertaNames,
      text: textInputs({ ...config, positions: robertaPositions(config.padTokenId) }),
      forward: (...given) => robertaForward(config, head, ...given),
    });
  },
};
