import { tanh } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import { encoderParameters } from "../nn/encoder.ts";
import { firstPosition } from "../nn/heads.ts";
import { dropout, type Linear, linear, linearParameters } from "../nn/layers.ts";
import { normal, type ParameterSpec } from "../nn/parameters.ts";
import { type CheckpointNames, linearNames, normNames } from "../weights/checkpoint-names.ts";
import {
  type Bert,
  type BertConfig,
  bertBaseNames,
  bertConfigSchema,
  bertHidden,
  bertOlderEndings,
  poolFirst,
  readBertConfig,
} from "./bert.ts";
import {
  encoderHeadInputs,
  encoderHeadOutputs,
  encoderHeadParameters,
  encoderLayerOutputs,
} from "./encoder-heads.ts";
import {
  architectureOf,
  type Family,
  type ForwardInputs,
  type ForwardOutputs,
  type Head,
  type HostInput,
  type Mode,
  type Model,
  type ModelOptions,
} from "./family.ts";
import { filledLike, textInputs } from "./inputs.ts";
import { robertaTokenizer } from "./new-tokenizer.ts";

/**
 * BERT's network as "RoBERTa: A Robustly Optimized BERT Pretraining Approach" (Liu et al., 2019) has it: positions
 * are counted from the padding's id on, and the classifier of texts has a layer of its own instead of the pooler.
 */
export interface Roberta<Parameter> extends Bert<Parameter> {
  readonly textLayer?: Linear<Parameter>;
}

/** The configuration that the contents of config.json describe. */
function readRobertaConfig(json: unknown, head: Head, options: ModelOptions, where: string): BertConfig {
  const padTokenId = (json as { pad_token_id?: number | null }).pad_token_id ?? 1;
  const config = readBertConfig({ ...(json as object), pad_token_id: padTokenId }, head, options, where);
  return {
    ...config,
    // The rows up to the padding's are never counted.
    maxPositions: config.positionCount - config.padTokenId - 1,
    headActivation: "gelu",
  };
}

function robertaParameters(config: BertConfig, head: Head, withPooler: boolean): Roberta<ParameterSpec> {
  const weight = normal(config.initialDeviation);
  const model = dim("model", config.modelDim);
  const textVector = dim("textVector", config.modelDim);
  const encoder = encoderParameters({ ...config, weight });
  const table = config.tiedEmbeddings ? encoder.embedding : undefined;
  return {
    encoder,
    ...(withPooler && { pooler: linearParameters(model, dim("pooled", config.modelDim), weight) }),
    ...(head === "sequence-classification" && { textLayer: linearParameters(model, textVector, weight) }),
    ...encoderHeadParameters(config, head, textVector, weight, table),
  };
}

/** A RoBERTa's forward pass, written down for one configuration. */
function robertaForward(
  config: BertConfig,
  head: Head,
  parameters: Roberta<Tensor>,
  inputs: ForwardInputs,
  mode: Mode,
): ForwardOutputs {
  const hidden = bertHidden(config, parameters.encoder, inputs, mode);
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
  createModel(json, head, options, where): Model<Roberta<ParameterSpec>> {
    const config = readRobertaConfig(json, head, options, where);
    const text = textInputs({ ...config, positions: robertaPositions(config.padTokenId) });
    return {
      modelType: "roberta",
      architecture: architectureOf(roberta, head),
      head,
      config,
      parameters: robertaParameters(config, head, head === "base" && options.withoutPooler !== true),
      names: robertaNames,
      inputs: encoderHeadInputs(config, head, text),
      forward: (parameters: Roberta<Tensor>, inputs, mode = "inference") =>
        robertaForward(config, head, parameters, inputs, mode),
      layerOutputs: encoderLayerOutputs(config.layerCount),
    };
  },
};
