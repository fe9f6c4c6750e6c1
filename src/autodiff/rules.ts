import {
  add,
  cast,
  concat,
  contract,
  divide,
  exp,
  expand,
  geluGradient,
  mergeDims,
  multiply,
  negate,
  positive,
  rename,
  scalar,
  scatterRows,
  softmaxGradient,
  split,
  splitDim,
  subtract,
  sum,
  transpose,
  where,
} from "../graph/build.ts";
import { type Dim, productOfSizes } from "../graph/dims.ts";
import type { OperatorName } from "../graph/operators.ts";
import type { GraphNode, Tensor } from "../graph/tensor.ts";
import { QkvError } from "../util/errors.ts";

/** The gradients at a node's inputs, from those at its outputs; nothing where none flows. */
export type GradientRule<Name extends OperatorName> = (
  node: GraphNode<Name>,
  gradients: readonly (Tensor | undefined)[],
) => readonly (Tensor | undefined)[];

/** Why an operator has no gradient. */
export interface NotDifferentiable {
  readonly notDifferentiable: string;
}

const source: NotDifferentiable = { notDifferentiable: "it has no inputs" };
const discrete: NotDifferentiable = { notDifferentiable: "its values are whole numbers or truth values" };
const secondOrder: NotDifferentiable = {
  notDifferentiable: "it appears in gradients only; no second derivatives",
};

/** Sums a gradient over the axes that broadcasting added to an operand, and puts the rest in its order. */
function toOperand(gradient: Tensor, operand: Tensor): Tensor {
  const added = gradient.dims
    .map((axis) => axis.name)
    .filter((name) => !operand.dims.some((own) => own.name === name));
  return added.length === 0 ? gradient : sum(gradient, added);
}

function inOrder(x: Tensor, dims: readonly Dim[]): Tensor {
  const order = dims.map((axis) => axis.name);
  return x.dims.every((axis, index) => axis.name === order[index]) ? x : transpose(x, order);
}

/** x · g, without a pass over x where g is the constant 1 with which every gradient begins. */
function times(x: Tensor, g: Tensor): Tensor {
  const { operator, attributes } = g.node as GraphNode<"constant">;
  return operator === "constant" && g.dims.length === 0 && attributes.values[0] === 1 ? x : multiply(x, g);
}

/** @throws QkvError "shape" where a gradient arrives at an output that only serves the first one's gradient. */
function firstOnly(node: GraphNode, gradients: readonly (Tensor | undefined)[]): Tensor {
  if (gradients.slice(1).some((gradient) => gradient !== undefined)) {
    const where = `${node.scope || "graph"}: ${node.operator}`;
    throw new QkvError("shape", `${where} has a gradient at its first output only; got one at another`);
  }
  return gradients[0]!;
}

/** How many elements axes have together, as a scalar. */
function lengthOf(dims: readonly Dim[]): Tensor {
  const size = productOfSizes(dims.map((axis) => axis.size));
  return typeof size === "number" ? scalar(size) : sum(expand(scalar(1), dims), names(dims));
}

const names = (dims: readonly Dim[]): string[] => dims.map((axis) => axis.name);
const lacks = (dims: readonly Dim[], name: string): boolean => !dims.some((axis) => axis.name === name);

/** One rule for each operator: g is the gradient at the output y, x the input. */
export const gradientRules = {
  parameter: source,
  input: source,
  constant: source,
  range: source,
  dropoutMask: source,

  negate: (_, [g]) => [negate(g!)],
  exp: ({ outputs: [y] }, [g]) => [multiply(g!, y!)],
  log: ({ inputs: [x] }, [g]) => [divide(g!, x!)],
  sqrt: ({ outputs: [y] }, [g]) => [divide(multiply(g!, 0.5), y!)],
  reciprocal: ({ outputs: [y] }, [g]) => [negate(multiply(g!, multiply(y!, y!)))],
  tanh: ({ outputs: [y] }, [g]) => [multiply(g!, subtract(1, multiply(y!, y!)))],
  // erf'(x) = 2 / sqrt(pi) · exp(-x²)
  erf: ({ inputs: [x] }, [g]) => [
    multiply(g!, multiply(exp(negate(multiply(x!, x!))), 2 / Math.sqrt(Math.PI))),
  ],
  sigmoid: ({ outputs: [y] }, [g]) => [multiply(g!, multiply(y!, subtract(1, y!)))],
  relu: ({ outputs: [y] }, [g]) => [multiply(g!, positive(y!))],
  gelu: ({ inputs: [x], attributes: { approximation } }, [g]) => [geluGradient(x!, g!, approximation)],
  geluGradient: secondOrder,
  positive: { notDifferentiable: "it is constant almost everywhere" },
  add: ({ inputs: [left, right] }, [g]) => [toOperand(g!, left!), toOperand(g!, right!)],
  subtract: ({ inputs: [left, right] }, [g]) => [toOperand(g!, left!), toOperand(negate(g!), right!)],
  multiply: ({ inputs: [left, right] }, [g]) => [
    toOperand(multiply(g!, right!), left!),
    toOperand(multiply(g!, left!), right!),
  ],
  divide: ({ inputs: [left, right], outputs: [y] }, [g]) => {
    const scaled = divide(g!, right!);
    return [toOperand(scaled, left!), toOperand(negate(multiply(scaled, y!)), right!)];
  },
  lessOrEqual: discrete,
  equal: discrete,
  and: discrete,
  not: discrete,
  where: ({ inputs: [condition, yes, no] }, [g]) => {
    const zero = scalar(0);
    return [
      undefined,
      toOperand(where(condition!, g!, zero), yes!),
      toOperand(where(condition!, zero, g!), no!),
    ];
  },
  cast: ({ inputs: [x] }, [g]) => [x!.dtype === "float32" ? cast(g!, "float32") : undefined],
  after: secondOrder,

  sum: ({ inputs: [x] }, [g]) => [expand(g!, x!.dims)],
  mean: ({ inputs: [x], attributes: { axes } }, [g]) => {
    const averaged = x!.dims.filter((axis) => axes.includes(axis.name));
    return [expand(divide(g!, lengthOf(averaged)), x!.dims)];
  },
  max: { notDifferentiable: "which element is largest jumps" },
  softmax: ({ outputs: [y], attributes: { axis } }, [g]) => [softmaxGradient(y!, g!, axis)],
  softmaxGradient: secondOrder,
  // With n = (x - mean) · r and h = g · gain: r · (h - mean(h) - n · mean(h · n))
  layerNorm: (node, flows) => {
    const g = firstOnly(node, flows);
    const [x, gain] = node.inputs;
    const [, average, r] = node.outputs;
    const { axis } = node.attributes;
    const normalised = multiply(subtract(x!, average!), r!);
    const along = multiply(g, normalised);
    const rows = names(x!.dims).filter((name) => name !== axis);
    // mean(h) and mean(h · n) as products with the gain: nothing of h's size is made for them.
    const shares = divide(gain!, lengthOf(gain!.dims));
    const projected = multiply(normalised, contract(along, shares, axis));
    const centred = subtract(subtract(multiply(g, gain!), contract(g, shares, axis)), projected);
    return [multiply(centred, r!), sum(along, rows), sum(g, rows)];
  },
  topK: { notDifferentiable: "which elements are largest jumps" },

  // Each operand's gradient is again a product: of g and the other operand, over the axes only that one has.
  contract: ({ inputs: [left, right], attributes: { over, scale } }, [g]) => {
    const overRight = names(right!.dims).filter((name) => lacks(left!.dims, name));
    const overLeft = names(left!.dims).filter((name) => lacks(right!.dims, name));
    const batch = names(left!.dims).filter((name) => !lacks(right!.dims, name) && !over.includes(name));
    const gradientLeft = contract(g!, right!, overRight, scale);
    // The order of the factors decides the order of the axes: choose the one that needs no transposition.
    const firstOfRight = names(right!.dims).find((name) => !batch.includes(name));
    const gradientRight =
      firstOfRight !== undefined && over.includes(firstOfRight)
        ? contract(left!, g!, overLeft, scale)
        : contract(g!, left!, overLeft, scale);
    return [inOrder(gradientLeft, left!.dims), inOrder(gradientRight, right!.dims)];
  },

  embed: ({ inputs: [table, ids] }, [g]) => [scatterRows(ids!, g!, table!.dims[0]!), undefined],
  scatterRows: secondOrder,
  vocabularyLoss: (node, flows) => {
    const g = firstOnly(node, flows);
    const [, table, labels, bias] = node.inputs;
    const [, atHidden, atTable, atBias, labelRows, labelWeights] = node.outputs;
    const vocab = table!.dims[0]!;
    const atInputs = [
      times(atHidden!, g),
      add(times(atTable!, g), scatterRows(labels!, times(labelRows!, g), vocab)),
      undefined,
    ];
    if (bias !== undefined)
      atInputs.push(add(times(atBias!, g), scatterRows(labels!, times(labelWeights!, g), vocab)));
    return atInputs;
  },

  transpose: ({ inputs: [x] }, [g]) => [transpose(g!, names(x!.dims))],
  splitDim: ({ attributes: { from, into } }, [g]) => [mergeDims(g!, names(into), from)],
  mergeDims: ({ inputs: [x], attributes: { from, into } }, [g]) => [
    splitDim(
      g!,
      into,
      x!.dims.filter((axis) => from.includes(axis.name)),
    ),
  ],
  rename: ({ attributes }, [g]) => [
    rename(g!, Object.fromEntries(Object.entries(attributes.names).map(([from, to]) => [to, from]))),
  ],
  expand: ({ inputs: [x] }, [g]) => [toOperand(g!, x!)],
  slice: { notDifferentiable: "only decoding uses it" },
  concat: ({ inputs, attributes: { axis } }, [g]) =>
    split(
      g!,
      axis,
      inputs.map((input) => input.dims.find((own) => own.name === axis)!),
    ),
  split: ({ outputs, attributes: { axis, into } }, parts) => {
    const flows = outputs.map((output, index) => parts[index] ?? expand(scalar(0), output.dims));
    const named = flows.map((flow, index) => rename(flow, { [into[index]!.name]: axis }));
    return [concat(named, axis)];
  },
} satisfies { [Name in OperatorName]: GradientRule<Name> | NotDifferentiable };
