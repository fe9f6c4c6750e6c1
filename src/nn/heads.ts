import { add, cast, contract, equal, mergeDims, range, rename, scalar, split } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import {
  type ActivationName,
  activations,
  type LayerNorm,
  type Linear,
  layerNorm,
  layerNormParameters,
  linear,
  linearParameters,
} from "./layers.ts";
import { type Initializer, type ParameterSpec, parameterSpec, zeros } from "./parameters.ts";

/**
 * Guesses tokens that were hidden: LayerNorm(activation(x · W + b)) · Eᵀ + c, where E is the table of embeddings.
 * Source: Devlin et al., 2019, 3.1, as its code has it.
 */
export interface VocabularyHead<Parameter> {
  readonly transform: Linear<Parameter>;
  readonly norm: LayerNorm<Parameter>;
  /** The table of embeddings itself, [vocab, model], where it is tied; and a bias of its own. */
  readonly output: Linear<Parameter>;
}

/** @param table - the table of embeddings, [vocab, model]; nothing for a projection of its own */
export function vocabularyHeadParameters(
  vocabSize: number,
  modelDim: number,
  weight: Initializer,
  table?: ParameterSpec,
): VocabularyHead<ParameterSpec> {
  const model = dim("model", modelDim);
  const vocab = dim("vocab", vocabSize);
  return {
    transform: linearParameters(model, dim("transformed", modelDim), weight),
    norm: layerNormParameters(model),
    output: {
      weight: table ?? parameterSpec([vocab, model], weight),
      bias: parameterSpec([vocab], zeros),
    },
  };
}

/**
 * @param x - [batch, sequence, model]
 * @returns what the projection reads, [batch, sequence, model], and its scores, [batch, sequence, vocab]
 */
export function vocabularyHead(
  parameters: VocabularyHead<Tensor>,
  x: Tensor,
  options: { activation: ActivationName; normEpsilon: number },
): { transformed: Tensor; logits: Tensor } {
  const transformed = scope("vocabularyHead", () => {
    const inner = named("inner", activations[options.activation](linear(parameters.transform, x)));
    return named(
      "output",
      layerNorm(parameters.norm, rename(inner, { transformed: "model" }), options.normEpsilon),
    );
  });
  const scores = contract(transformed, parameters.output.weight, "model");
  return { transformed, logits: named("logits", add(scores, parameters.output.bias)) };
}

/** A linear layer that scores each token as the first and as the last of an answer. */
export function spanHeadParameters(model: Dim, weight: Initializer): Linear<ParameterSpec> {
  return linearParameters(model, dim("span", 2), weight);
}

/** @param x - [batch, sequence, model] @returns scores of each position, both [batch, sequence] */
export function spanHead(parameters: Linear<Tensor>, x: Tensor): { startLogits: Tensor; endLogits: Tensor } {
  const parts = split(linear(parameters, x), "span", [dim("start", 1), dim("end", 1)]);
  const [start, end] = parts.map((part) => mergeDims(part, ["sequence", part.dims[2]!.name], "sequence"));
  return { startLogits: named("startLogits", start!), endLogits: named("endLogits", end!) };
}

/** The first position of each row. @param x - [batch, sequence, model] @returns [batch, model] */
export function firstPosition(x: Tensor): Tensor {
  const sequence = x.dims[1]!;
  // As a product, since a cut along an axis of unknown length would have no gradient.
  const isFirst = cast(equal(range(sequence), scalar(0, "int32")), "float32");
  return contract(x, isFirst, sequence.name);
}
