import { gradients } from "../autodiff/gradients.ts";
import { recordAddresses } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import {
  initialValues,
  listParameters,
  type MapLeaves,
  mapParameters,
  parameterTensors,
  shapeOf,
} from "../nn/parameters.ts";
import type { Device, DeviceArray, Feed, HostArray, Program } from "../runtime/device.ts";
import { QkvError } from "../util/errors.ts";
import { MovingAverage } from "./moving-average.ts";
import type { Optimizer } from "./optimizers/optimizer.ts";
import { type ParameterGroups, parameterGroups } from "./parameter-groups.ts";

/** What is learned: parameters, and a loss written down for them. */
export interface Objective<Tree, Batch> {
  /** The tree of parameter specifications. */
  readonly parameters: Tree;
  /**
   * Those of them that are given and not learned, by address: the model that adapters are learned for, say. They must
   * be frozen, and are no part of a checkpoint.
   */
  readonly fixed?: ReadonlyMap<string, DeviceArray>;
  /**
   * The symbolic length of the axis of examples, the first of all inputs that have it, where the loss is a sum over
   * examples that know nothing of each other; a batch may then be computed in parts. Left out: it may not.
   */
  readonly examples?: string;
  /** Builds the loss: a scalar, summed over everything that counts. */
  loss(parameters: MapLeaves<Tree, Tensor>): Tensor;
  /** What the loss's inputs are fed for a batch. */
  feeds(batch: Batch): Readonly<Record<string, Feed>>;
  /** How many things the loss of a batch sums over: the gradient is divided by it. */
  count(batch: Batch): number;
}

export interface LearnerOptions {
  readonly seed: number;
  readonly optimizer: Optimizer;
  /** What is learned, and how; no gradient is computed of anything else. Default: all, without weight decay. */
  readonly groups?: ParameterGroups;
  /** Where given, the moving average of the parameters is kept, with this decay. */
  readonly emaDecay?: number | undefined;
  /** The gradient is scaled down to this norm where it is longer; 0 = never. */
  readonly maxGradientNorm: number;
  /**
   * Whether a layer's activations are computed anew for its gradient instead of being kept: much less memory, about a
   * third more work, the same result. Default false.
   */
  readonly gradientCheckpointing?: boolean;
}

/** Everything that a training remembers, by address. */
export interface LearnedArrays {
  readonly parameters: ReadonlyMap<string, DeviceArray>;
  /** What the optimizer remembers, by `<address>.<state>`. */
  readonly states: ReadonlyMap<string, DeviceArray>;
  /** The moving averages of the parameters, where these are kept. */
  readonly averages?: ReadonlyMap<string, DeviceArray>;
}

export interface StepResult {
  /** The mean loss of one thing that counts (a token, say), in nats. */
  readonly loss: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  readonly count: number;
}

/**
 * A model while it is learned: its parameters, what the optimizer remembers of each, and the compiled gradient.
 * A step is a pure function of these, the batches, the seed and the number of the step.
 */
export class Learner<Tree, Batch> {
  readonly parameters = new Map<string, DeviceArray>();
  /** What the optimizer remembers, by `<address>.<state>`. */
  readonly states = new Map<string, DeviceArray>();
  /** How many updates were made. */
  step = 0;
  readonly #device: Device;
  readonly #objective: Objective<Tree, Batch>;
  readonly #options: LearnerOptions;
  readonly #program: Program;
  readonly #groups: ParameterGroups;
  readonly #average: MovingAverage | undefined;
  readonly #statesOf = new Map<string, Record<string, DeviceArray>>();
  readonly #sums = new Map<string, DeviceArray>();

  private constructor(
    device: Device,
    objective: Objective<Tree, Batch>,
    options: LearnerOptions,
    groups: ParameterGroups,
    program: Program,
  ) {
    this.#device = device;
    this.#objective = objective;
    this.#options = options;
    this.#groups = groups;
    this.#program = program;
    for (const [address, spec] of listParameters(objective.parameters)) {
      const shape = shapeOf(spec);
      const fixed = objective.fixed?.get(address);
      this.parameters.set(address, fixed ?? device.allocate("float32", shape));
      if (groups.has(address)) this.#statesOf.set(address, this.#allocateStates(address, shape));
    }
    if (options.emaDecay !== undefined) {
      const isLearned = (address: string) => groups.has(address);
      this.#average = new MovingAverage(device, this.parameters, isLearned, options.emaDecay);
    }
  }

  #allocateStates(address: string, shape: readonly number[]): Record<string, DeviceArray> {
    const states: Record<string, DeviceArray> = {};
    for (const [name, stateShape] of Object.entries(this.#options.optimizer.states(shape))) {
      states[name] = this.#device.allocate("float32", stateShape!);
      this.states.set(`${address}.${name}`, states[name]);
    }
    return states;
  }

  /** Compiles the gradient and gives the parameters their first values. */
  static async create<Tree, Batch>(
    device: Device,
    objective: Objective<Tree, Batch>,
    options: LearnerOptions,
  ): Promise<Learner<Tree, Batch>> {
    const groups = options.groups ?? parameterGroups(objective.parameters);
    for (const address of objective.fixed?.keys() ?? []) {
      if (groups.has(address)) throw new QkvError("internal", `training: ${address} is given and not frozen`);
    }
    const program = await device.compile(
      gradientOutputs(objective, (address) => groups.has(address), options.gradientCheckpointing),
      objective.examples === undefined ? {} : { examples: objective.examples },
    );
    const learner = new Learner(device, objective, options, groups, program);
    for (const [address, spec] of listParameters(objective.parameters)) {
      if (objective.fixed?.has(address)) continue;
      await learner.parameters.get(address)!.write(initialValues(spec, address, options.seed));
    }
    return learner;
  }

  /** How many numbers there are that are not given: a teacher's are not counted, nor those under adapters. */
  get parameterCount(): number {
    let count = 0;
    for (const [address, { shape }] of this.parameters) {
      if (!this.#objective.fixed?.has(address)) count += shape.reduce((left, right) => left * right, 1);
    }
    return count;
  }

  /** The parameters that the training is for: their moving averages where these are kept. */
  get modelParameters(): ReadonlyMap<string, DeviceArray> {
    return this.#average?.parameters ?? this.parameters;
  }

  /** What a checkpoint holds, besides the number of the step. */
  get arrays(): LearnedArrays {
    const own = (parameters: ReadonlyMap<string, DeviceArray>) =>
      new Map([...parameters].filter(([address]) => !this.#objective.fixed?.has(address)));
    return {
      parameters: own(this.parameters),
      states: this.states,
      ...(this.#average !== undefined && { averages: own(this.#average.parameters) }),
    };
  }

  /** Makes one update from the gradients of one or more batches together. */
  async update(batches: readonly Batch[], learningRate: number): Promise<StepResult> {
    const { seed, maxGradientNorm, optimizer } = this.#options;
    const step = this.step + 1;
    let lossSum = 0;
    let count = 0;
    let flows = new Map<string, DeviceArray>();
    for (const [index, batch] of batches.entries()) {
      // Each batch of an update has masks of its own.
      const randomness = { seed, step: step * batches.length + index };
      const results = await this.#program.run(this.#objective.feeds(batch), this.parameters, randomness);
      lossSum += (await results.get(lossName)!.read())[0]!;
      count += this.#objective.count(batch);
      results.delete(lossName);
      if (batches.length === 1) flows = results;
      else flows = await this.#addUp(results, index === 0);
    }
    if (count === 0) throw nothingLearned(step);
    const loss = lossSum / count;
    const gradientNorm = Math.sqrt(await this.#device.sumOfSquares([...flows.values()])) / count;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      throw await this.#explainDivergence(batches, step, loss, gradientNorm);
    }
    const clip = maxGradientNorm > 0 ? Math.min(1, maxGradientNorm / (gradientNorm + 1e-6)) : 1;
    const gradientScale = clip / count;
    if (step === 1) await this.#average?.begin();
    await Promise.all(
      [...flows].map(([address, gradient]) => {
        const { learningRateScale, weightDecay } = this.#groups.get(address)!;
        const parameter = this.parameters.get(address)!;
        const states = this.#statesOf.get(address)!;
        const numbers = { step, learningRate: learningRate * learningRateScale, weightDecay, gradientScale };
        return optimizer.update(this.#device, { parameter, gradient, states }, numbers);
      }),
    );
    await this.#average?.update(step);
    this.step = step;
    return { loss, gradientNorm, count };
  }

  async #addUp(results: Map<string, DeviceArray>, first: boolean): Promise<Map<string, DeviceArray>> {
    for (const [address, gradient] of results) {
      const sum = this.#sums.get(address) ?? this.#device.allocate("float32", gradient.shape);
      this.#sums.set(address, sum);
      if (first) await sum.write(await gradient.read());
      else await this.#device.accumulate(sum, gradient);
    }
    return this.#sums;
  }

  /** Runs the step again with every address as an output and names the first that is not finite. */
  async #explainDivergence(
    batches: readonly Batch[],
    step: number,
    loss: number,
    norm: number,
  ): Promise<QkvError> {
    const objective = this.#objective;
    const { result, addresses } = recordAddresses(() =>
      objective.loss(parameterTensors(objective.parameters)),
    );
    const wanted = new Map([...addresses].filter(([, tensor]) => tensor.dtype === "float32"));
    wanted.set(lossName, result);
    const program = await this.#device.compile(wanted);
    const what = `training: step ${step} gave loss ${loss} and gradient norm ${norm}`;
    const wayOut =
      "the last checkpoint is unharmed; lower the learning rate, lengthen the warm-up or clip the gradient";
    for (const [address, parameter] of this.parameters) {
      if (!allFinite(await parameter.read()))
        return diverged(`${what}; the parameter ${address} was not finite before; ${wayOut}`);
    }
    for (const [index, batch] of batches.entries()) {
      const randomness = { seed: this.#options.seed, step: step * batches.length + index };
      const values = await program.run(objective.feeds(batch), this.parameters, randomness);
      for (const [address, value] of values) {
        if (!allFinite(await value.read())) {
          await program.dispose();
          return diverged(`${what}; the first value that is not finite is ${address}; ${wayOut}`);
        }
      }
    }
    await program.dispose();
    return diverged(
      `${what}; every value of the forward pass is finite, so it arose in the gradient; ${wayOut}`,
    );
  }

  async dispose(): Promise<void> {
    await this.#program.dispose();
  }
}

const lossName = "(loss)";

/** A batch that teaches nothing is no divergence. */
function nothingLearned(step: number): QkvError {
  return new QkvError(
    "data",
    `training: nothing in the batch of step ${step} has a label that counts; take larger batches ` +
      "(per_device_train_batch_size, max_tokens) or leave such records out",
  );
}

function diverged(message: string): QkvError {
  return new QkvError("diverged", message);
}

function allFinite(values: HostArray): boolean {
  return values.every((value) => Number.isFinite(value));
}

/** The layer that a scope lies in: `decoder.layers.3` of `decoder.layers.3.selfAttention`. */
const layerOf = (scope: string): string | undefined => /^(?:.*\.)?layers\.\d+/.exec(scope)?.[0];

/** The loss and its gradient at every parameter that is learned, by address. */
export function gradientOutputs<Tree, Batch>(
  objective: Objective<Tree, Batch>,
  isLearned: (address: string) => boolean = () => true,
  checkpointing = false,
): Map<string, Tensor> {
  const leaves = new Map<string, Tensor>();
  const tensors = parameterTensors(objective.parameters);
  collectLeaves(objective.parameters, tensors, leaves);
  for (const address of [...leaves.keys()]) if (!isLearned(address)) leaves.delete(address);
  const loss = objective.loss(tensors);
  const flows = gradients(loss, [...leaves.values()], {
    recompute: checkpointing ? layerOf : undefined,
  });
  const outputs = new Map([[lossName, loss]]);
  [...leaves.keys()].forEach((address, index) => {
    const flow = flows[index];
    if (flow === undefined)
      throw new QkvError("internal", `training: no gradient reaches the parameter ${address}`);
    outputs.set(address, flow);
  });
  return outputs;
}

/** The symbolic tensors of a bound tree by address. */
function collectLeaves(specs: unknown, tensors: unknown, leaves: Map<string, Tensor>): void {
  mapParameters(specs, (_, address) => {
    const leaf = address
      .split(".")
      .reduce<unknown>((tree, key) => (tree as Record<string, unknown>)[key], tensors);
    leaves.set(address, leaf as Tensor);
  });
}
