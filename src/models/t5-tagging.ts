import { dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import { ignoredLabel } from "../nn/losses.ts";
import { normal, type ParameterSpec } from "../nn/parameters.ts";
import type { CheckpointNames } from "../weights/checkpoint-names.ts";
import { encoderDecoderInputs, presentTokens } from "./encoder-decoder.ts";
import { type EncoderHeads, encoderHeadOutputs, encoderHeadParameters } from "./encoder-heads.ts";
import { architectureOf, type Family, layerAddresses, type Model } from "./family.ts";
import { type T5, type T5Config, t5Graph, t5Parameters } from "./t5-graph.ts";

/** T5's encoder, and a classifier of its hidden states. */
export interface T5Tagger<Parameter> extends EncoderHeads<Parameter> {
  readonly encoder: T5<Parameter>["encoder"];
}

/** What a classifier needs to know besides. */
export interface T5TaggerConfig extends T5Config {
  readonly labels: readonly string[];
  readonly classifierDropout: number;
}

/**
 * Labels of tokens by T5's encoder alone, as Hugging Face's T5ForTokenClassification. A new classifier begins with the
 * deviation of T5's other projections, initializer_factor / sqrt(d_model), not with initializer_factor as there, which
 * gives scores of ten and more.
 */
export function t5TaggingModel(
  family: Family,
  config: T5TaggerConfig,
  names: CheckpointNames,
): Model<T5Tagger<ParameterSpec>> {
  const head = "token-classification";
  const { inputIds, attentionMask } = encoderDecoderInputs(config, { withLabels: false, fromSource: false });
  const headConfig = {
    ...config,
    problemType: "single-label",
    headActivation: config.activation,
    textClassifierDropout: 0,
    tokenClassifierDropout: config.classifierDropout,
    spanDropout: 0,
  } as const;
  const { encoder } = t5Parameters(config, false);
  const weight = normal(config.initializerFactor * config.modelDim ** -0.5);
  const model = dim("model", config.modelDim);
  return {
    modelType: family.modelType,
    architecture: architectureOf(family, head),
    head,
    config,
    parameters: { encoder, ...encoderHeadParameters(headConfig, head, model, weight, undefined) },
    names,
    inputs: {
      inputIds: inputIds!,
      attentionMask: attentionMask!,
      labels: { dtype: "int32", dims: inputIds!.dims, below: config.labels.length, ignored: ignoredLabel },
    },
    forward(values, inputs, mode = "inference") {
      const parameters = values as T5Tagger<Tensor>;
      const present = presentTokens(inputs.attentionMask!);
      const hidden = t5Graph(config, mode).encode(parameters, inputs.inputIds!, present);
      return encoderHeadOutputs(headConfig, head, parameters, hidden, () => hidden, inputs, mode);
    },
    layerOutputs: {
      hidden_states: [
        "encoder.embedded",
        ...layerAddresses("encoder.layers.{layer}.output", config.layerCount - 1),
        "encoder.output",
      ],
      attentions: layerAddresses("encoder.layers.{layer}.selfAttention.weights", config.layerCount),
    },
  };
}
