import { QkvError } from "../util/errors.ts";
import { type Dim, dim, formatDims, type Size } from "./dims.ts";
import {
  type GeluApproximation,
  type OperatorAttributes,
  type OperatorName,
  type ShapeRule,
  shapeRules,
} from "./operators.ts";
import { currentScope, joinAddress } from "./scope.ts";
import type { DType, GraphNode, Tensor } from "./tensor.ts";

/** Uses an operator: checks the axes at once and returns all outputs. */
export function apply<Name extends OperatorName>(
  operator: Name,
  inputs: readonly Tensor[],
  attributes: OperatorAttributes[Name],
): readonly Tensor[] {
  const where = `${joinAddress(currentScope()) || "graph"}: ${operator}`;
  const types = (shapeRules[operator] as ShapeRule<Name>)({ inputs, attributes, where });
  for (const { dims } of types) {
    if (new Set(dims.map((axis) => axis.name)).size < dims.length) {
      throw new QkvError("shape", `${where}: the names of axes must differ; got ${formatDims(dims)}`);
    }
  }
  const outputs: Tensor[] = [];
  const node: GraphNode<Name> = { operator, inputs, attributes, outputs, scope: currentScope() };
  types.forEach((type, index) => {
    outputs.push({ node, index, ...type });
  });
  return outputs;
}

const first = <Name extends OperatorName>(
  operator: Name,
  inputs: readonly Tensor[],
  attributes: OperatorAttributes[Name],
): Tensor => apply(operator, inputs, attributes)[0]!;

/** A value that is learned and lives under an address of its own. */
export const parameter = (address: string, dims: readonly Dim[]): Tensor =>
  first("parameter", [], { address, dims });
/** A value that is fed each time the program runs. */
export const input = (name: string, dims: readonly Dim[], dtype: DType = "float32"): Tensor =>
  first("input", [], { name, dtype, dims });
export const constant = (values: ArrayLike<number>, dims: readonly Dim[], dtype: DType = "float32"): Tensor =>
  first("constant", [], { values, dims, dtype });
export const scalar = (value: number, dtype: DType = "float32"): Tensor => constant([value], [], dtype);
/** 0, 1, 2 ... along an axis: [axis], whole numbers. */
export const range = (axis: Dim): Tensor => first("range", [], { dim: axis });
export const dropoutMask = (address: string, rate: number, dims: readonly Dim[]): Tensor =>
  first("dropoutMask", [], { address, rate, dims });

type Operand = Tensor | number;
const asTensor = (value: Operand): Tensor => (typeof value === "number" ? scalar(value) : value);

export const negate = (x: Tensor): Tensor => first("negate", [x], {});
export const exp = (x: Tensor): Tensor => first("exp", [x], {});
export const log = (x: Tensor): Tensor => first("log", [x], {});
export const sqrt = (x: Tensor): Tensor => first("sqrt", [x], {});
export const reciprocal = (x: Tensor): Tensor => first("reciprocal", [x], {});
export const tanh = (x: Tensor): Tensor => first("tanh", [x], {});
export const erf = (x: Tensor): Tensor => first("erf", [x], {});
export const sigmoid = (x: Tensor): Tensor => first("sigmoid", [x], {});
export const relu = (x: Tensor): Tensor => first("relu", [x], {});
export const gelu = (x: Tensor, approximation: GeluApproximation = "none"): Tensor =>
  first("gelu", [x], { approximation });
export const geluGradient = (x: Tensor, gradient: Tensor, approximation: GeluApproximation): Tensor =>
  first("geluGradient", [x, gradient], { approximation });
export const positive = (x: Tensor): Tensor => first("positive", [x], {});
export const add = (left: Tensor, right: Operand): Tensor => first("add", [left, asTensor(right)], {});
export const subtract = (left: Operand, right: Operand): Tensor =>
  first("subtract", [asTensor(left), asTensor(right)], {});
export const multiply = (left: Tensor, right: Operand): Tensor =>
  first("multiply", [left, asTensor(right)], {});
export const divide = (left: Operand, right: Operand): Tensor =>
  first("divide", [asTensor(left), asTensor(right)], {});
export const lessOrEqual = (left: Tensor, right: Tensor): Tensor => first("lessOrEqual", [left, right], {});
export const equal = (left: Tensor, right: Tensor): Tensor => first("equal", [left, right], {});
export const and = (left: Tensor, right: Tensor): Tensor => first("and", [left, right], {});
export const not = (x: Tensor): Tensor => first("not", [x], {});
export const where = (condition: Tensor, yes: Operand, no: Operand): Tensor =>
  first("where", [condition, asTensor(yes), asTensor(no)], {});
export const cast = (x: Tensor, dtype: DType): Tensor => first("cast", [x], { dtype });

/** x, but not before `token` has been computed. */
export const after = (x: Tensor, token: Tensor): Tensor => first("after", [x, token], {});

export const sum = (x: Tensor, axes: readonly string[]): Tensor => first("sum", [x], { axes });
export const mean = (x: Tensor, axes: readonly string[]): Tensor => first("mean", [x], { axes });
export const max = (x: Tensor, axes: readonly string[]): Tensor => first("max", [x], { axes });
/** exp(x) / sum(exp(x)) along an axis. */
export const softmax = (x: Tensor, axis: string): Tensor => first("softmax", [x], { axis });
export const softmaxGradient = (weights: Tensor, gradient: Tensor, axis: string): Tensor =>
  first("softmaxGradient", [weights, gradient], { axis });
/** The normalised values, their mean and the reciprocal of their standard deviation. */
export const layerNormOutputs = (x: Tensor, gain: Tensor, bias: Tensor, epsilon: number): readonly Tensor[] =>
  apply("layerNorm", [x, gain, bias], { axis: gain.dims[0]?.name ?? "", epsilon });
/** The `count` largest along an axis, largest first, and their positions; the axis gets the name `into`. */
export const topK = (
  x: Tensor,
  axis: string,
  count: number,
  into = axis,
): [values: Tensor, positions: Tensor] => {
  const [values, positions] = apply("topK", [x], { axis, into: dim(into, count) });
  return [values!, positions!];
};

/**
 * scale · sum over the named axes of left · right. Axes that both have and that are not summed are kept side by
 * side (a batch of products). The result has the axes of `left` that remain, then those only `right` has.
 */
export const contract = (left: Tensor, right: Tensor, over: string | readonly string[], scale = 1): Tensor =>
  first("contract", [left, right], { over: typeof over === "string" ? [over] : over, scale });

/** The rows of a table [rows, width] that the ids name: [...ids, width]. */
export const embed = (table: Tensor, ids: Tensor): Tensor => first("embed", [table, ids], {});
export const scatterRows = (ids: Tensor, rows: Tensor, axis: Dim): Tensor =>
  first("scatterRows", [ids, rows], { dim: axis });

/** So many rows that the logits of a block fill 40 MB: longer blocks gain nothing, shorter ones cost. */
const defaultRowsPerBlock = (vocabSize: Size | undefined): number =>
  typeof vocabSize === "number" ? Math.max(32, Math.floor(10_485_760 / vocabSize)) : 512;

/** The cross-entropy of predicting labels [...] from hidden [..., model]; see the operator's outputs. */
export const vocabularyLoss = (
  hidden: Tensor,
  table: Tensor,
  labels: Tensor,
  bias: Tensor | undefined,
  options: { labelSmoothing: number; ignoreId: number; rowsPerBlock?: number },
): Tensor =>
  first("vocabularyLoss", bias === undefined ? [hidden, table, labels] : [hidden, table, labels, bias], {
    labelSmoothing: options.labelSmoothing,
    ignoreId: options.ignoreId,
    rowsPerBlock: options.rowsPerBlock ?? defaultRowsPerBlock(table.dims[0]?.size),
  });

export const transpose = (x: Tensor, order: readonly string[]): Tensor => first("transpose", [x], { order });
export const splitDim = (x: Tensor, from: string, into: readonly Dim[]): Tensor =>
  first("splitDim", [x], { from, into });
export const mergeDims = (x: Tensor, from: readonly string[], into: string): Tensor =>
  first("mergeDims", [x], { from, into });
export const rename = (x: Tensor, names: Readonly<Record<string, string>>): Tensor =>
  first("rename", [x], { names });
/** Repeats a value along the axes that it lacks. */
export const expand = (x: Tensor, dims: readonly Dim[]): Tensor => first("expand", [x], { dims });
/** The part [start, end) of an axis; negative numbers count from the end, no end means to the end. */
export const slice = (x: Tensor, axis: string, start: number, end: number | undefined, into: Dim): Tensor =>
  first("slice", [x], { axis, start, end, into });
export const concat = (inputs: readonly Tensor[], axis: string): Tensor => first("concat", inputs, { axis });
/** The parts of an axis, one after another, each with the name and length that its dim says. */
export const split = (x: Tensor, axis: string, into: readonly Dim[]): readonly Tensor[] =>
  apply("split", [x], { axis, into });
