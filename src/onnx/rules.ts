import { productOfSizes, type Size } from "../graph/dims.ts";
import type { OperatorName } from "../graph/operators.ts";
import type { DType, GraphNode, Tensor } from "../graph/tensor.ts";
import { emitContract, planContract } from "./contract.ts";
import type { Emitter } from "./emitter.ts";
import { emitGeluGradient } from "./gradients.ts";
import { onnxTypes } from "./proto.ts";
import { emitVocabularyLoss } from "./vocabulary-loss.ts";

/** Writes one use of an operator as ONNX nodes and places its outputs. */
export type LoweringRule<Name extends OperatorName> = (emitter: Emitter, node: GraphNode<Name>) => void;

/** Values that the program's caller provides: placed before lowering begins. */
const provided = () => {};

const output = (node: { readonly outputs: readonly Tensor[] }): Tensor => node.outputs[0]!;
const axisOf = (tensor: Tensor, name: string): number => tensor.dims.findIndex((axis) => axis.name === name);
const sizesOf = (tensor: Tensor): Size[] => tensor.dims.map((axis) => axis.size);

const elementwise =
  <Name extends OperatorName>(operator: string, domain = ""): LoweringRule<Name> =>
  (emitter, node) => {
    const inputs = node.inputs.map((input) => emitter.aligned(input, output(node).dims));
    emitter.place(output(node), emitter.node(operator, inputs, {}, domain));
  };

const reduce =
  <Name extends "sum" | "mean" | "max">(operator: string): LoweringRule<Name> =>
  (emitter, node) => {
    const [x] = node.inputs as [Tensor];
    // To ONNX no axes are all axes.
    if (node.attributes.axes.length === 0) return emitter.placeAlias(output(node), x);
    const axes = emitter.ints(node.attributes.axes.map((name) => axisOf(x, name)));
    emitter.place(output(node), emitter.node(operator, [emitter.value(x), axes], { keepdims: 0 }));
  };

const alias: LoweringRule<"splitDim" | "mergeDims" | "rename"> = (emitter, node) => {
  emitter.placeAlias(output(node), node.inputs[0]!);
};

/** A matrix product whose only use is to have a bias added: one Gemm does both. */
function biasedProduct(
  emitter: Emitter,
  node: GraphNode<"add">,
): [GraphNode<"contract">, Tensor] | undefined {
  for (const [product, bias] of [node.inputs, node.inputs.toReversed()] as [Tensor, Tensor][]) {
    if (product.node.operator !== "contract" || emitter.soleUser(product) !== node) continue;
    const contraction = product.node as GraphNode<"contract">;
    const plan = planContract(contraction);
    const names = bias.dims.map((axis) => axis.name).join();
    if (plan.batch.length === 0 && names !== "" && names === plan.rightFree.map((axis) => axis.name).join()) {
      return [contraction, bias];
    }
  }
  return undefined;
}

/** The lowering to ONNX Runtime's CPU operators. */
export const cpuRules = {
  parameter: provided,
  input: provided,
  dropoutMask: provided,
  constant: (emitter, node) => {
    const { dtype, values, dims } = node.attributes;
    const shape = dims.map((axis) => axis.size as number);
    emitter.place(output(node), emitter.constant(dtype, values, shape));
  },
  range: (emitter, node) => {
    const { size } = node.attributes.dim;
    if (typeof size === "number") {
      const values = Int32Array.from({ length: size }, (_, index) => index);
      return emitter.place(output(node), emitter.constant("int32", values, [size]));
    }
    const end = emitter.node("Cast", [emitter.node("Squeeze", [emitter.length(size)])], {
      to: onnxTypes.int32,
    });
    const [start, step] = [emitter.constant("int32", [0]), emitter.constant("int32", [1])];
    emitter.place(output(node), emitter.node("Range", [start, end, step]));
  },

  negate: elementwise("Neg"),
  exp: elementwise("Exp"),
  log: elementwise("Log"),
  sqrt: elementwise("Sqrt"),
  reciprocal: elementwise("Reciprocal"),
  tanh: elementwise("Tanh"),
  erf: elementwise("Erf"),
  sigmoid: elementwise("Sigmoid"),
  relu: elementwise("Relu"),
  gelu: (emitter, node) => {
    const attributes = { approximate: node.attributes.approximation };
    emitter.place(output(node), emitter.node("Gelu", [emitter.value(node.inputs[0]!)], attributes));
  },
  geluGradient: (emitter, node) => emitGeluGradient(emitter, node),
  positive: (emitter, node) => {
    const above = emitter.node("Greater", [emitter.value(node.inputs[0]!), emitter.constant("float32", [0])]);
    emitter.place(output(node), emitter.node("Cast", [above], { to: onnxTypes.float32 }));
  },
  add: (emitter, node) => {
    const fused = biasedProduct(emitter, node);
    if (fused !== undefined) emitContract(emitter, fused[0], output(node), fused[1]);
    else elementwise("Add")(emitter, node);
  },
  subtract: elementwise("Sub"),
  multiply: elementwise("Mul"),
  divide: elementwise("Div"),
  lessOrEqual: elementwise("LessOrEqual"),
  equal: elementwise("Equal"),
  and: elementwise("And"),
  not: elementwise("Not"),
  where: elementwise("Where"),
  cast: (emitter, node) => {
    const to = onnxTypes[node.attributes.dtype satisfies DType];
    emitter.place(output(node), emitter.node("Cast", [emitter.value(node.inputs[0]!)], { to }));
  },
  // A reshaping, which moves nothing, to a shape that cannot be known before the token is there.
  after: (emitter, node) => {
    const [x, token] = node.inputs as [Tensor, Tensor];
    const nothing = emitter.node("Mul", [
      emitter.node("Size", [emitter.value(token)]),
      emitter.ints([0], []),
    ]);
    const shape = emitter.node("Add", [emitter.lengths(sizesOf(x)), nothing]);
    emitter.place(output(node), emitter.node("Reshape", [emitter.value(x), shape]));
  },

  sum: (emitter, node) => {
    const [x] = node.inputs as [Tensor];
    const rows = x.dims.slice(0, node.attributes.axes.length);
    const leading = rows.every((axis) => node.attributes.axes.includes(axis.name));
    if (!leading || rows.length === 0 || rows.length === x.dims.length) {
      return reduce("ReduceSum")(emitter, node);
    }
    // The sum of all rows, as for every bias: a product with ones is faster, above all on several threads.
    const count = productOfSizes(rows.map((axis) => axis.size));
    const width = productOfSizes(sizesOf(x).slice(rows.length));
    const total = emitter.node("MatMul", [emitter.ones(count), emitter.as(x, [count, width])]);
    emitter.place(output(node), total, [1, width]);
  },
  mean: reduce("ReduceMean"),
  max: reduce("ReduceMax"),
  softmax: (emitter, node) => {
    const [x] = node.inputs as [Tensor];
    const axis = axisOf(x, node.attributes.axis);
    emitter.place(output(node), emitter.node("Softmax", [emitter.value(x)], { axis }));
  },
  softmaxGradient: (emitter, node) => {
    const [weights, gradient] = node.inputs.map((input) => emitter.value(input)) as [string, string];
    const axis = emitter.ints([axisOf(output(node), node.attributes.axis)]);
    const product = emitter.node("Mul", [weights, gradient]);
    const centred = emitter.node("Sub", [
      gradient,
      emitter.node("ReduceSum", [product, axis], { keepdims: 1 }),
    ]);
    emitter.place(output(node), emitter.node("Mul", [weights, centred]));
  },
  layerNorm: (emitter, node) => {
    const inputs = node.inputs.map((input) => emitter.value(input));
    const statistics = node.outputs.slice(1);
    const outputs = emitter.nodeWith(
      statistics.some((value) => emitter.isUsed(value)) ? 3 : 1,
      "LayerNormalization",
      inputs,
      {
        axis: -1,
        epsilon: { float: node.attributes.epsilon },
      },
    );
    emitter.place(output(node), outputs[0]!);
    statistics.forEach((value, index) => {
      if (outputs.length > 1) emitter.place(value, outputs[index + 1]!, [...sizesOf(value), 1]);
    });
  },
  topK: (emitter, node) => {
    const [x] = node.inputs as [Tensor];
    const count = emitter.length(node.attributes.into.size);
    const axis = axisOf(x, node.attributes.axis);
    const [values, positions] = emitter.nodeWith(2, "TopK", [emitter.value(x), count], { axis });
    emitter.place(node.outputs[0]!, values!);
    emitter.place(node.outputs[1]!, emitter.node("Cast", [positions!], { to: onnxTypes.int32 }));
  },

  contract: (emitter, node) => {
    const user = emitter.soleUser(output(node));
    const waits = user?.operator === "add" && biasedProduct(emitter, user as GraphNode<"add">)?.[0] === node;
    if (!waits) emitContract(emitter, node, output(node));
  },

  embed: (emitter, node) => {
    const inputs = node.inputs.map((input) => emitter.value(input));
    emitter.place(output(node), emitter.node("Gather", inputs, { axis: 0 }));
  },
  // ScatterElements, not ScatterND: the latter's sums race on several threads where ids repeat. It is slow, so
  // programs leave the scattering of whole parameter gradients to the caller (see program.ts).
  scatterRows: (emitter, node) => {
    const [ids, rows] = node.inputs as [Tensor, Tensor];
    const [count, width = 1] = sizesOf(output(node)) as [number, number?];
    const idCount = productOfSizes(sizesOf(ids));
    const id = emitter.as(ids, [idCount]);
    const below = emitter.node("Less", [id, emitter.constant("int32", [count])]);
    const inside = emitter.node("And", [
      below,
      emitter.node("GreaterOrEqual", [id, emitter.constant("int32", [0])]),
    ]);
    const column = (name: string) => emitter.node("Unsqueeze", [name, emitter.ints([1])]);
    const safeId = column(emitter.node("Where", [inside, id, emitter.constant("int32", [0])]));
    const values = emitter.as(rows, [idCount, width]);
    const updates = emitter.node("Where", [column(inside), values, emitter.constant("float32", [0])]);
    const indices = emitter.node("Expand", [safeId, emitter.node("Shape", [updates])]);
    const zeros = emitter.node("Expand", [emitter.constant("float32", [0]), emitter.ints([count, width])]);
    const attributes = { axis: 0, reduction: "add" };
    emitter.place(output(node), emitter.node("ScatterElements", [zeros, indices, updates], attributes), [
      count,
      width,
    ]);
  },
  vocabularyLoss: emitVocabularyLoss,

  transpose: (emitter, node) => {
    const [x] = node.inputs as [Tensor];
    const perm = node.attributes.order.map((name) => axisOf(x, name));
    emitter.place(output(node), emitter.node("Transpose", [emitter.value(x)], { perm }));
  },
  splitDim: alias,
  mergeDims: alias,
  rename: alias,
  expand: (emitter, node) => {
    const shape = emitter.lengths(sizesOf(output(node)));
    emitter.place(
      output(node),
      emitter.node("Expand", [emitter.aligned(node.inputs[0]!, output(node).dims), shape]),
    );
  },
  slice: (emitter, node) => {
    const [x] = node.inputs as [Tensor];
    const { axis, start, end } = node.attributes;
    const bounds = [[start], [end ?? Number.MAX_SAFE_INTEGER], [axisOf(x, axis)]].map((part) =>
      emitter.ints(part),
    );
    emitter.place(output(node), emitter.node("Slice", [emitter.value(x), ...bounds]));
  },
  concat: (emitter, node) => {
    const inputs = node.inputs.map((input) => emitter.value(input));
    const axis = axisOf(node.inputs[0]!, node.attributes.axis);
    emitter.place(output(node), emitter.node("Concat", inputs, { axis }));
  },
  split: (emitter, node) => {
    const [x] = node.inputs as [Tensor];
    const lengths = emitter.lengths(node.attributes.into.map((part) => part.size));
    const axis = axisOf(x, node.attributes.axis);
    const parts = emitter.nodeWith(node.outputs.length, "Split", [emitter.value(x), lengths], { axis });
    node.outputs.forEach((part, index) => {
      emitter.place(part, parts[index]!);
    });
  },
} satisfies { [Name in OperatorName]: LoweringRule<Name> };
