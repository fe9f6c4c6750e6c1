import type { ParameterSpec } from "../src/nn/parameters.ts";
import { encodeModel, type OnnxInitializer, type OnnxNode, onnxTypes } from "../src/onnx/proto.ts";

/** The values of a parameter by its address. */
export type Values = (address: string) => Float32Array;

const bytesOf = (values: Float32Array | BigInt64Array) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = values[row * columns + column]!;
    }
  }
  return result;
}

/**
 * BERT's encoder as an export from PyTorch writes it: nodes of the standard operator set (17) only, weights as
 * [inputs, outputs], GELU as five nodes around Erf, heads by Reshape and Transpose, the mask added to the scores.
 * Inputs are input_ids, attention_mask and token_type_ids, int64 [batch, sequence]; the output is last_hidden_state.
 * @param parameters - the model's own, whose addresses `values` knows
 */
export function exportedBert(
  parameters: ReadonlyMap<string, ParameterSpec>,
  values: Values,
  { layerCount, headCount, normEpsilon }: { layerCount: number; headCount: number; normEpsilon: number },
): Uint8Array<ArrayBuffer> {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxInitializer[] = [];
  let count = 0;
  const node = (
    operator: string,
    inputs: readonly string[],
    attributes: NonNullable<OnnxNode["attributes"]> = {},
  ): string => {
    const output = `${operator}_${count++}`;
    nodes.push({ operator, inputs, outputs: [output], attributes });
    return output;
  };
  const floats = (data: Float32Array, shape: readonly number[], name = `constant_${count++}`): string => {
    initializers.push({ name, type: "float32", shape, data: bytesOf(data) });
    return name;
  };
  const scalar = (value: number) => floats(Float32Array.of(value), []);
  const ints = (list: readonly number[], shape: readonly number[] = [list.length]): string => {
    const name = `constant_${count++}`;
    initializers.push({ name, type: "int64", shape, data: bytesOf(BigInt64Array.from(list, BigInt)) });
    return name;
  };
  const shapeOf = (address: string) => parameters.get(address)!.dims.map(({ size }) => size as number);
  const weight = (address: string) => floats(values(address), shapeOf(address), address);
  const linear = (address: string, x: string): string => {
    const [outputs, inputs] = shapeOf(`${address}.weight`) as [number, number];
    const matrix = transposed(values(`${address}.weight`), outputs, inputs);
    const product = node("MatMul", [x, floats(matrix, [inputs, outputs], `${address}.weight`)]);
    return node("Add", [weight(`${address}.bias`), product]);
  };
  const norm = (address: string, x: string): string =>
    node("LayerNormalization", [x, weight(`${address}.gain`), weight(`${address}.bias`)], {
      axis: -1,
      epsilon: { float: normEpsilon },
    });

  const modelDim = shapeOf("encoder.embedding")[1]!;
  const headDim = modelDim / headCount;
  const ids = "input_ids";
  const width = node("Gather", [node("Shape", [ids]), ints([1], [])], { axis: 0 });
  const positions = node("Range", [ints([0], []), width, ints([1], [])]);
  const tokens = node("Gather", [weight("encoder.embedding"), ids], { axis: 0 });
  const types = node("Gather", [weight("encoder.tokenTypes"), "token_type_ids"], { axis: 0 });
  const places = node("Gather", [weight("encoder.positions"), positions], { axis: 0 });
  let x = norm("encoder.embeddingNorm", node("Add", [node("Add", [tokens, types]), places]));
  const wide = node("Cast", [node("Unsqueeze", ["attention_mask", ints([1, 2])])], { to: onnxTypes.float32 });
  const absent = node("Sub", [scalar(1), wide]);
  const mask = node("Mul", [absent, scalar(-3.4028234663852886e38)]);
  const split = (value: string, perm: readonly number[]) =>
    node("Transpose", [node("Reshape", [value, ints([0, 0, headCount, headDim])])], { perm });
  for (let index = 0; index < layerCount; index++) {
    const layer = `encoder.layers.${index}`;
    const queries = split(linear(`${layer}.selfAttention.query`, x), [0, 2, 1, 3]);
    const keys = split(linear(`${layer}.selfAttention.key`, x), [0, 2, 3, 1]);
    const heads = split(linear(`${layer}.selfAttention.value`, x), [0, 2, 1, 3]);
    const scores = node("Div", [node("MatMul", [queries, keys]), scalar(Math.sqrt(headDim))]);
    const weights = node("Softmax", [node("Add", [scores, mask])], { axis: -1 });
    const joined = node("Transpose", [node("MatMul", [weights, heads])], { perm: [0, 2, 1, 3] });
    const side = node("Reshape", [joined, ints([0, 0, modelDim])]);
    const attended = node("Add", [linear(`${layer}.selfAttention.output`, side), x]);
    x = norm(`${layer}.selfAttentionNorm`, attended);
    const inner = linear(`${layer}.feedForward.inner`, x);
    const error = node("Erf", [node("Div", [inner, scalar(Math.SQRT2)])]);
    const gelu = node("Mul", [node("Mul", [inner, node("Add", [error, scalar(1)])]), scalar(0.5)]);
    x = norm(`${layer}.feedForwardNorm`, node("Add", [linear(`${layer}.feedForward.outer`, gelu), x]));
  }
  nodes.push({ operator: "Identity", inputs: [x], outputs: ["last_hidden_state"] });
  const input = (name: string) => ({ name, type: "int64", shape: ["batch", "sequence"] }) as const;
  return encodeModel({
    name: "bert",
    nodes,
    initializers,
    inputs: [input(ids), input("attention_mask"), input("token_type_ids")],
    outputs: [{ name: "last_hidden_state", type: "float32", shape: ["batch", "sequence", modelDim] }],
  });
}
