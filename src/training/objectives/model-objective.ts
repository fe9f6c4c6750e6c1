import type { Tensor } from "../../graph/tensor.ts";
import type { HostInput, Mode, Model } from "../../models/family.ts";
import { inputTensors } from "../../models/inputs.ts";
import { QkvError } from "../../util/errors.ts";
import type { Objective } from "../learner.ts";

/** A batch as a model is fed, labels included, with the number of things that its loss sums over. */
export interface ModelBatch {
  /** Everything that the graph is fed, by name. */
  readonly inputs: Readonly<Record<string, HostInput>>;
  readonly count: number;
}

/**
 * A model's own loss as what is learned: that of its head, as Hugging Face defines it.
 * @throws QkvError "config" where the model has no loss
 */
export function modelObjective(model: Model, mode: Mode = "training"): Objective<unknown, ModelBatch> {
  return {
    parameters: model.parameters,
    examples: "batch",
    loss: (parameters) => lossOf(model, model.forward(parameters, allInputs(model), mode).loss?.sum),
    feeds: ({ inputs }) => inputs,
    count: ({ count }) => count,
  };
}

/** Every input of a model as a value of the graph. */
export function allInputs(model: Model) {
  return inputTensors(model, Object.keys(model.inputs));
}

export function lossOf(model: Model, sum: Tensor | undefined): Tensor {
  if (sum !== undefined) return sum;
  throw new QkvError("config", `training: ${model.architecture} has no loss; choose a model with a head`);
}
