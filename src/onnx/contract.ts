import { type Dim, productOfSizes, type Size } from "../graph/dims.ts";
import type { GraphNode, Tensor } from "../graph/tensor.ts";
import type { Emitter } from "./emitter.ts";

/** How a contraction's axes fall into the parts of a (batched) matrix product. */
export interface ContractPlan {
  readonly batch: readonly Dim[];
  readonly over: readonly Dim[];
  readonly leftFree: readonly Dim[];
  readonly rightFree: readonly Dim[];
}

export function planContract({ inputs, attributes }: GraphNode<"contract">): ContractPlan {
  const [left, right] = inputs as [Tensor, Tensor];
  const inRight = (axis: Dim) => right.dims.some((other) => other.name === axis.name);
  const summed = (axis: Dim) => attributes.over.includes(axis.name);
  return {
    batch: left.dims.filter((axis) => inRight(axis) && !summed(axis)),
    over: left.dims.filter(summed),
    leftFree: left.dims.filter((axis) => !inRight(axis)),
    rightFree: right.dims.filter((axis) => !left.dims.some((other) => other.name === axis.name)),
  };
}

const names = (dims: readonly Dim[]): string => dims.map((axis) => axis.name).join(",");
const sizes = (dims: readonly Dim[]): Size[] => dims.map((axis) => axis.size);

/** A factor as [...batch, rows, columns] or, `transposed`, [...batch, columns, rows]. */
function asMatrix(
  emitter: Emitter,
  tensor: Tensor,
  batch: readonly Dim[],
  rows: readonly Dim[],
  columns: readonly Dim[],
): { name: string; transposed: boolean } {
  const own = names(tensor.dims);
  const straight = names([...batch, ...rows, ...columns]) === own;
  if (straight) {
    return {
      name: emitter.as(tensor, [
        ...sizes(batch),
        productOfSizes(sizes(rows)),
        productOfSizes(sizes(columns)),
      ]),
      transposed: false,
    };
  }
  if (names([...batch, ...columns, ...rows]) === own) {
    return {
      name: emitter.as(tensor, [
        ...sizes(batch),
        productOfSizes(sizes(columns)),
        productOfSizes(sizes(rows)),
      ]),
      transposed: true,
    };
  }
  const order = [...batch, ...rows, ...columns];
  const perm = order.map((axis) => tensor.dims.findIndex((other) => other.name === axis.name));
  const moved = emitter.node("Transpose", [emitter.value(tensor)], { perm });
  const shape = [...sizes(batch), productOfSizes(sizes(rows)), productOfSizes(sizes(columns))];
  const name = shape.length === order.length ? moved : emitter.node("Reshape", [moved, emitter.shape(shape)]);
  return { name, transposed: false };
}

/** Emits a contraction as one matrix product, with an addend (a bias) where one is given. */
export function emitContract(
  emitter: Emitter,
  node: GraphNode<"contract">,
  placeAt: Tensor,
  addend?: Tensor,
): void {
  const [left, right] = node.inputs as [Tensor, Tensor];
  const { scale } = node.attributes;
  const plan = planContract(node);
  const { batch, over, leftFree, rightFree } = plan;
  const a = asMatrix(emitter, left, batch, leftFree, over);
  const b = asMatrix(emitter, right, batch, over, rightFree);
  const shape = [...sizes(batch), productOfSizes(sizes(leftFree)), productOfSizes(sizes(rightFree))];
  const transposition = { transA: a.transposed ? 1 : 0, transB: b.transposed ? 1 : 0 };

  let name: string;
  if (batch.length === 0) {
    const inputs = [a.name, b.name];
    if (addend !== undefined) inputs.push(emitter.as(addend, [productOfSizes(sizes(addend.dims))]));
    name = emitter.node("Gemm", inputs, { ...transposition, alpha: { float: scale } });
  } else if (a.transposed || b.transposed || scale !== 1) {
    name = emitter.node(
      "FusedMatMul",
      [a.name, b.name],
      { ...transposition, alpha: { float: scale } },
      "com.microsoft",
    );
  } else {
    name = emitter.node("MatMul", [a.name, b.name]);
  }

  const result = [...batch, ...leftFree, ...rightFree];
  const wanted = node.outputs[0]!.dims;
  if (names(result) !== names(wanted)) {
    const whole = emitter.node("Reshape", [name, emitter.shape(sizes(result))]);
    const perm = wanted.map((axis) => result.findIndex((other) => other.name === axis.name));
    emitter.place(placeAt, emitter.node("Transpose", [whole], { perm }));
  } else {
    emitter.place(placeAt, name, shape);
  }
}
