import { add } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import {
  attentionParameters,
  type MultiHeadAttention,
  multiHeadAttention,
  paddingMask,
} from "./attention.ts";
import {
  type ActivationName,
  dropout,
  embedding,
  type FeedForward,
  feedForward,
  feedForwardParameters,
  type LayerNorm,
  layerNorm,
  layerNormParameters,
} from "./layers.ts";
import { type Initializer, type ParameterSpec, parameterSpec } from "./parameters.ts";

/**
 * An encoder with learned positions, each layer's norms after its sums: the body of BERT and its relatives.
 * Source: Devlin et al., 2019, 3; Vaswani et al., 2017, 3.1.
 */
export interface Encoder<Parameter> {
  /** [vocab, model] */
  readonly embedding: Parameter;
  /** [position, model] */
  readonly positions: Parameter;
  /** [tokenType, model]: which of two texts a token belongs to. */
  readonly tokenTypes?: Parameter;
  readonly embeddingNorm: LayerNorm<Parameter>;
  readonly layers: readonly EncoderLayer<Parameter>[];
}

export interface EncoderLayer<Parameter> {
  readonly selfAttention: MultiHeadAttention<Parameter>;
  readonly selfAttentionNorm: LayerNorm<Parameter>;
  readonly feedForward: FeedForward<Parameter>;
  readonly feedForwardNorm: LayerNorm<Parameter>;
}

/** The sizes of an encoder, and how its parameters begin. */
export interface EncoderSizes {
  readonly vocabSize: number;
  readonly modelDim: number;
  readonly feedForwardDim: number;
  readonly layerCount: number;
  /** How many rows the table of positions has. */
  readonly positionCount: number;
  /** 0 = without token types. */
  readonly tokenTypeCount: number;
  readonly weight: Initializer;
}

export function encoderParameters(sizes: EncoderSizes): Encoder<ParameterSpec> {
  const model = dim("model", sizes.modelDim);
  const table = (rows: Dim) => parameterSpec([rows, model], sizes.weight);
  return {
    embedding: table(dim("vocab", sizes.vocabSize)),
    positions: table(dim("position", sizes.positionCount)),
    ...(sizes.tokenTypeCount > 0 && { tokenTypes: table(dim("tokenType", sizes.tokenTypeCount)) }),
    embeddingNorm: layerNormParameters(model),
    layers: Array.from({ length: sizes.layerCount }, () =>
      encoderLayerParameters(model, sizes.feedForwardDim, sizes.weight),
    ),
  };
}

/** @param weight - how the weights begin. Default: Xavier's uniform. */
export function encoderLayerParameters(
  model: Dim,
  feedForwardDim: number,
  weight?: Initializer,
): EncoderLayer<ParameterSpec> {
  return {
    selfAttention: attentionParameters(model, weight),
    selfAttentionNorm: layerNormParameters(model),
    feedForward: feedForwardParameters(model, feedForwardDim, weight),
    feedForwardNorm: layerNormParameters(model),
  };
}

/** What an encoder's forward pass depends on besides its parameters. */
export interface EncoderOptions {
  readonly headCount: number;
  readonly activation: ActivationName;
  readonly normEpsilon: number;
  /** On each sub-layer's output and on the embeddings. */
  readonly dropout: number;
  readonly attentionDropout: number;
  /** Between the two linear layers of the feed-forward network. Default: 0. */
  readonly activationDropout?: number;
}

/**
 * Reads a text.
 * @param ids - [batch, sequence] @param positions - [batch, sequence]
 * @param tokenTypes - [batch, sequence], where the encoder has token types
 * @param present - [batch, sequence], true for what is no padding
 * @returns hidden states: [batch, sequence, model]
 */
export function encode(
  parameters: Encoder<Tensor>,
  inputs: { ids: Tensor; positions: Tensor; tokenTypes?: Tensor | undefined; present: Tensor },
  options: EncoderOptions,
): Tensor {
  return scope("encoder", () => {
    const mask = paddingMask(inputs.present);
    let x = add(
      named("tokens", embedding(parameters.embedding, inputs.ids, false)),
      named("positions", embedding(parameters.positions, inputs.positions, false)),
    );
    if (parameters.tokenTypes !== undefined && inputs.tokenTypes !== undefined) {
      x = add(x, named("tokenTypes", embedding(parameters.tokenTypes, inputs.tokenTypes, false)));
    }
    const normalised = layerNorm(parameters.embeddingNorm, x, options.normEpsilon);
    x = named("embedded", dropout("embeddingDropout", normalised, options.dropout));
    parameters.layers.forEach((layer, index) => {
      x = scope(`layers.${index}`, () => named("output", encoderLayer(layer, x, mask, options)));
    });
    return named("output", x);
  });
}

/**
 * LayerNorm(x + Sublayer(x)), first with self-attention, then with the feed-forward network.
 * @param x - [batch, sequence, model] @param mask - [batch, key]
 */
export function encoderLayer(
  layer: EncoderLayer<Tensor>,
  x: Tensor,
  mask: Tensor,
  options: EncoderOptions,
): Tensor {
  const residual = (name: string, norm: LayerNorm<Tensor>, from: Tensor, change: Tensor) => {
    const sum = named(`${name}Residual`, add(from, dropout(`${name}Dropout`, change, options.dropout)));
    return named(`${name}Norm`, layerNorm(norm, sum, options.normEpsilon));
  };
  const attention = multiHeadAttention("selfAttention", layer.selfAttention, x, x, mask, {
    headCount: options.headCount,
    dropout: options.attentionDropout,
  });
  const attended = residual("selfAttention", layer.selfAttentionNorm, x, attention);
  const changed = feedForward(layer.feedForward, attended, {
    activation: options.activation,
    dropout: options.activationDropout ?? 0,
  });
  return residual("feedForward", layer.feedForwardNorm, attended, changed);
}
