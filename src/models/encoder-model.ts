/** What BERT and its descendants have in common: an encoder, and one of the heads. */
import { equal, not, scalar } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type Encoder, encode, encoderParameters } from "../nn/encoder.ts";
import type { ActivationName, Linear } from "../nn/layers.ts";
import { type Initializer, type MapLeaves, normal, type ParameterSpec } from "../nn/parameters.ts";
import type { CheckpointNames } from "../weights/checkpoint-names.ts";
import {
  type EncoderHeads,
  type EncoderHeadsConfig,
  encoderHeadInputs,
  encoderHeadParameters,
  encoderLayerOutputs,
} from "./encoder-heads.ts";
import {
  architectureOf,
  type Family,
  type ForwardInputs,
  type ForwardOutputs,
  type Head,
  type InputSpecs,
  type Mode,
  type Model,
} from "./family.ts";

/** The sizes and choices of an encoder with a head. */
export interface EncoderConfig extends EncoderHeadsConfig {
  readonly feedForwardDim: number;
  /** How many rows the table of positions has. */
  readonly positionCount: number;
  /** 0 = without token types. */
  readonly tokenTypeCount: number;
  readonly padTokenId: number;
  readonly activation: ActivationName;
  readonly tiedEmbeddings: boolean;
  /** The standard deviation with which weights begin. */
  readonly initialDeviation: number;
  readonly dropout: number;
  readonly attentionDropout: number;
}

/** An encoder, what makes one vector of a text where there is such a thing, and one of the heads. */
export interface EncoderModel<Parameter> extends EncoderHeads<Parameter> {
  readonly encoder: Encoder<Parameter>;
  /** Makes one vector of a text for whoever wants one. */
  readonly pooler?: Linear<Parameter>;
  /** Makes the vector that the classifier of texts reads. */
  readonly textLayer?: Linear<Parameter>;
}

/**
 * What the parameters of such a model are, before they have values.
 * @param textVector - the axis of what the classifier of texts reads
 * @param layers - what stands between encoder and head
 */
export function encoderModelParameters(
  config: EncoderConfig,
  head: Head,
  textVector: Dim,
  layers: (model: Dim, weight: Initializer) => Pick<EncoderModel<ParameterSpec>, "pooler" | "textLayer">,
): EncoderModel<ParameterSpec> {
  const weight = normal(config.initialDeviation);
  const encoder = encoderParameters({ ...config, weight });
  const table = config.tiedEmbeddings ? encoder.embedding : undefined;
  return {
    encoder,
    ...layers(dim("model", config.modelDim), weight),
    ...encoderHeadParameters(config, head, textVector, weight, table),
  };
}

/** The hidden state of each token: [batch, sequence, model]. */
export function hiddenStates(
  config: EncoderConfig,
  encoder: Encoder<Tensor>,
  inputs: ForwardInputs,
  mode: Mode,
): Tensor {
  const training = mode === "training";
  return encode(
    encoder,
    {
      ids: inputs.inputIds!,
      positions: inputs.positionIds!,
      tokenTypes: inputs.tokenTypeIds,
      present: not(equal(inputs.attentionMask!, scalar(0, "int32"))),
    },
    {
      headCount: config.headCount,
      activation: config.activation,
      normEpsilon: config.normEpsilon,
      dropout: training ? config.dropout : 0,
      attentionDropout: training ? config.attentionDropout : 0,
    },
  );
}

/** What a family says of one of its models. */
export interface EncoderParts {
  readonly config: EncoderConfig;
  readonly parameters: EncoderModel<ParameterSpec>;
  readonly names: CheckpointNames;
  /** The inputs of the encoder. */
  readonly text: InputSpecs;
  forward(parameters: EncoderModel<Tensor>, inputs: ForwardInputs, mode: Mode): ForwardOutputs;
}

/** A model with this head: everything but what its family says. */
export function encoderModel(
  family: Family,
  head: Head,
  { config, parameters, names, text, forward }: EncoderParts,
): Model<EncoderModel<ParameterSpec>> {
  return {
    modelType: family.modelType,
    architecture: architectureOf(family, head),
    head,
    config,
    parameters,
    names,
    inputs: encoderHeadInputs(config, head, text),
    forward: (values: MapLeaves<EncoderModel<ParameterSpec>, Tensor>, inputs, mode = "inference") =>
      forward(values as EncoderModel<Tensor>, inputs, mode),
    layerOutputs: encoderLayerOutputs(config.layerCount),
  };
}
