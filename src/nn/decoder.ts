import { add } from "../graph/build.ts";
import { named } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { MultiHeadAttention } from "./attention.ts";
import type { EncoderLayer, EncoderOptions } from "./encoder.ts";
import { dropout, feedForward, type LayerNorm, layerNorm } from "./layers.ts";

/** A layer of a decoder that also attends to a source; its norms stand after its sums. */
export interface DecoderLayer<Parameter> extends EncoderLayer<Parameter> {
  readonly crossAttention: MultiHeadAttention<Parameter>;
  readonly crossAttentionNorm: LayerNorm<Parameter>;
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
