import {
  add,
  contract,
  mergeDims,
  rename,
  slice,
  split,
  splitDim,
  transpose,
  vocabularyLoss,
} from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import { attend, attendWithCache, causalMask, type KeysAndValues } from "../nn/attention.ts";
import {
  activations,
  dropout,
  embedding,
  type LayerNorm,
  type Linear,
  layerNorm,
  layerNormParameters,
  linear,
} from "../nn/layers.ts";
import { normal, type ParameterSpec, parameterSpec, zeros } from "../nn/parameters.ts";
import { positionsOf } from "../nn/positions.ts";
import type { Generation } from "./generative.ts";
import type { Gpt2Config } from "./gpt2-config.ts";

/**
 * The decoder-only Transformer of "Language Models are Unsupervised Multitask Learners" (Radford et al., 2019):
 * it reads a text and, at every position, predicts the next token.
 */
export interface Gpt2<Parameter> {
  /** [vocab, model]; also the projection to the vocabulary, where that has no table of its own. */
  readonly embedding: Parameter;
  /** [position, model] */
  readonly positions: Parameter;
  readonly layers: readonly Gpt2Layer<Parameter>[];
  readonly finalNorm: LayerNorm<Parameter>;
  /** [vocab, model] */
  readonly output?: Parameter;
}

export interface Gpt2Layer<Parameter> {
  readonly attentionNorm: LayerNorm<Parameter>;
  readonly attention: {
    /** Queries, keys and values side by side: [model, 3 · model]. */
    readonly queryKeyValue: Projection<Parameter>;
    readonly output: Projection<Parameter>;
  };
  readonly feedForwardNorm: LayerNorm<Parameter>;
  readonly feedForward: { readonly inner: Projection<Parameter>; readonly outer: Projection<Parameter> };
}

/** y = x · W + b; the weight is kept as [inputs, outputs], as in GPT-2's checkpoints. */
export type Projection<Parameter> = Linear<Parameter>;

/**
 * What the parameters of a GPT-2 are, before they have values. Source: Radford et al., 2019, 2.3.
 * @param withOutput - whether the projection to the vocabulary belongs to it
 */
export function gpt2Parameters(config: Gpt2Config, withOutput = true): Gpt2<ParameterSpec> {
  const deviation = config.initialDeviation ?? 0.02;
  // Two sub-layers of every layer add to the residual stream; their sum begins no larger than one would.
  const residualDeviation = deviation / Math.sqrt(2 * config.layerCount);
  const model = dim("model", config.modelDim);
  const context = dim("context", config.modelDim);
  const feedForward = dim("feedForward", config.feedForwardDim);
  const projection = (inputs: Dim, outputs: Dim, spread: number): Projection<ParameterSpec> => ({
    weight: parameterSpec([inputs, outputs], normal(spread)),
    bias: parameterSpec([outputs], zeros),
  });
  const layer = (): Gpt2Layer<ParameterSpec> => ({
    attentionNorm: layerNormParameters(model),
    attention: {
      queryKeyValue: projection(model, dim("queryKeyValue", 3 * config.modelDim), deviation),
      output: projection(context, model, residualDeviation),
    },
    feedForwardNorm: layerNormParameters(model),
    feedForward: {
      inner: projection(model, feedForward, deviation),
      outer: projection(feedForward, model, residualDeviation),
    },
  });
  const table = () => parameterSpec([dim("vocab", config.vocabSize), model], normal(deviation));
  return {
    embedding: table(),
    positions: parameterSpec([dim("position", config.maxPositions), model], normal(deviation)),
    layers: Array.from({ length: config.layerCount }, layer),
    finalNorm: layerNormParameters(model),
    ...(withOutput && config.untied && { output: table() }),
  };
}

/** @param x - [..., inputs] @returns [..., outputs] */
function project(parameters: Projection<Tensor>, x: Tensor): Tensor {
  return linear(parameters, x, parameters.weight.dims[0]!.name);
}

/** GPT-2's forward pass, written down for one configuration; dropout acts where the mode is "training". */
export function gpt2Graph(config: Gpt2Config, mode: "training" | "inference") {
  const rate = (value: number) => (mode === "training" ? value : 0);
  const context = dim("context", config.modelDim);
  const headDim = config.modelDim / config.headCount;
  const heads = [dim("head", config.headCount), dim("headDim", headDim)];

  /** What the scores of a layer's attention are multiplied with. */
  function scaleOf(layer: number): number {
    return 1 / (config.unscaledAttention ? 1 : Math.sqrt(headDim)) / (config.scaledByLayer ? layer + 1 : 1);
  }

  /** [batch, sequence, context] as [batch, head, sequence, headDim], the sequence under another name. */
  function splitHeads(x: Tensor, sequenceName: string): Tensor {
    const byHead = splitDim(rename(x, { sequence: sequenceName }), "context", heads);
    return transpose(byHead, ["batch", "head", sequenceName, "headDim"]);
  }

  /** The heads' results side by side. @param x - [batch, head, query, headDim] @returns [batch, sequence, context] */
  function joinHeads(x: Tensor): Tensor {
    const side = transpose(rename(x, { query: "sequence" }), ["batch", "sequence", "head", "headDim"]);
    return mergeDims(side, ["head", "headDim"], "context");
  }

  /**
   * Each position attends to itself and those before.
   * @param x - [batch, sequence, model] @param read - attends with queries to keys and values, all by head
   */
  function selfAttention(
    parameters: Gpt2Layer<Tensor>["attention"],
    x: Tensor,
    read: (queries: Tensor, own: KeysAndValues) => Tensor,
  ): Tensor {
    return scope("attention", () => {
      const parts = split(project(parameters.queryKeyValue, x), "queryKeyValue", [context, context, context]);
      const [queries, keys, values] = parts as [Tensor, Tensor, Tensor];
      const result = read(named("queries", splitHeads(queries, "query")), {
        keys: named("keys", splitHeads(keys, "key")),
        values: named("values", splitHeads(values, "key")),
      });
      return named("output", project(parameters.output, joinHeads(named("context", result))));
    });
  }

  function feedForward(parameters: Gpt2Layer<Tensor>["feedForward"], x: Tensor): Tensor {
    return scope("feedForward", () => {
      const inner = named("inner", activations[config.activation](project(parameters.inner, x)));
      return named("output", project(parameters.outer, inner));
    });
  }

  /** x + Sublayer(LayerNorm(x)) */
  function residual(
    name: string,
    norm: LayerNorm<Tensor>,
    x: Tensor,
    sublayer: (x: Tensor) => Tensor,
  ): Tensor {
    const normalised = named(`${name}Norm`, layerNorm(norm, x, config.normEpsilon));
    const change = dropout(`${name}Dropout`, sublayer(normalised), rate(config.residualDropout));
    return named(`${name}Residual`, add(x, change));
  }

  /**
   * All layers, and the norm after them.
   * @param ids - [batch, sequence] @param positions - [sequence, model] or [batch, sequence, model]
   * @param read - attends in a layer with queries to keys and values, all by head
   */
  function stack(
    parameters: Gpt2<Tensor>,
    ids: Tensor,
    positions: Tensor,
    read: (queries: Tensor, own: KeysAndValues, layer: number) => Tensor,
  ): Tensor {
    const tokens = named("tokens", embedding(parameters.embedding, ids, false));
    let x = named(
      "embedded",
      dropout("embeddingDropout", add(tokens, named("positions", positions)), rate(config.embeddingDropout)),
    );
    parameters.layers.forEach((layer, index) => {
      x = scope(`layers.${index}`, () => {
        const attended = residual("attention", layer.attentionNorm, x, (value) =>
          selfAttention(layer.attention, value, (queries, own) => read(queries, own, index)),
        );
        const changed = residual("feedForward", layer.feedForwardNorm, attended, (value) =>
          feedForward(layer.feedForward, value),
        );
        return named("output", changed);
      });
    });
    return named("output", layerNorm(parameters.finalNorm, x, config.normEpsilon));
  }

  /**
   * Reads a text, each position seeing only itself and those before it.
   * @param ids - [batch, sequence] @param present - [batch, sequence], true for what is no padding
   * @param positions - [batch, sequence]; default: 0, 1, 2 ...
   * @param keep - receives each layer's keys and values
   * @returns hidden states: [batch, sequence, model]
   */
  function hidden(
    parameters: Gpt2<Tensor>,
    ids: Tensor,
    present: Tensor,
    positions?: Tensor,
    keep?: (own: KeysAndValues) => void,
  ): Tensor {
    const mask = causalMask(present);
    const vectors =
      positions === undefined
        ? positionsOf(parameters.positions, ids.dims[1]!)
        : embedding(parameters.positions, positions, false);
    return stack(parameters, ids, vectors, (queries, own, layer) => {
      keep?.(own);
      return attend(queries, own, mask, rate(config.attentionDropout), scaleOf(layer));
    });
  }

  /**
   * One step of several hypotheses with caches: see `CausalLanguageModel.step`.
   * @returns hidden states [batch, beam, model], and each layer's new keys and values [batch, head, key, headDim]
   */
  function decodeStep(
    parameters: Gpt2<Tensor>,
    ids: Tensor,
    positions: Tensor,
    prompt: readonly KeysAndValues[],
    promptMask: Tensor,
    past: readonly KeysAndValues[],
    pastMask: Tensor,
  ): { hidden: Tensor; present: KeysAndValues[] } {
    const present: KeysAndValues[] = [];
    const beam = ids.dims[1]!.name;
    // The hypotheses of one text stand where a sequence would: to the prompt they are so many queries.
    const asSequence = (x: Tensor) => rename(x, { [beam]: "sequence" });
    const vectors = embedding(parameters.positions, asSequence(positions), false);
    const states = stack(parameters, asSequence(ids), vectors, (queries, own, layer) => {
      present.push(own);
      return attendWithCache(queries, past[layer]!, own, pastMask, {
        scale: scaleOf(layer),
        prompt: { ...prompt[layer]!, mask: promptMask },
      });
    });
    return { hidden: rename(states, { sequence: beam }), present };
  }

  /** The projection to the vocabulary: [vocab, model]. */
  function outputTable(parameters: Gpt2<Tensor>): Tensor {
    return parameters.output ?? parameters.embedding;
  }

  /** Scores of the whole vocabulary. @param states - [..., model] @returns [..., vocab] */
  function logits(parameters: Gpt2<Tensor>, states: Tensor): Tensor {
    return named("logits", contract(states, outputTable(parameters), "model"));
  }

  /**
   * The cross-entropy of the labels, summed over all that are not `ignoreId`.
   * @param states - [batch, sequence, model] @param labels - [batch, sequence]
   */
  function loss(parameters: Gpt2<Tensor>, states: Tensor, labels: Tensor, ignoreId: number): Tensor {
    const options = { labelSmoothing: 0, ignoreId };
    return named("loss", vocabularyLoss(states, outputTable(parameters), labels, undefined, options));
  }

  return { hidden, decodeStep, outputTable, logits, loss };
}

/** GPT-2 as something that goes on from prompts, one token at a time. */
export function gpt2Generation(
  config: Gpt2Config,
  parameters: Gpt2<ParameterSpec>,
): Generation<Gpt2<ParameterSpec>> {
  const model = gpt2Graph(config, "inference");
  return {
    kind: "causal",
    parameters,
    layerCount: config.layerCount,
    headCount: config.headCount,
    headDim: config.modelDim / config.headCount,
    maxPositions: config.maxPositions,
    // What is padding is never looked at; it only must be a token.
    padTokenId: 0,
    eosTokenId: config.eosTokenId,
    prompt(values: Gpt2<Tensor>, ids, positions, present) {
      const kept: KeysAndValues[] = [];
      const states = model.hidden(values, ids, present, positions, (own) => kept.push(own));
      const last = slice(states, "sequence", -1, undefined, dim("sequence", 1));
      return { logits: model.logits(values, mergeDims(last, ["batch", "sequence"], "batch")), present: kept };
    },
    step(values: Gpt2<Tensor>, ...rest) {
      const { hidden, present } = model.decodeStep(values, ...rest);
      return { logits: model.logits(values, hidden), present };
    },
  };
}
