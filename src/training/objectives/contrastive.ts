import {
  cast,
  contract,
  divide,
  equal,
  input,
  multiply,
  not,
  range,
  rename,
  scalar,
  sum,
} from "../../graph/build.ts";
import { dim } from "../../graph/dims.ts";
import { named, scope } from "../../graph/scope.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { InputName, Mode, Model } from "../../models/family.ts";
import { firstPosition } from "../../nn/heads.ts";
import { placeCrossEntropy, unitVectors } from "../../nn/losses.ts";
import type { Objective } from "../learner.ts";
import type { ModelBatch } from "./model-objective.ts";

/** The two texts of a pair; their inputs are called `first.inputIds`, `second.inputIds` and so on. */
export const pairSides = ["first", "second"] as const;

export interface ContrastiveOptions {
  /** How a text's vectors become one: the mean of its tokens' or its first token's. */
  readonly pooling: "mean" | "cls";
  /** Cosines are multiplied with this before the softmax. */
  readonly scale: number;
}

/**
 * Vectors of texts that belong together shall be nearer than those of all other texts of the batch: the cross-entropy
 * of finding each first text's partner among all second ones by scale · cosine. Both sides of a batch are filled up to
 * one length.
 * Source: Henderson et al., 2017, 4 (in-batch negatives); Reimers and Gurevych, 2019 (pooling).
 */
export function contrastiveObjective(
  model: Model,
  { pooling, scale }: ContrastiveOptions,
  mode: Mode = "training",
): Objective<unknown, ModelBatch> {
  const vectorsOf = (side: string, parameters: unknown): Tensor =>
    scope(side, () => {
      const inputs: { [Name in InputName]?: Tensor } = {};
      for (const [name, { dims, dtype }] of Object.entries(model.inputs)) {
        inputs[name as InputName] = input(`${side}.${name}`, dims, dtype);
      }
      const hidden = model.forward(parameters, inputs, mode).lastHiddenState!;
      const pooled = pooling === "cls" ? firstPosition(hidden) : meanOfPresent(hidden, inputs.attentionMask!);
      return named("vector", unitVectors(pooled, "model"));
    });
  return {
    parameters: model.parameters,
    loss(parameters) {
      const [first, second] = pairSides.map((side) => vectorsOf(side, parameters)) as [Tensor, Tensor];
      const candidates = rename(second, { batch: "candidate" });
      const scores = named("scores", multiply(contract(first, candidates, "model"), scale));
      return placeCrossEntropy(scores, range(dim("batch", scores.dims[0]!.size))).sum;
    },
    feeds: ({ inputs }) => inputs,
    count: ({ count }) => count,
  };
}

/** The mean of a text's vectors. @param hidden - [batch, sequence, model] @param mask - [batch, sequence] */
function meanOfPresent(hidden: Tensor, mask: Tensor): Tensor {
  const present = cast(not(equal(mask, scalar(0, "int32"))), "float32");
  return divide(contract(hidden, present, "sequence"), sum(present, ["sequence"]));
}
