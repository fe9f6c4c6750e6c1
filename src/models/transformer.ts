import { add, contract, rename, vocabularyLoss } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import {
  attentionTo,
  cachedSelfAttention,
  causalMask,
  type KeysAndValues,
  multiHeadAttention,
  paddingMask,
} from "../nn/attention.ts";
import { type DecoderLayer, decoderLayerParameters } from "../nn/decoder.ts";
import { type EncoderLayer, encoderLayerParameters } from "../nn/encoder.ts";
import {
  dropout,
  embedding,
  embeddingParameters,
  feedForward,
  type LayerNorm,
  layerNorm,
  layerNormParameters,
} from "../nn/layers.ts";
import { normal, type ParameterSpec, parameterSpec, zeros } from "../nn/parameters.ts";
import { positionsOf, sinusoidTable } from "../nn/positions.ts";
import { encoderDecoderGeneration } from "./encoder-decoder-model.ts";
import type { TransformerConfig } from "./transformer-config.ts";

/**
 * The Transformer of "Attention Is All You Need" (Vaswani et al., 2017): an encoder reads the source, a decoder
 * writes the target, one token after another.
 */
export interface Transformer<Parameter> {
  readonly encoder: Stack<Parameter, EncoderLayer<Parameter>>;
  readonly decoder: Stack<Parameter, DecoderLayer<Parameter>>;
  /** The pre-softmax projection [vocab, model]; the very matrix of the target embedding where they are shared. */
  readonly output: { readonly weight: Parameter; readonly bias?: Parameter };
}

export interface Stack<Parameter, Layer> {
  readonly embedding: Parameter;
  /** [position, model], where positions are learned. */
  readonly positions?: Parameter;
  readonly embeddingNorm?: LayerNorm<Parameter>;
  readonly layers: readonly Layer[];
  readonly finalNorm?: LayerNorm<Parameter>;
}

/** What the parameters of a Transformer are, before they have values. */
export function transformerParameters(config: TransformerConfig): Transformer<ParameterSpec> {
  const model = dim("model", config.modelDim);
  const source = embeddingParameters(config.sourceVocabSize, model);
  const target =
    config.sharedEmbeddings === "all" ? source : embeddingParameters(config.targetVocabSize, model);
  const output =
    config.sharedEmbeddings === "none" ? embeddingParameters(config.targetVocabSize, model) : target;

  const stack = <Layer>(table: ParameterSpec, layers: readonly Layer[]): Stack<ParameterSpec, Layer> => ({
    embedding: table,
    ...(config.positions === "learned" && {
      positions: parameterSpec(
        [dim("position", config.maxPositions), model],
        normal(config.modelDim ** -0.5),
      ),
    }),
    ...(config.embeddingNorm && { embeddingNorm: layerNormParameters(model) }),
    layers,
    ...(config.finalNorm && { finalNorm: layerNormParameters(model) }),
  });
  const layers = <Layer>(count: number, layer: (model: Dim, feedForwardDim: number) => Layer): Layer[] =>
    Array.from({ length: count }, () => layer(model, config.feedForwardDim));
  return {
    encoder: stack(source, layers(config.encoderLayerCount, encoderLayerParameters)),
    decoder: stack(target, layers(config.decoderLayerCount, decoderLayerParameters)),
    output: {
      weight: output,
      ...(config.outputBias && { bias: parameterSpec([dim("vocab", config.targetVocabSize)], zeros) }),
    },
  };
}

/** Whether the graph is built for training, where dropout acts, or for use. */
export type Mode = "training" | "inference";

/** The Transformer's forward pass, written down for one configuration. */
export function transformerGraph(config: TransformerConfig, mode: Mode) {
  const training = mode === "training";
  const rates = {
    residual: training ? config.dropout : 0,
    attention: training ? config.attentionDropout : 0,
    activation: training ? config.activationDropout : 0,
  };
  const attention = { headCount: config.headCount, dropout: rates.attention };
  const inner = { activation: config.activation, dropout: rates.activation };

  /** x + Sublayer(x), with the norm after the sum (as in the paper) or before the sub-layer. */
  function residual(
    name: string,
    norm: LayerNorm<Tensor>,
    x: Tensor,
    sublayer: (x: Tensor) => Tensor,
  ): Tensor {
    const normalised = (value: Tensor) => named(`${name}Norm`, layerNorm(norm, value, config.normEpsilon));
    const entering = config.norm === "before" ? normalised(x) : x;
    const sum = named(
      `${name}Residual`,
      add(x, dropout(`${name}Dropout`, sublayer(entering), rates.residual)),
    );
    return config.norm === "before" ? sum : normalised(sum);
  }

  /** Embedding plus position. @param ids - [batch, sequence] @param positions - [sequence, model] */
  function embedTokens(stack: Stack<Tensor, unknown>, ids: Tensor, positions: Tensor): Tensor {
    const tokens = named("tokens", embedding(stack.embedding, ids, config.scaleEmbedding));
    let x = add(tokens, named("positions", positions));
    if (stack.embeddingNorm !== undefined) x = layerNorm(stack.embeddingNorm, x, config.normEpsilon);
    return named("embedded", dropout("embeddingDropout", x, rates.residual));
  }

  function positionTable(stack: Stack<Tensor, unknown>): Tensor {
    return stack.positions ?? sinusoidTable(config.maxPositions, dim("model", config.modelDim));
  }

  function finish(stack: Stack<Tensor, unknown>, x: Tensor): Tensor {
    return named(
      "output",
      stack.finalNorm === undefined ? x : layerNorm(stack.finalNorm, x, config.normEpsilon),
    );
  }

  function encoderLayer(layer: EncoderLayer<Tensor>, x: Tensor, mask: Tensor): Tensor {
    const attended = residual("selfAttention", layer.selfAttentionNorm, x, (value) =>
      multiHeadAttention("selfAttention", layer.selfAttention, value, value, mask, attention),
    );
    return residual("feedForward", layer.feedForwardNorm, attended, (value) =>
      feedForward(layer.feedForward, value, inner),
    );
  }

  /** A decoder layer; how it attends to itself and to the source is left to the caller, who may have caches. */
  function decoderLayer(
    layer: DecoderLayer<Tensor>,
    x: Tensor,
    attendToSelf: (x: Tensor) => Tensor,
    attendToSource: (x: Tensor) => Tensor,
  ): Tensor {
    const ofTarget = residual("selfAttention", layer.selfAttentionNorm, x, attendToSelf);
    const ofSource = residual("crossAttention", layer.crossAttentionNorm, ofTarget, attendToSource);
    return residual("feedForward", layer.feedForwardNorm, ofSource, (value) =>
      feedForward(layer.feedForward, value, inner),
    );
  }

  /**
   * Reads the source.
   * @param ids - [batch, sequence] @param present - [batch, sequence], true for what is no padding
   * @returns the memory: [batch, sequence, model]
   */
  function encode(parameters: Transformer<Tensor>, ids: Tensor, present: Tensor): Tensor {
    return scope("encoder", () => {
      const stack = parameters.encoder;
      const mask = paddingMask(present);
      let x = embedTokens(stack, ids, positionsOf(positionTable(stack), ids.dims[1]!));
      stack.layers.forEach((layer, index) => {
        x = scope(`layers.${index}`, () => named("output", encoderLayer(layer, x, mask)));
      });
      return finish(stack, x);
    });
  }

  /**
   * Reads a whole target at once, each position seeing only those before it (teacher forcing).
   * @param ids - [batch, sequence] @param memory - [batch, sequence, model], from `encode`
   * @returns hidden states: [batch, sequence, model]
   */
  function decode(
    parameters: Transformer<Tensor>,
    ids: Tensor,
    present: Tensor,
    memory: Tensor,
    memoryPresent: Tensor,
  ): Tensor {
    return scope("decoder", () => {
      const stack = parameters.decoder;
      const selfMask = causalMask(present);
      const sourceMask = paddingMask(memoryPresent);
      let x = embedTokens(stack, ids, positionsOf(positionTable(stack), ids.dims[1]!));
      stack.layers.forEach((layer, index) => {
        const toSelf = (value: Tensor) =>
          multiHeadAttention("selfAttention", layer.selfAttention, value, value, selfMask, attention);
        const toSource = (value: Tensor) =>
          multiHeadAttention("crossAttention", layer.crossAttention, value, memory, sourceMask, attention);
        x = scope(`layers.${index}`, () => named("output", decoderLayer(layer, x, toSelf, toSource)));
      });
      return finish(stack, x);
    });
  }

  /**
   * One step of decoding with caches.
   * @param ids - [batch, beam]: the last token of each hypothesis
   * @param position - [beam]: the place in the sequence, the same for all
   * @param past - for each layer [batch, head, query, past, headDim], where query counts the hypotheses
   * @param pastMask - [past]: 0 where the cache is filled, very negative where not
   * @param source - for each layer [batch, head, key, headDim], one copy for all beams
   * @returns hidden states [batch, beam, model], and each layer's new keys and values [batch, head, key, headDim]
   */
  function decodeStep(
    parameters: Transformer<Tensor>,
    ids: Tensor,
    position: Tensor,
    past: readonly KeysAndValues[],
    pastMask: Tensor,
    source: readonly KeysAndValues[],
    sourcePresent: Tensor,
  ): { hidden: Tensor; present: KeysAndValues[] } {
    return scope("decoder", () => {
      const stack = parameters.decoder;
      const sourceMask = paddingMask(sourcePresent);
      const beam = ids.dims[1] as Dim;
      const positions = rename(embedding(positionTable(stack), position, false), {
        [position.dims[0]!.name]: beam.name,
      });
      const present: KeysAndValues[] = [];
      const heads = { headCount: config.headCount };
      const keep = (own: KeysAndValues) => present.push(own);
      // To the source the hypotheses of one sentence are so many queries: they stand where a sequence would.
      let x = rename(embedTokens(stack, ids, positions), { [beam.name]: "sequence" });
      stack.layers.forEach((layer, index) => {
        const toSelf = (value: Tensor) =>
          cachedSelfAttention(
            "selfAttention",
            layer.selfAttention,
            value,
            past[index]!,
            pastMask,
            heads,
            keep,
          );
        const toSource = (value: Tensor) =>
          attentionTo("crossAttention", layer.crossAttention, value, source[index]!, sourceMask, heads);
        x = scope(`layers.${index}`, () => decoderLayer(layer, x, toSelf, toSource));
      });
      return { hidden: rename(finish(stack, x), { sequence: beam.name }), present };
    });
  }

  /** Scores of the whole vocabulary. @param hidden - [..., model] @returns [..., vocab] */
  function logits(parameters: Transformer<Tensor>, hidden: Tensor): Tensor {
    const scores = contract(hidden, parameters.output.weight, "model");
    return named(
      "logits",
      parameters.output.bias === undefined ? scores : add(scores, parameters.output.bias),
    );
  }

  /**
   * The cross-entropy of the labels, summed over all that are no padding.
   * @param hidden - [batch, sequence, model] @param labels - [batch, sequence]
   */
  function loss(
    parameters: Transformer<Tensor>,
    hidden: Tensor,
    labels: Tensor,
    labelSmoothing: number,
  ): Tensor {
    const { weight, bias } = parameters.output;
    return named(
      "loss",
      vocabularyLoss(hidden, weight, labels, bias, { labelSmoothing, ignoreId: config.padTokenId }),
    );
  }

  return { encode, decode, decodeStep, logits, loss };
}

/** The Transformer as something that targets can be generated with, from sources, one token at a time. */
export function transformerGeneration(config: TransformerConfig) {
  const { headCount, decoderLayerCount: layerCount } = config;
  const sizes = { ...config, headCount, layerCount, headDim: config.modelDim / headCount };
  return encoderDecoderGeneration(
    sizes,
    transformerParameters(config),
    transformerGraph(config, "inference"),
  );
}
