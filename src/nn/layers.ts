import {
  add,
  contract,
  dropoutMask,
  embed,
  gelu,
  layerNormOutputs,
  multiply,
  relu,
  sigmoid,
  tanh,
} from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import { currentScope, joinAddress, named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type LowRankAdapter, lowRankChange } from "./lora.ts";
import {
  type Initializer,
  normal,
  ones,
  type ParameterSpec,
  parameterSpec,
  xavierUniform,
  zeros,
} from "./parameters.ts";

/** y = x · Wᵀ + b; the weight is kept as [outputs, inputs]. */
export interface Linear<Parameter> {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly adapter?: LowRankAdapter<Parameter>;
}

export function linearParameters(
  inputs: Dim,
  outputs: Dim,
  weight: Initializer = xavierUniform(),
): Linear<ParameterSpec> {
  return { weight: parameterSpec([outputs, inputs], weight), bias: parameterSpec([outputs], zeros) };
}

/** The same, maybe without the bias. */
export interface Projection<Parameter> {
  readonly weight: Parameter;
  readonly bias?: Parameter;
  readonly adapter?: LowRankAdapter<Parameter>;
}

/**
 * @param x - [..., inputs]
 * @param inputs - the name of the weight's axis that is summed over. Default: its second.
 * @returns [..., outputs]
 */
export function linear(
  { weight, bias, adapter }: Projection<Tensor>,
  x: Tensor,
  inputs = weight.dims[1]!.name,
): Tensor {
  const product = contract(x, weight, inputs);
  const own = bias === undefined ? product : add(product, bias);
  return adapter === undefined ? own : add(own, lowRankChange(adapter, x));
}

/** gain · (x - mean) / sqrt(variance + epsilon) + bias over the last axis. Source: Ba, Kiros and Hinton, 2016. */
export interface LayerNorm<Parameter> {
  readonly gain: Parameter;
  readonly bias: Parameter;
}

export function layerNormParameters(model: Dim): LayerNorm<ParameterSpec> {
  return { gain: parameterSpec([model], ones), bias: parameterSpec([model], zeros) };
}

/** @param x - [..., model] @returns [..., model] */
export function layerNorm(parameters: LayerNorm<Tensor>, x: Tensor, epsilon: number): Tensor {
  return layerNormOutputs(x, parameters.gain, parameters.bias, epsilon)[0]!;
}

/**
 * Zeroes elements with probability `rate` and scales the others by 1 / (1 - rate). With rate 0, x itself.
 * @param name - tells the places of one layer apart, so that each has a mask of its own.
 * Source: Srivastava et al., 2014.
 */
export function dropout(name: string, x: Tensor, rate: number): Tensor {
  return rate === 0 ? x : multiply(x, dropoutMask(joinAddress(currentScope(), name), rate, x.dims));
}

/**
 * What stands between two linear layers: `gelu` is x · Φ(x), `geluTanh` its approximation
 * 1/2 · x · (1 + tanh(sqrt(2 / pi) · (x + 0.044715 · x³))), `silu` is x · sigmoid(x).
 * Source: Hendrycks and Gimpel, 2016.
 */
export const activations = {
  relu,
  gelu: (x: Tensor) => gelu(x),
  geluTanh: (x: Tensor) => gelu(x, "tanh"),
  silu: (x: Tensor) => multiply(x, sigmoid(x)),
  tanh,
} as const;
export type ActivationName = keyof typeof activations;

/** FFN(x) = activation(x · W1 + b1) · W2 + b2, at each position by itself. Source: Vaswani et al., 2017, 3.3. */
export interface FeedForward<Parameter> {
  readonly inner: Linear<Parameter>;
  readonly outer: Linear<Parameter>;
}

export function feedForwardParameters(
  model: Dim,
  feedForwardDim: number,
  weight?: Initializer,
): FeedForward<ParameterSpec> {
  const feedForward = dim("feedForward", feedForwardDim);
  return {
    inner: linearParameters(model, feedForward, weight),
    outer: linearParameters(feedForward, model, weight),
  };
}

/** @param x - [..., model] @returns [..., model] */
export function feedForward(
  parameters: FeedForward<Tensor>,
  x: Tensor,
  options: { activation: ActivationName; dropout: number },
): Tensor {
  return scope("feedForward", () => {
    const inner = named("inner", activations[options.activation](linear(parameters.inner, x)));
    return named("output", linear(parameters.outer, dropout("innerDropout", inner, options.dropout)));
  });
}

/** A table of one vector for each token: [vocab, model], at first normal with deviation model^-1/2. */
export function embeddingParameters(vocabSize: number, model: Dim): ParameterSpec {
  return parameterSpec([dim("vocab", vocabSize), model], normal((model.size as number) ** -0.5));
}

/** The vectors of the ids, times sqrt(model) where `scaled`. @param ids - [...] @returns [..., model] */
export function embedding(table: Tensor, ids: Tensor, scaled: boolean): Tensor {
  const vectors = embed(table, ids);
  return scaled ? multiply(vectors, Math.sqrt(table.dims[1]!.size as number)) : vectors;
}
