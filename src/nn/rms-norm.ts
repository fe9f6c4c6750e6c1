import { add, mean, multiply, reciprocal, sqrt } from "../graph/build.ts";
import type { Dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import { ones, type ParameterSpec, parameterSpec } from "./parameters.ts";

/** gain · x / sqrt(mean(x²) + epsilon) over the last axis: no mean is taken away. Source: Zhang and Sennrich, 2019. */
export interface RmsNorm<Parameter> {
  readonly gain: Parameter;
}

export function rmsNormParameters(model: Dim): RmsNorm<ParameterSpec> {
  return { gain: parameterSpec([model], ones) };
}

/** @param x - [..., model] @returns [..., model] */
export function rmsNorm(parameters: RmsNorm<Tensor>, x: Tensor, epsilon: number): Tensor {
  const meanSquare = mean(multiply(x, x), [x.dims.at(-1)!.name]);
  return multiply(multiply(x, reciprocal(sqrt(add(meanSquare, epsilon)))), parameters.gain);
}
