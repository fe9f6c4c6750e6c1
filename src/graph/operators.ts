import { QkvError } from "../util/errors.ts";
import { axisOf, type Dim, dim, formatDims, productOfSizes, sameDims, sumOfSizes } from "./dims.ts";
import type { DType, Tensor } from "./tensor.ts";

/**
 * The operators, with what each takes besides its inputs. An operator exists when it has a shape rule here, a
 * gradient rule in autodiff/ and a lowering rule in onnx/; the compiler asks for all three.
 * Axes are told by name everywhere, and two operands meet axis by axis of the same name.
 */
export interface OperatorAttributes {
  // Where values come from.
  parameter: { readonly address: string; readonly dims: readonly Dim[] };
  input: { readonly name: string; readonly dtype: DType; readonly dims: readonly Dim[] };
  constant: { readonly dtype: DType; readonly dims: readonly Dim[]; readonly values: ArrayLike<number> };
  /** 0, 1, 2 ... along an axis. */
  range: { readonly dim: Dim };
  /** 0 with probability `rate`, else 1 / (1 - rate): a pure function of seed, step, address and position. */
  dropoutMask: { readonly address: string; readonly rate: number; readonly dims: readonly Dim[] };

  // Element by element.
  negate: Plain;
  exp: Plain;
  log: Plain;
  sqrt: Plain;
  reciprocal: Plain;
  tanh: Plain;
  erf: Plain;
  sigmoid: Plain;
  relu: Plain;
  /** x · Φ(x), with the exact error function or as 1/2 · x · (1 + tanh(sqrt(2 / pi) · (x + 0.044715 · x³))). */
  gelu: { readonly approximation: GeluApproximation };
  /** gelu'(x) · g from x and the gradient g. */
  geluGradient: { readonly approximation: GeluApproximation };
  /** 1 where the element is above 0, else 0. */
  positive: Plain;
  add: Plain;
  subtract: Plain;
  multiply: Plain;
  divide: Plain;
  lessOrEqual: Plain;
  equal: Plain;
  and: Plain;
  not: Plain;
  /** where(condition, yes, no). */
  where: Plain;
  cast: { readonly dtype: DType };
  /**
   * x itself, computed when a second value has been: what follows from it is not computed before, and is not taken to
   * be the same as what follows from x. With it a gradient computes anew what was not kept.
   */
  after: Plain;

  // Along axes.
  sum: { readonly axes: readonly string[] };
  mean: { readonly axes: readonly string[] };
  max: { readonly axes: readonly string[] };
  softmax: { readonly axis: string };
  /** From softmax's output w and the gradient g at it: w · (g - sum(w · g)). */
  softmaxGradient: { readonly axis: string };
  /** gain · (x - mean) / sqrt(variance + epsilon) + bias; outputs also mean and 1 / sqrt(variance + epsilon). */
  layerNorm: { readonly axis: string; readonly epsilon: number };
  /** The k largest along an axis, largest first: values, and their positions. */
  topK: { readonly axis: string; readonly into: Dim };

  /** scale · the sum over the axes `over` of the product of both: every matrix product is one. */
  contract: { readonly over: readonly string[]; readonly scale: number };

  // Rows of a table.
  embed: Plain;
  /**
   * embed's gradient: row i of the input (or number i, where it has no further axis) is added to row ids[i] of a
   * table of zeros; ids outside the table add nothing.
   */
  scatterRows: { readonly dim: Dim };
  /**
   * Projection to the vocabulary and cross-entropy in one, in blocks of rows. Inputs: hidden [..., model],
   * table [vocab, model], labels [...], and maybe a bias [vocab]. Outputs: the sum of the losses of all rows whose
   * label is not `ignoreId`; and of that sum the gradients at hidden and, but for what the labels scatter, at table
   * and bias; and the rows that the labels scatter into the table's gradient, and the numbers into the bias's.
   */
  vocabularyLoss: {
    readonly labelSmoothing: number;
    readonly ignoreId: number;
    readonly rowsPerBlock: number;
  };

  // Form.
  transpose: { readonly order: readonly string[] };
  splitDim: { readonly from: string; readonly into: readonly Dim[] };
  mergeDims: { readonly from: readonly string[]; readonly into: string };
  rename: { readonly names: Readonly<Record<string, string>> };
  expand: { readonly dims: readonly Dim[] };
  slice: {
    readonly axis: string;
    readonly start: number;
    readonly end: number | undefined;
    readonly into: Dim;
  };
  concat: { readonly axis: string };
  /** The parts of an axis, one after another: as many outputs as axes. */
  split: { readonly axis: string; readonly into: readonly Dim[] };
}
type Plain = Readonly<Record<never, never>>;
export type GeluApproximation = "none" | "tanh";
export type OperatorName = keyof OperatorAttributes;

export interface ShapeContext<Name extends OperatorName> {
  readonly inputs: readonly Tensor[];
  readonly attributes: OperatorAttributes[Name];
  /** `layer: operator`, the start of an error message. */
  readonly where: string;
}
export interface ValueType {
  readonly dtype: DType;
  readonly dims: readonly Dim[];
}
/** What types and axes an operator's outputs have, or an error in our words. */
export type ShapeRule<Name extends OperatorName> = (context: ShapeContext<Name>) => readonly ValueType[];

function fail(where: string, rule: string, ...got: (readonly Dim[])[]): never {
  throw new QkvError("shape", `${where}: ${rule}; got ${got.map(formatDims).join(" and ")}`);
}

/** The axes of two operands that meet: those of the one that has them all. */
function meet(where: string, left: readonly Dim[], right: readonly Dim[]): readonly Dim[] {
  for (const axis of left) {
    const other = right.find((candidate) => candidate.name === axis.name);
    if (other !== undefined && other.size !== axis.size)
      fail(where, `axis "${axis.name}" differs in size`, left, right);
  }
  const within = (inner: readonly Dim[], outer: readonly Dim[]) => {
    const names = outer.map((axis) => axis.name).filter((name) => inner.some((axis) => axis.name === name));
    return names.length === inner.length && names.every((name, index) => name === inner[index]!.name);
  };
  if (within(right, left)) return left;
  if (within(left, right)) return right;
  return fail(
    where,
    "one operand must have every axis of the other, in the same order (use expand)",
    left,
    right,
  );
}

function operand<Name extends OperatorName>(
  { inputs, where }: ShapeContext<Name>,
  index: number,
  dtype?: DType,
): Tensor {
  const input = inputs[index];
  if (input === undefined) throw new QkvError("shape", `${where}: needs input ${index}`);
  if (dtype !== undefined && input.dtype !== dtype) {
    throw new QkvError("shape", `${where}: input ${index} must be ${dtype}; got ${input.dtype}`);
  }
  return input;
}

const unary = <Name extends OperatorName>(context: ShapeContext<Name>): ValueType[] => [
  { dtype: "float32", dims: operand(context, 0, "float32").dims },
];
const binary =
  (inputs: DType | undefined, output?: DType) =>
  <Name extends OperatorName>(context: ShapeContext<Name>): ValueType[] => {
    const left = operand(context, 0, inputs);
    const right = operand(context, 1, inputs);
    if (left.dtype !== right.dtype) {
      throw new QkvError(
        "shape",
        `${context.where}: both must have one type; got ${left.dtype} and ${right.dtype}`,
      );
    }
    return [{ dtype: output ?? left.dtype, dims: meet(context.where, left.dims, right.dims) }];
  };
const reduce = (context: ShapeContext<"sum" | "mean" | "max">): ValueType[] => {
  const { dims } = operand(context, 0, "float32");
  for (const name of context.attributes.axes) axisOf(dims, name, context.where);
  return [{ dtype: "float32", dims: dims.filter((axis) => !context.attributes.axes.includes(axis.name)) }];
};

export const shapeRules = {
  parameter: ({ attributes }) => [{ dtype: "float32", dims: attributes.dims }],
  input: ({ attributes: { dtype, dims } }) => [{ dtype, dims }],
  constant: ({ attributes: { dtype, dims, values }, where }) => {
    if (values.length !== productOfSizes(dims.map((axis) => axis.size)))
      fail(where, `a constant has a value for each of its elements, not ${values.length} values`, dims);
    return [{ dtype, dims }];
  },
  range: ({ attributes }) => [{ dtype: "int32", dims: [attributes.dim] }],
  dropoutMask: ({ attributes }) => [{ dtype: "float32", dims: attributes.dims }],

  negate: unary,
  exp: unary,
  log: unary,
  sqrt: unary,
  reciprocal: unary,
  tanh: unary,
  erf: unary,
  sigmoid: unary,
  relu: unary,
  gelu: unary,
  geluGradient: binary("float32"),
  positive: unary,
  add: binary("float32"),
  subtract: binary("float32"),
  multiply: binary("float32"),
  divide: binary("float32"),
  lessOrEqual: binary("int32", "bool"),
  equal: binary("int32", "bool"),
  and: binary("bool"),
  not: (context) => [{ dtype: "bool", dims: operand(context, 0, "bool").dims }],
  where: (context) => {
    const condition = operand(context, 0, "bool");
    const yes = operand(context, 1);
    const no = operand(context, 2, yes.dtype);
    return [
      { dtype: yes.dtype, dims: meet(context.where, condition.dims, meet(context.where, yes.dims, no.dims)) },
    ];
  },
  cast: (context) => [{ dtype: context.attributes.dtype, dims: operand(context, 0).dims }],
  after: (context) => {
    operand(context, 1);
    const { dtype, dims } = operand(context, 0);
    return [{ dtype, dims }];
  },

  sum: reduce,
  mean: reduce,
  max: reduce,
  softmax: (context) => {
    const { dims } = operand(context, 0, "float32");
    axisOf(dims, context.attributes.axis, context.where);
    return [{ dtype: "float32", dims }];
  },
  softmaxGradient: (context) => {
    const { dims } = operand(context, 0, "float32");
    if (!sameDims(dims, operand(context, 1, "float32").dims)) {
      fail(context.where, "both must have the same axes", dims, context.inputs[1]!.dims);
    }
    return [{ dtype: "float32", dims }];
  },
  layerNorm: (context) => {
    const { dims } = operand(context, 0, "float32");
    const last = dims[dims.length - 1];
    for (const input of [operand(context, 1, "float32"), operand(context, 2, "float32")]) {
      if (last?.name !== context.attributes.axis || !sameDims(input.dims, [last])) {
        fail(
          context.where,
          `normalises the last axis "${context.attributes.axis}", as long as gain and bias`,
          dims,
          input.dims,
        );
      }
    }
    const rows = dims.slice(0, -1);
    return [dims, rows, rows].map((output) => ({ dtype: "float32", dims: output }));
  },
  topK: (context) => {
    const { dims } = operand(context, 0, "float32");
    const { axis, into } = context.attributes;
    const output = dims.with(axisOf(dims, axis, context.where), into);
    return [
      { dtype: "float32", dims: output },
      { dtype: "int32", dims: output },
    ];
  },

  contract: (context) => {
    const left = operand(context, 0, "float32").dims;
    const right = operand(context, 1, "float32").dims;
    const { over } = context.attributes;
    for (const name of over) {
      axisOf(left, name, context.where);
      axisOf(right, name, context.where);
    }
    for (const axis of left) {
      const other = right.find((candidate) => candidate.name === axis.name);
      if (other !== undefined && other.size !== axis.size)
        fail(context.where, `axis "${axis.name}" differs in size`, left, right);
    }
    const free = right.filter((axis) => !left.some((other) => other.name === axis.name));
    return [{ dtype: "float32", dims: [...left.filter((axis) => !over.includes(axis.name)), ...free] }];
  },

  embed: (context) => {
    const table = operand(context, 0, "float32").dims;
    const ids = operand(context, 1, "int32").dims;
    if (table.length !== 2) fail(context.where, "a table has two axes", table);
    return [{ dtype: "float32", dims: [...ids, table[1]!] }];
  },
  scatterRows: (context) => {
    const ids = operand(context, 0, "int32").dims;
    const rows = operand(context, 1, "float32").dims;
    if (!sameDims(ids, rows.slice(0, ids.length)) || rows.length > ids.length + 1) {
      fail(context.where, "needs one row for each id", ids, rows);
    }
    return [{ dtype: "float32", dims: [context.attributes.dim, ...rows.slice(ids.length)] }];
  },
  vocabularyLoss: (context) => {
    const hidden = operand(context, 0, "float32").dims;
    const table = operand(context, 1, "float32").dims;
    const labels = operand(context, 2, "int32").dims;
    const model = hidden.at(-1);
    if (model === undefined || table.length !== 2 || !sameDims([table[1]!], [model])) {
      fail(context.where, "the table must be [vocab, model], model the last axis of hidden", table, hidden);
    }
    if (typeof table[0]!.size !== "number")
      fail(context.where, "the vocabulary must have a fixed size", table);
    if (!sameDims(labels, hidden.slice(0, -1)))
      fail(context.where, "needs one label for each row", labels, hidden);
    if (context.inputs[3] !== undefined && !sameDims(operand(context, 3, "float32").dims, [table[0]!])) {
      fail(context.where, "the bias must be [vocab]", context.inputs[3].dims, table);
    }
    return [[], hidden, table, [table[0]!], hidden, labels].map((dims) => ({ dtype: "float32", dims }));
  },

  transpose: (context) => {
    const { dims, dtype } = operand(context, 0);
    const { order } = context.attributes;
    if (order.length !== dims.length)
      fail(context.where, `the order ${order.join(", ")} must name every axis once`, dims);
    return [{ dtype, dims: order.map((name) => dims[axisOf(dims, name, context.where)]!) }];
  },
  splitDim: (context) => {
    const { dims, dtype } = operand(context, 0);
    const { from, into } = context.attributes;
    const axis = axisOf(dims, from, context.where);
    if (productOfSizes(into.map((part) => part.size)) !== dims[axis]!.size) {
      fail(context.where, `axis "${from}" must be as long as the product of its parts`, dims, into);
    }
    return [{ dtype, dims: dims.toSpliced(axis, 1, ...into) }];
  },
  mergeDims: (context) => {
    const { dims, dtype } = operand(context, 0);
    const { from, into } = context.attributes;
    const axis = axisOf(dims, from[0]!, context.where);
    const parts = dims.slice(axis, axis + from.length);
    if (!from.every((name, index) => parts[index]?.name === name)) {
      fail(context.where, `the axes ${from.join(", ")} must lie side by side`, dims);
    }
    const merged = dim(into, productOfSizes(parts.map((part) => part.size)));
    return [{ dtype, dims: dims.toSpliced(axis, from.length, merged) }];
  },
  rename: (context) => {
    const { dims, dtype } = operand(context, 0);
    const { names } = context.attributes;
    for (const name of Object.keys(names)) axisOf(dims, name, context.where);
    return [{ dtype, dims: dims.map((axis) => dim(names[axis.name] ?? axis.name, axis.size)) }];
  },
  expand: (context) => {
    const { dims, dtype } = operand(context, 0);
    if (meet(context.where, context.attributes.dims, dims).length > context.attributes.dims.length) {
      fail(context.where, "can only add axes", dims, context.attributes.dims);
    }
    return [{ dtype, dims: context.attributes.dims }];
  },
  slice: (context) => {
    const { dims, dtype } = operand(context, 0);
    return [
      {
        dtype,
        dims: dims.with(axisOf(dims, context.attributes.axis, context.where), context.attributes.into),
      },
    ];
  },
  concat: (context) => {
    const { dims, dtype } = operand(context, 0);
    const axis = axisOf(dims, context.attributes.axis, context.where);
    let size = dims[axis]!.size;
    for (let index = 1; index < context.inputs.length; index++) {
      const input = operand(context, index, dtype);
      const other = input.dims[axis];
      if (other === undefined || !sameDims(input.dims.with(axis, dims[axis]!), dims)) {
        fail(context.where, `all axes but "${context.attributes.axis}" must be the same`, dims, input.dims);
      }
      size = sumOfSizes(size, other.size);
    }
    return [{ dtype, dims: dims.with(axis, dim(dims[axis]!.name, size)) }];
  },
  split: (context) => {
    const { dims, dtype } = operand(context, 0);
    const { axis: name, into } = context.attributes;
    const axis = axisOf(dims, name, context.where);
    if (into.map((part) => part.size).reduce(sumOfSizes) !== dims[axis]!.size)
      fail(context.where, `axis "${name}" must be as long as its parts together`, dims, into);
    return into.map((part) => ({ dtype, dims: dims.with(axis, part) }));
  },
} satisfies { [Name in OperatorName]: ShapeRule<Name> };
