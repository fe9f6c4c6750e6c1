import { add, contract, expand, multiply, rename } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import {
  attentionTo,
  cachedSelfAttention,
  causalMask,
  type KeysAndValues,
  type MultiHeadAttention,
  multiHeadAttention,
  paddingMask,
} from "../nn/attention.ts";
import {
  type ActivationName,
  activations,
  dropout,
  embedding,
  linear,
  type Projection,
} from "../nn/layers.ts";
import { classCrossEntropy } from "../nn/losses.ts";
import { normal, type ParameterSpec, parameterSpec } from "../nn/parameters.ts";
import { type RelativePositions, relativeBias, relativeBiasOfStep } from "../nn/relative-positions.ts";
import { type RmsNorm, rmsNorm, rmsNormParameters } from "../nn/rms-norm.ts";
import type { EncoderDecoderSizes } from "./encoder-decoder.ts";
import type { Loss, Mode, ModelConfig } from "./family.ts";

/** The sizes and choices of a T5. */
export interface T5Config extends ModelConfig, EncoderDecoderSizes {
  readonly layerCount: number;
  readonly maxPositions: number;
  readonly padTokenId: number;
  readonly eosTokenId: number;
  /** The width of one head; all of them together need not be as wide as the model. */
  readonly headDim: number;
  readonly feedForwardDim: number;
  readonly relativePositions: Omit<RelativePositions, "bidirectional">;
  readonly activation: ActivationName;
  /** Whether the feed-forward network multiplies an activated with a plain projection. */
  readonly gated: boolean;
  /** Whether the output's table is that of the embeddings; hidden states are then scaled by modelDim^-1/2. */
  readonly tiedEmbeddings: boolean;
  readonly normEpsilon: number;
  readonly initializerFactor: number;
  readonly dropout: number;
}

/**
 * The encoder-decoder of "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer" (Raffel
 * et al., 2020): no biases, no positions but biases of attention by distance, scores that are not scaled, norms
 * before the sub-layers.
 */
export interface T5<Parameter> {
  readonly encoder: T5Stack<Parameter, T5EncoderLayer<Parameter>>;
  readonly decoder: T5Stack<Parameter, T5DecoderLayer<Parameter>>;
  /** [vocab, model]; the table of the embeddings where it is tied. */
  readonly output?: Projection<Parameter>;
}

export interface T5Stack<Parameter, Layer> {
  readonly embedding: Parameter;
  /** [bucket, head], for all layers. */
  readonly relativePositions: Parameter;
  readonly layers: readonly Layer[];
  readonly finalNorm: RmsNorm<Parameter>;
}

type Attention<Parameter> = MultiHeadAttention<Parameter, Projection<Parameter>>;

export interface T5EncoderLayer<Parameter> {
  readonly selfAttentionNorm: RmsNorm<Parameter>;
  readonly selfAttention: Attention<Parameter>;
  readonly feedForwardNorm: RmsNorm<Parameter>;
  readonly feedForward: T5FeedForward<Parameter>;
}

export interface T5DecoderLayer<Parameter> extends T5EncoderLayer<Parameter> {
  readonly crossAttentionNorm: RmsNorm<Parameter>;
  readonly crossAttention: Attention<Parameter>;
}

/**
 * activation(x · W1) · W2, or gated (activation(x · G) * (x · V)) · W2.
 * Source of the second: Shazeer, 2020, "GLU Variants Improve Transformer".
 */
export interface T5FeedForward<Parameter> {
  readonly inner?: Projection<Parameter>;
  readonly gate?: Projection<Parameter>;
  readonly value?: Projection<Parameter>;
  readonly outer: Projection<Parameter>;
}

/** What the parameters of a T5 are, before they have values. */
export function t5Parameters(config: T5Config, withOutput: boolean): T5<ParameterSpec> {
  const { modelDim, headCount, headDim, feedForwardDim, initializerFactor: factor } = config;
  const model = dim("model", modelDim);
  const context = dim("context", headCount * headDim);
  const feedForward = dim("feedForward", feedForwardDim);
  const vocab = dim("vocab", config.vocabSize);
  const projection = (inputs: Dim, outputs: Dim, variance: number): Projection<ParameterSpec> => ({
    weight: parameterSpec([outputs, inputs], normal(factor * variance ** -0.5)),
  });
  const attention = (): Attention<ParameterSpec> => ({
    query: projection(model, context, modelDim * headDim),
    key: projection(model, context, modelDim),
    value: projection(model, context, modelDim),
    output: projection(context, model, headCount * headDim),
  });
  const inner = () => projection(model, feedForward, modelDim);
  const layer = (): T5EncoderLayer<ParameterSpec> => ({
    selfAttentionNorm: rmsNormParameters(model),
    selfAttention: attention(),
    feedForwardNorm: rmsNormParameters(model),
    feedForward: {
      ...(config.gated ? { gate: inner(), value: inner() } : { inner: inner() }),
      outer: projection(feedForward, model, feedForwardDim),
    },
  });
  const table = parameterSpec([vocab, model], normal(factor));
  const stack = <Layer>(layers: readonly Layer[]): T5Stack<ParameterSpec, Layer> => ({
    embedding: table,
    relativePositions: parameterSpec(
      [dim("bucket", config.relativePositions.bucketCount), dim("head", headCount)],
      normal(factor * modelDim ** -0.5),
      true,
    ),
    layers,
    finalNorm: rmsNormParameters(model),
  });
  return {
    encoder: stack(Array.from({ length: config.layerCount }, layer)),
    decoder: stack(
      Array.from({ length: config.decoderLayerCount }, () => ({
        ...layer(),
        crossAttentionNorm: rmsNormParameters(model),
        crossAttention: attention(),
      })),
    ),
    ...(withOutput && {
      output: { weight: config.tiedEmbeddings ? table : parameterSpec([vocab, model], normal(factor)) },
    }),
  };
}

/** A T5's forward pass, written down for one configuration. */
export function t5Graph(config: T5Config, mode: Mode) {
  const rate = mode === "training" ? config.dropout : 0;
  const { headCount, normEpsilon } = config;
  const attention = { headCount, dropout: rate, scale: 1 };

  /** x + Sublayer(RmsNorm(x)) */
  function residual(name: string, norm: RmsNorm<Tensor>, x: Tensor, sublayer: (x: Tensor) => Tensor): Tensor {
    const normalised = named(`${name}Norm`, rmsNorm(norm, x, normEpsilon));
    return named(`${name}Residual`, add(x, dropout(`${name}Dropout`, sublayer(normalised), rate)));
  }

  function feedForward(parameters: T5FeedForward<Tensor>, x: Tensor): Tensor {
    return scope("feedForward", () => {
      const activate = activations[config.activation];
      const { inner, gate, value } = parameters;
      const product =
        inner !== undefined
          ? activate(linear(inner, x))
          : multiply(activate(linear(gate!, x)), linear(value!, x));
      const hidden = dropout("innerDropout", named("inner", product), rate);
      return named("output", linear(parameters.outer, hidden));
    });
  }

  /** All layers, and the norm after them. @param layer - builds one. */
  function stack<Layer>(
    parameters: T5Stack<Tensor, Layer>,
    ids: Tensor,
    layer: (layer: Layer, x: Tensor, index: number) => Tensor,
  ): Tensor {
    const tokens = embedding(parameters.embedding, ids, false);
    let x = named("embedded", dropout("embeddingDropout", tokens, rate));
    parameters.layers.forEach((own, index) => {
      x = scope(`layers.${index}`, () => named("output", layer(own, x, index)));
    });
    const normalised = rmsNorm(parameters.finalNorm, x, normEpsilon);
    return named("output", dropout("outputDropout", normalised, rate));
  }

  /** A mask and the biases of distances together: [batch, head, query, key]. */
  function biasedMask(table: Tensor, ids: Tensor, mask: Tensor, bidirectional: boolean): Tensor {
    const [batch, sequence] = ids.dims as [Dim, Dim];
    const bias = relativeBias(table, sequence, { ...config.relativePositions, bidirectional });
    return add(expand(bias, [batch, ...bias.dims]), mask);
  }

  /**
   * Reads the source.
   * @param ids - [batch, sequence] @param present - [batch, sequence], true for what is no padding
   * @returns the memory: [batch, sequence, model]
   */
  function encode(parameters: Pick<T5<Tensor>, "encoder">, ids: Tensor, present: Tensor): Tensor {
    return scope("encoder", () => {
      const mask = biasedMask(parameters.encoder.relativePositions, ids, paddingMask(present), true);
      return stack(parameters.encoder, ids, (layer, x) => {
        const attended = residual("selfAttention", layer.selfAttentionNorm, x, (value) =>
          multiHeadAttention("selfAttention", layer.selfAttention, value, value, mask, attention),
        );
        return residual("feedForward", layer.feedForwardNorm, attended, (value) =>
          feedForward(layer.feedForward, value),
        );
      });
    });
  }

  function decoderStack(
    parameters: T5<Tensor>,
    ids: Tensor,
    toSelf: (layer: T5DecoderLayer<Tensor>, x: Tensor, index: number) => Tensor,
    toSource: (layer: T5DecoderLayer<Tensor>, x: Tensor, index: number) => Tensor,
  ): Tensor {
    return stack(parameters.decoder, ids, (layer, x, index) => {
      const ofTarget = residual("selfAttention", layer.selfAttentionNorm, x, (value) =>
        toSelf(layer, value, index),
      );
      const ofSource = residual("crossAttention", layer.crossAttentionNorm, ofTarget, (value) =>
        toSource(layer, value, index),
      );
      return residual("feedForward", layer.feedForwardNorm, ofSource, (value) =>
        feedForward(layer.feedForward, value),
      );
    });
  }

  /**
   * Reads a whole target at once, each position seeing only itself and those before it.
   * @param ids - [batch, sequence] @param memory - [batch, sequence, model], from `encode`
   * @returns hidden states: [batch, sequence, model]
   */
  function decode(
    parameters: T5<Tensor>,
    ids: Tensor,
    present: Tensor,
    memory: Tensor,
    memoryPresent: Tensor,
  ): Tensor {
    return scope("decoder", () => {
      const mask = biasedMask(parameters.decoder.relativePositions, ids, causalMask(present), false);
      const sourceMask = paddingMask(memoryPresent);
      return decoderStack(
        parameters,
        ids,
        (layer, x) => multiHeadAttention("selfAttention", layer.selfAttention, x, x, mask, attention),
        (layer, x) =>
          multiHeadAttention("crossAttention", layer.crossAttention, x, memory, sourceMask, attention),
      );
    });
  }

  /** One step of decoding with caches: see `SequenceToSequence.step`. @returns hidden states [batch, beam, model] */
  function decodeStep(
    parameters: T5<Tensor>,
    ids: Tensor,
    position: Tensor,
    past: readonly KeysAndValues[],
    pastMask: Tensor,
    source: readonly KeysAndValues[],
    sourcePresent: Tensor,
  ): { hidden: Tensor; present: KeysAndValues[] } {
    return scope("decoder", () => {
      const beam = (ids.dims[1] as Dim).name;
      const sourceMask = paddingMask(sourcePresent);
      const bias = relativeBiasOfStep(
        parameters.decoder.relativePositions,
        rename(position, { [position.dims[0]!.name]: "query" }),
        pastMask.dims[0]!,
        { ...config.relativePositions, bidirectional: false },
      );
      const biasedPast = add(bias.past, pastMask);
      const ofStep = { headCount, scale: 1, presentBias: bias.present };
      const present: KeysAndValues[] = [];
      const keep = (own: KeysAndValues) => present.push(own);
      // To the source the hypotheses of one text are so many queries: they stand where a sequence would.
      const hidden = decoderStack(
        parameters,
        rename(ids, { [beam]: "sequence" }),
        ({ selfAttention }, x, index) =>
          cachedSelfAttention("selfAttention", selfAttention, x, past[index]!, biasedPast, ofStep, keep),
        ({ crossAttention }, x, index) =>
          attentionTo("crossAttention", crossAttention, x, source[index]!, sourceMask, {
            headCount,
            scale: 1,
          }),
      );
      return { hidden: rename(hidden, { sequence: beam }), present };
    });
  }

  /** What the output's table is multiplied with. @param hidden - [..., model] */
  function outputStates(hidden: Tensor): Tensor {
    return config.tiedEmbeddings ? multiply(hidden, config.modelDim ** -0.5) : hidden;
  }

  /** Scores of the whole vocabulary. @param hidden - [..., model] @returns [..., vocab] */
  function logits(parameters: T5<Tensor>, hidden: Tensor): Tensor {
    return named("logits", contract(outputStates(hidden), parameters.output!.weight, "model"));
  }

  /** @param hidden - [batch, sequence, model] @param labels - [batch, sequence] */
  function loss({ output }: T5<Tensor>, hidden: Tensor, labels: Tensor, labelSmoothing: number): Loss {
    return classCrossEntropy(outputStates(hidden), output!, labels, labelSmoothing);
  }

  return { encode, decode, decodeStep, logits, loss };
}
