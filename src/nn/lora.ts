import { contract, dropoutMask, multiply } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type Initializer, type ParameterSpec, parameterSpec, zeros } from "./parameters.ts";

/**
 * What a linear layer learns instead of its weight W, which stays: y = x · Wᵀ + scale · x · Aᵀ · Bᵀ.
 * Source: Hu et al., 2022, "LoRA: Low-Rank Adaptation of Large Language Models", 4.1.
 */
export interface LowRankAdapter<Parameter> {
  /** A, [rank, inputs] */
  readonly down: Parameter;
  /** B, [outputs, rank] */
  readonly up: Parameter;
  /** alpha / rank, or alpha / sqrt(rank). */
  readonly scale: number;
  /** Of x, before A; only while it is learned. */
  readonly dropout?: { readonly address: string; readonly rate: number };
}

/** An adapter that changes nothing yet: A is uniform in ±1 / sqrt(inputs), as PEFT has it, and B is zero. */
export function lowRankAdapterParameters(
  inputs: Dim,
  outputs: Dim,
  rank: number,
  scale: number,
): LowRankAdapter<ParameterSpec> {
  const middle = dim("rank", rank);
  return {
    down: parameterSpec([middle, inputs], kaimingUniform),
    up: parameterSpec([outputs, middle], zeros),
    scale,
  };
}

/** Kaiming's uniform bound gain · sqrt(3 / inputs) with the gain of a leaky ReLU of slope sqrt(5). */
const kaimingUniform: Initializer = (shape, random) => {
  const bound = 1 / Math.sqrt(shape[1]!);
  return Float32Array.from({ length: shape[0]! * shape[1]! }, () => (2 * random.uniform() - 1) * bound);
};

/** What an adapter adds to its layer's output. @param x - [..., inputs] @returns [..., outputs] */
export function lowRankChange({ down, up, scale, dropout }: LowRankAdapter<Tensor>, x: Tensor): Tensor {
  const entering =
    dropout === undefined ? x : multiply(x, dropoutMask(dropout.address, dropout.rate, x.dims));
  return contract(contract(entering, down, down.dims[1]!.name), up, "rank", scale);
}
