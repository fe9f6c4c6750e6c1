import { add } from "../graph/build.ts";
import type { Dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import {
  type AttentionProjections,
  attentionParameters,
  type KeysAndValues,
  type MultiHeadAttention,
  projectKeysAndValues,
} from "./attention.ts";
import { type EncoderLayer, type EncoderOptions, encoderLayerParameters } from "./encoder.ts";
import { dropout, feedForward, type LayerNorm, layerNorm, layerNormParameters } from "./layers.ts";
import type { Initializer, ParameterSpec } from "./parameters.ts";

/** A layer of a decoder that also attends to a source; its norms stand after its sums. */
export interface DecoderLayer<Parameter> extends EncoderLayer<Parameter> {
  readonly crossAttention: MultiHeadAttention<Parameter>;
  readonly crossAttentionNorm: LayerNorm<Parameter>;
}

/** @param weight - how the weights begin. Default: Xavier's uniform. */
export function decoderLayerParameters(
  model: Dim,
  feedForwardDim: number,
  weight?: Initializer,
): DecoderLayer<ParameterSpec> {
  return {
    ...encoderLayerParameters(model, feedForwardDim, weight),
    crossAttention: attentionParameters(model, weight),
    crossAttentionNorm: layerNormParameters(model),
  };
}

/**
 * LayerNorm(x + Sublayer(x)) three times: with self-attention, attention to the source, the feed-forward network.
 * How it attends is left to the caller, who may have caches.
 * @param x - [batch, sequence, model] @returns the same. Source: Vaswani et al., 2017, 3.1.
 */
export function decoderLayer(
  layer: DecoderLayer<Tensor>,
  x: Tensor,
  attendToSelf: (x: Tensor) => Tensor,
  attendToSource: (x: Tensor) => Tensor,
  options: EncoderOptions,
): Tensor {
  const residual = (name: string, norm: LayerNorm<Tensor>, from: Tensor, change: Tensor) => {
    const sum = named(`${name}Residual`, add(from, dropout(`${name}Dropout`, change, options.dropout)));
    return named(`${name}Norm`, layerNorm(norm, sum, options.normEpsilon));
  };
  const ofTarget = residual("selfAttention", layer.selfAttentionNorm, x, attendToSelf(x));
  const ofSource = residual("crossAttention", layer.crossAttentionNorm, ofTarget, attendToSource(ofTarget));
  const changed = feedForward(layer.feedForward, ofSource, {
    activation: options.activation,
    dropout: options.activationDropout ?? 0,
  });
  return residual("feedForward", layer.feedForwardNorm, ofSource, changed);
}

/**
 * The keys and values of the source, for each layer of a decoder: computed once, used at every step.
 * @param memory - [batch, sequence, model] @returns [batch, head, key, headDim] each
 */
export function sourceKeysAndValues(
  layers: readonly { readonly crossAttention: AttentionProjections }[],
  memory: Tensor,
  headCount: number,
): KeysAndValues[] {
  return layers.map((layer, index) =>
    scope(`decoder.layers.${index}.crossAttention`, () =>
      projectKeysAndValues(layer.crossAttention, memory, headCount),
    ),
  );
}
