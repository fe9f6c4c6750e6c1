import { gradients } from "../../src/autodiff/gradients.ts";
import { add, input, multiply, parameter, sum } from "../../src/graph/build.ts";
import { type Dim, dim, evaluateSize } from "../../src/graph/dims.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import type { HostArray, RunRandomness } from "../../src/runtime/device.ts";
import { RandomStream, randomKey } from "../../src/util/random.ts";

/** How long each axis is. */
export type Lengths = Readonly<Record<string, number>>;

/** One small computation that every engine must do as the interpreter does. */
export interface Case {
  readonly name: string;
  /** Few elements, for finite differences; tests with random shapes replace the numbers. */
  readonly lengths: Lengths;
  /** Enough elements that an engine divides the work among threads. */
  readonly large?: Lengths;
  /** What is computed; gradients are those of the sum of all outputs, each element with a weight of its own. */
  readonly build: (make: CaseBuilder) => Tensor | readonly Tensor[];
  /** Where the case has no gradient, or is no case of one. */
  readonly forwardOnly?: true;
}

/** Draws the number of an input. */
export type Sample = (random: RandomStream) => number;
export const normal: Sample = (random) => random.normal();
export const positive: Sample = (random) => 0.5 + 1.5 * random.uniform();
/** At least 0.1 from 0, where a function has a corner or a pole. */
export const awayFromZero: Sample = (random) =>
  (random.uniform() < 0.5 ? -1 : 1) * (0.1 + 1.5 * random.uniform());

export interface HostValue {
  readonly data: HostArray;
  readonly shape: readonly number[];
}

/** Makes the axes and the inputs of a case, and draws their numbers. */
export class CaseBuilder {
  readonly inputs = new Map<string, HostValue>();
  readonly parameters = new Map<string, HostValue>();
  /** The values that gradients are taken at. */
  readonly leaves = new Map<string, Tensor>();
  readonly lengths: ReadonlyMap<string, number>;
  readonly #random: RandomStream;

  constructor(lengths: Lengths, seed: number) {
    this.lengths = new Map(Object.entries(lengths));
    this.#random = new RandomStream(randomKey(seed, "case"));
  }

  length(name: string): number {
    return evaluateSize(name, this.lengths);
  }

  /** An axis whose length is known only when the program runs. */
  axis(name: string, size: string = name): Dim {
    return dim(name, size);
  }

  /** An axis whose length is a number of the program. */
  fixed(name: string, size: string = name): Dim {
    return dim(name, this.length(size));
  }

  /** Numbers that are fed. */
  float(name: string, dims: readonly Dim[], sample: Sample = normal): Tensor {
    const tensor = this.weights(name, dims, sample);
    this.leaves.set(name, tensor);
    return tensor;
  }

  /** Numbers that are fed and that no gradient is taken at. */
  weights(name: string, dims: readonly Dim[], sample: Sample = normal): Tensor {
    this.inputs.set(name, this.#draw(Float32Array, dims, sample));
    return input(name, dims);
  }

  parameter(address: string, dims: readonly Dim[], sample: Sample = normal): Tensor {
    const tensor = parameter(address, dims);
    this.parameters.set(address, this.#draw(Float32Array, dims, sample));
    this.leaves.set(address, tensor);
    return tensor;
  }

  /** Whole numbers in [from, limit), many of them more than once. */
  ids(name: string, dims: readonly Dim[], limit: number, from = 0): Tensor {
    return this.whole(name, dims, (random) => from + random.below(limit - from));
  }

  whole(name: string, dims: readonly Dim[], sample: Sample): Tensor {
    this.inputs.set(name, this.#draw(Int32Array, dims, sample));
    return input(name, dims, "int32");
  }

  truths(name: string, dims: readonly Dim[]): Tensor {
    this.inputs.set(
      name,
      this.#draw(Uint8Array, dims, (random) => random.below(2)),
    );
    return input(name, dims, "bool");
  }

  #draw(make: { new (length: number): HostArray }, dims: readonly Dim[], sample: Sample): HostValue {
    const shape = dims.map((axis) => evaluateSize(axis.size, this.lengths));
    const data = new make(shape.reduce((left, right) => left * right, 1));
    for (let index = 0; index < data.length; index++) data[index] = sample(this.#random);
    return { data, shape };
  }
}

/** A case with numbers: what to compute, from what. */
export interface Problem {
  readonly name: string;
  readonly outputs: ReadonlyMap<string, Tensor>;
  readonly inputs: ReadonlyMap<string, HostValue>;
  readonly parameters: ReadonlyMap<string, HostValue>;
  readonly lengths: ReadonlyMap<string, number>;
  readonly randomness: RunRandomness;
  /** The names of the inputs and parameters that gradients are taken at. */
  readonly leaves: readonly string[];
}

export function forwardProblem(theCase: Case, lengths: Lengths = theCase.lengths, seed = 1): Problem {
  const make = new CaseBuilder(lengths, seed);
  return problem(theCase.name, make, buildOutputs(theCase, make), seed);
}

/** What a case computes, and the gradient of a weighted sum of it at every leaf that has one, by the leaf's name. */
export interface GradientProblem extends Problem {
  /** The weighted sum. */
  readonly objective: Tensor;
}

export function gradientProblem(
  theCase: Case,
  lengths: Lengths = theCase.lengths,
  seed = 1,
): GradientProblem {
  const make = new CaseBuilder(lengths, seed);
  const outputs = buildOutputs(theCase, make);
  const terms = [...outputs].map(([name, output]) => {
    const weighted = multiply(output, make.weights(`weights of ${name}`, output.dims));
    const names = output.dims.map((axis) => axis.name);
    return names.length === 0 ? weighted : sum(weighted, names);
  });
  const objective = terms.reduce((left, right) => add(left, right));
  const flows = gradients(objective, [...make.leaves.values()]);
  [...make.leaves.keys()].forEach((name, index) => {
    const flow = flows[index];
    if (flow !== undefined) outputs.set(name, flow);
  });
  return { ...problem(theCase.name, make, outputs, seed), objective };
}

function buildOutputs(theCase: Case, make: CaseBuilder): Map<string, Tensor> {
  const built = theCase.build(make);
  const outputs = "node" in built ? [built] : built;
  return new Map(outputs.map((output, index) => [`output${index}`, output]));
}

function problem(
  name: string,
  make: CaseBuilder,
  outputs: ReadonlyMap<string, Tensor>,
  seed: number,
): Problem {
  const { inputs, parameters, lengths } = make;
  return {
    name,
    outputs,
    inputs,
    parameters,
    lengths,
    randomness: { seed, step: 3 },
    leaves: [...make.leaves.keys()],
  };
}
