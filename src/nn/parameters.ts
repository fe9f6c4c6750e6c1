import { parameter } from "../graph/build.ts";
import type { Dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type RandomStream, randomKey, RandomStream as Stream } from "../util/random.ts";

/** Fills a new parameter of the given shape. */
export type Initializer = (shape: readonly number[], random: RandomStream) => Float32Array<ArrayBuffer>;

/** What a parameter is before it has values: its axes and how it begins. */
export interface ParameterSpec {
  readonly kind: "parameter";
  readonly dims: readonly Dim[];
  readonly initialize: Initializer;
  /** Its numbers are added to something, although it has two axes; what has one is a bias or a gain anyway. */
  readonly isBias?: boolean;
}

export function parameterSpec(dims: readonly Dim[], initialize: Initializer, isBias = false): ParameterSpec {
  return { kind: "parameter", dims, initialize, ...(isBias && { isBias }) };
}

/**
 * A model's parameters are a tree of plain objects and lists. The same tree holds specifications, symbolic tensors
 * or arrays of a device; a leaf that stands in two places is one shared parameter, named by the first.
 */
export type MapLeaves<Tree, To> = Tree extends ParameterSpec
  ? To
  : Tree extends readonly (infer Item)[]
    ? readonly MapLeaves<Item, To>[]
    : Tree extends object
      ? { readonly [Key in keyof Tree]: MapLeaves<Tree[Key], To> }
      : Tree;

function isSpec(value: unknown): value is ParameterSpec {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "parameter";
}

/** The tree with each parameter replaced; a shared one is replaced once. */
export function mapParameters<Tree, To>(
  tree: Tree,
  replace: (spec: ParameterSpec, address: string) => To,
): MapLeaves<Tree, To> {
  const replaced = new Map<ParameterSpec, To>();
  const visit = (value: unknown, address: string): unknown => {
    if (isSpec(value)) {
      if (!replaced.has(value)) replaced.set(value, replace(value, address));
      return replaced.get(value);
    }
    if (Array.isArray(value)) return value.map((item, index) => visit(item, `${address}.${index}`));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        visit(item, address === "" ? key : `${address}.${key}`),
      ]),
    );
  };
  return visit(tree, "") as MapLeaves<Tree, To>;
}

/** Every parameter once, by address. */
export function listParameters(tree: unknown): Map<string, ParameterSpec> {
  const list = new Map<string, ParameterSpec>();
  mapParameters(tree, (spec, address) => list.set(address, spec));
  return list;
}

/** The tree as symbolic tensors, to build a graph with. */
export function parameterTensors<Tree>(tree: Tree): MapLeaves<Tree, Tensor> {
  return mapParameters(tree, (spec, address) => parameter(address, spec.dims));
}

export const shapeOf = (spec: ParameterSpec): number[] => spec.dims.map((axis) => axis.size as number);

/** First values of a parameter: a pure function of the seed and its address. */
export function initialValues(spec: ParameterSpec, address: string, seed: number): Float32Array<ArrayBuffer> {
  return spec.initialize(shapeOf(spec), new Stream(randomKey(seed, `initialize:${address}`)));
}

const elementCount = (shape: readonly number[]): number => shape.reduce((left, right) => left * right, 1);

export const zeros: Initializer = (shape) => new Float32Array(elementCount(shape));
export const ones: Initializer = (shape) => new Float32Array(elementCount(shape)).fill(1);

/** Normal with the given standard deviation. */
export function normal(deviation: number): Initializer {
  return (shape, random) =>
    Float32Array.from({ length: elementCount(shape) }, () => random.normal() * deviation);
}

/**
 * Uniform in ±gain · sqrt(6 / (inputs + outputs)) for a matrix [outputs, inputs].
 * Source: Glorot and Bengio, 2010.
 */
export function xavierUniform(gain = 1): Initializer {
  return (shape, random) => {
    const bound = gain * Math.sqrt(6 / (shape[0]! + shape[1]!));
    return Float32Array.from({ length: elementCount(shape) }, () => (2 * random.uniform() - 1) * bound);
  };
}
