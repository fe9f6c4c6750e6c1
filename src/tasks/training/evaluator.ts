import type { Tensor } from "../../graph/tensor.ts";
import { parameterTensors } from "../../nn/parameters.ts";
import type { Device, DeviceArray, Program } from "../../runtime/device.ts";
import type { ModelTaskName } from "../../training/model-tasks.ts";
import { allInputs, lossOf } from "../../training/objectives/model-objective.ts";
import type { Measured } from "../../training/run-events.ts";
import { QkvError } from "../../util/errors.ts";
import type { TaskModel } from "../task.ts";
import { evaluationBatches } from "./training-batches.ts";
import type { HeldOut, Logits, Sample, TaskContext, TrainingTask, Trial } from "./training-task.ts";

/** What is drawn at an evaluation is always the same, so that evaluations can be compared. */
const draw = { seed: 0, epoch: 0 };

/** Measures a model on held-out data: its loss, the metrics of the task, and what it writes. */
export class Evaluator<Name extends ModelTaskName> {
  readonly #task: TrainingTask<Name>;
  readonly #context: TaskContext<Name>;
  readonly #heldOut: HeldOut;
  readonly #program: Program;
  readonly #logits: Tensor | undefined;
  readonly #trial: Trial | undefined;
  /** The parameters that the trial's model has at the moment. */
  readonly #parameters: Map<string, DeviceArray>;

  private constructor(
    task: TrainingTask<Name>,
    context: TaskContext<Name>,
    heldOut: HeldOut,
    compiled: { program: Program; logits: Tensor | undefined },
    trial: { trial: Trial | undefined; parameters: Map<string, DeviceArray> },
  ) {
    this.#task = task;
    this.#context = context;
    this.#heldOut = heldOut;
    this.#program = compiled.program;
    this.#logits = compiled.logits;
    this.#trial = trial.trial;
    this.#parameters = trial.parameters;
  }

  /** @param opened - the model without its parameters, for the task itself to be run with */
  static async create<Name extends ModelTaskName>(
    device: Device,
    task: TrainingTask<Name>,
    context: TaskContext<Name>,
    heldOut: HeldOut,
    opened: Omit<TaskModel, "parameters" | "weights">,
  ): Promise<Evaluator<Name>> {
    if (heldOut.set.length === 0) {
      throw new QkvError(
        "data",
        "recipe: data.validation must give at least one example; got none; give more text, or shorter blocks if there " +
          "are blocks (objective.block_size)",
      );
    }
    const outputs = outputsOf(task, context);
    const program = await device.compile(outputs);
    const parameters = new Map<string, DeviceArray>();
    const model = { ...opened, weights: {}, parameters };
    const trial = await task.trial?.(device, model, heldOut, context);
    const compiled = { program, logits: outputs.get("logits") };
    return new Evaluator(task, context, heldOut, compiled, { trial, parameters });
  }

  async measure(
    parameters: ReadonlyMap<string, DeviceArray>,
  ): Promise<Measured & { readonly samples: readonly Sample[] }> {
    const tally = this.#task.tally?.(this.#heldOut, this.#context);
    let sum = 0;
    let count = 0;
    for (const indices of evaluationBatches(this.#heldOut.set, this.#context.recipe)) {
      const batch = this.#heldOut.set.batch(indices, draw);
      const results = await this.#program.run(batch.inputs, parameters);
      sum += (await results.get("loss")!.read())[0]!;
      count += batch.count;
      const array = results.get("logits");
      if (array === undefined) continue;
      const data = (await array.read()) as Float32Array;
      indices.forEach((index, row) => {
        tally?.visit(index, this.#rowOf(data, array.shape, row));
      });
    }
    const loss = sum / count;
    for (const [address, array] of parameters) this.#parameters.set(address, array);
    const tried = await this.#trial?.run();
    return { loss, metrics: { ...tally?.finish(loss), ...tried?.metrics }, samples: tried?.samples ?? [] };
  }

  #rowOf(data: Float32Array, shape: readonly number[], row: number): Logits {
    const size = data.length / shape[0]!;
    const isByToken = this.#logits!.dims.length === 3;
    return { data: data.subarray(row * size, (row + 1) * size), width: isByToken ? shape[2]! : size };
  }

  async dispose(): Promise<void> {
    await this.#program.dispose();
    await this.#trial?.dispose();
  }
}

/** The summed loss without dropout, and the model's scores where the task's metrics need them. */
function outputsOf<Name extends ModelTaskName>(
  task: TrainingTask<Name>,
  context: TaskContext<Name>,
): Map<string, Tensor> {
  const { model } = context;
  const objective = task.objective?.(context, "inference");
  if (objective !== undefined && task.scores === undefined) {
    return new Map([["loss", objective.loss(parameterTensors(objective.parameters) as never)]]);
  }
  const outputs = model.forward(parameterTensors(model.parameters) as never, allInputs(model), "inference");
  const scores = task.scores?.(outputs);
  return new Map([
    ["loss", lossOf(model, outputs.loss?.sum)],
    ...(scores === undefined ? [] : [["logits", scores] as const]),
  ]);
}
