import { add, cast, contract, range, rename } from "../graph/build.ts";
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
import { type DecoderLayer, decoderLayer, decoderLayerParameters } from "../nn/decoder.ts";
import {
  type EncoderLayer,
  type EncoderOptions,
  encoderLayer,
  encoderLayerParameters,
} from "../nn/encoder.ts";
import {
  type ActivationName,
  dropout,
  embedding,
  type LayerNorm,
  layerNorm,
  layerNormParameters,
} from "../nn/layers.ts";
import { classCrossEntropy } from "../nn/losses.ts";
import { normal, type ParameterSpec, parameterSpec, zeros } from "../nn/parameters.ts";
import { halvedSinusoidTable } from "../nn/positions.ts";
import type { EncoderDecoderSizes } from "./encoder-decoder.ts";
import type { Loss, Mode, ModelConfig } from "./family.ts";

/** The sizes and choices of an encoder-decoder of BART's kind, of which Marian's is one. */
export interface BartConfig extends ModelConfig, EncoderDecoderSizes {
  readonly layerCount: number;
  readonly maxPositions: number;
  readonly padTokenId: number;
  readonly eosTokenId: number;
  /** Of the encoder. */
  readonly headCount: number;
  readonly feedForwardDim: number;
  readonly decoderHeadCount: number;
  readonly decoderFeedForwardDim: number;
  /** Learned tables, or sinusoids: first the sines, then the cosines. */
  readonly positions: "learned" | "sinusoidal";
  /** Whether the embeddings are normalised before the first layer. */
  readonly embeddingNorm: boolean;
  /** Whether the tokens' vectors are multiplied with sqrt(modelDim). */
  readonly scaleEmbedding: boolean;
  readonly activation: ActivationName;
  readonly initialDeviation: number;
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly activationDropout: number;
}

const normEpsilon = 1e-5;
/** BART's tables of positions begin with two rows that are not used. */
const unusedPositions = 2;

/**
 * The encoder-decoder of "BART: Denoising Sequence-to-Sequence Pre-training" (Lewis et al., 2020): the Transformer
 * with one table of embeddings for source, target and output.
 */
export interface Bart<Parameter> {
  readonly encoder: BartStack<Parameter, EncoderLayer<Parameter>>;
  readonly decoder: BartStack<Parameter, DecoderLayer<Parameter>>;
  /** The table of embeddings, and a number for each token. */
  readonly output?: { readonly weight: Parameter; readonly bias: Parameter };
}

export interface BartStack<Parameter, Layer> {
  /** [vocab, model] */
  readonly embedding: Parameter;
  /** [position, model], where positions are learned. */
  readonly positions?: Parameter;
  readonly embeddingNorm?: LayerNorm<Parameter>;
  readonly layers: readonly Layer[];
}

/** What the parameters of a BART are, before they have values. */
export function bartParameters(config: BartConfig, withOutput: boolean): Bart<ParameterSpec> {
  const weight = normal(config.initialDeviation);
  const model = dim("model", config.modelDim);
  const vocab = dim("vocab", config.vocabSize);
  const table = parameterSpec([vocab, model], weight);
  const stack = <Layer>(layers: readonly Layer[]): BartStack<ParameterSpec, Layer> => ({
    embedding: table,
    ...(config.positions === "learned" && {
      positions: parameterSpec([dim("position", config.maxPositions + unusedPositions), model], weight),
    }),
    ...(config.embeddingNorm && { embeddingNorm: layerNormParameters(model) }),
    layers,
  });
  return {
    encoder: stack(
      Array.from({ length: config.layerCount }, () =>
        encoderLayerParameters(model, config.feedForwardDim, weight),
      ),
    ),
    decoder: stack(
      Array.from({ length: config.decoderLayerCount }, () =>
        decoderLayerParameters(model, config.decoderFeedForwardDim, weight),
      ),
    ),
    ...(withOutput && { output: { weight: table, bias: parameterSpec([vocab], zeros) } }),
  };
}

/** A BART's forward pass, written down for one configuration. */
export function bartGraph(config: BartConfig, mode: Mode) {
  const rate = (value: number) => (mode === "training" ? value : 0);
  const optionsOf = (headCount: number): EncoderOptions => ({
    headCount,
    activation: config.activation,
    normEpsilon,
    dropout: rate(config.dropout),
    attentionDropout: rate(config.attentionDropout),
    activationDropout: rate(config.activationDropout),
  });
  const encoderOptions = optionsOf(config.headCount);
  const decoderOptions = optionsOf(config.decoderHeadCount);
  const attention = { headCount: config.decoderHeadCount, dropout: decoderOptions.attentionDropout };

  /** The vectors of positions. @param positions - [sequence] @returns [sequence, model] */
  function positionVectors(stack: BartStack<Tensor, unknown>, positions: Tensor): Tensor {
    if (stack.positions === undefined) {
      return embedding(
        halvedSinusoidTable(config.maxPositions, dim("model", config.modelDim)),
        positions,
        false,
      );
    }
    const rows = cast(add(cast(positions, "float32"), unusedPositions), "int32");
    return embedding(stack.positions, rows, false);
  }

  /** @param ids - [batch, sequence] @param positions - [sequence] */
  function embed(stack: BartStack<Tensor, unknown>, ids: Tensor, positions: Tensor): Tensor {
    const tokens = named("tokens", embedding(stack.embedding, ids, config.scaleEmbedding));
    const sum = add(tokens, named("positions", positionVectors(stack, positions)));
    const x = stack.embeddingNorm === undefined ? sum : layerNorm(stack.embeddingNorm, sum, normEpsilon);
    return named("embedded", dropout("embeddingDropout", x, rate(config.dropout)));
  }

  /**
   * Reads the source.
   * @param ids - [batch, sequence] @param present - [batch, sequence], true for what is no padding
   * @returns the memory: [batch, sequence, model]
   */
  function encode(parameters: Bart<Tensor>, ids: Tensor, present: Tensor): Tensor {
    return scope("encoder", () => {
      const mask = paddingMask(present);
      let x = embed(parameters.encoder, ids, range(ids.dims[1]!));
      parameters.encoder.layers.forEach((layer, index) => {
        x = scope(`layers.${index}`, () => named("output", encoderLayer(layer, x, mask, encoderOptions)));
      });
      return named("output", x);
    });
  }

  /**
   * Reads a whole target at once, each position seeing only itself and those before it.
   * @param ids - [batch, sequence] @param memory - [batch, sequence, model], from `encode`
   * @returns hidden states: [batch, sequence, model]
   */
  function decode(
    parameters: Bart<Tensor>,
    ids: Tensor,
    present: Tensor,
    memory: Tensor,
    memoryPresent: Tensor,
  ): Tensor {
    return scope("decoder", () => {
      const selfMask = causalMask(present);
      const sourceMask = paddingMask(memoryPresent);
      let x = embed(parameters.decoder, ids, range(ids.dims[1]!));
      parameters.decoder.layers.forEach((layer, index) => {
        const toSelf = (value: Tensor) =>
          multiHeadAttention("selfAttention", layer.selfAttention, value, value, selfMask, attention);
        const toSource = (value: Tensor) =>
          multiHeadAttention("crossAttention", layer.crossAttention, value, memory, sourceMask, attention);
        x = scope(`layers.${index}`, () =>
          named("output", decoderLayer(layer, x, toSelf, toSource, decoderOptions)),
        );
      });
      return named("output", x);
    });
  }

  /** One step of decoding with caches: see `SequenceToSequence.step`. @returns hidden states [batch, beam, model] */
  function decodeStep(
    parameters: Bart<Tensor>,
    ids: Tensor,
    position: Tensor,
    past: readonly KeysAndValues[],
    pastMask: Tensor,
    source: readonly KeysAndValues[],
    sourcePresent: Tensor,
  ): { hidden: Tensor; present: KeysAndValues[] } {
    return scope("decoder", () => {
      const heads = { headCount: config.decoderHeadCount };
      const sourceMask = paddingMask(sourcePresent);
      const beam = (ids.dims[1] as Dim).name;
      const present: KeysAndValues[] = [];
      const keep = (own: KeysAndValues) => present.push(own);
      // To the source the hypotheses of one text are so many queries: they stand where a sequence would.
      const asSequence = (x: Tensor) => rename(x, { [x.dims.at(-1)!.name]: "sequence" });
      let x = embed(parameters.decoder, asSequence(ids), asSequence(position));
      parameters.decoder.layers.forEach((layer, index) => {
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
        x = scope(`layers.${index}`, () =>
          named("output", decoderLayer(layer, x, toSelf, toSource, decoderOptions)),
        );
      });
      return { hidden: rename(named("output", x), { sequence: beam }), present };
    });
  }

  /** Scores of the whole vocabulary. @param hidden - [..., model] @returns [..., vocab] */
  function logits({ output }: Bart<Tensor>, hidden: Tensor): Tensor {
    return named("logits", add(contract(hidden, output!.weight, "model"), output!.bias));
  }

  /** @param hidden - [batch, sequence, model] @param labels - [batch, sequence] */
  function loss({ output }: Bart<Tensor>, hidden: Tensor, labels: Tensor, labelSmoothing: number): Loss {
    return classCrossEntropy(hidden, output!, labels, labelSmoothing);
  }

  return { encode, decode, decodeStep, logits, loss };
}
