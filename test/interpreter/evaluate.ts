import { evaluateSize } from "../../src/graph/dims.ts";
import type { OperatorName } from "../../src/graph/operators.ts";
import { sortNodes, type Tensor } from "../../src/graph/tensor.ts";
import { type Evaluation, evaluations, type Feeds } from "./operators.ts";
import { sizeOf, type Value } from "./value.ts";

/**
 * Evaluates a graph in double precision, one operator after another, with plain loops: the oracle for gradients
 * (finite differences) and for every engine.
 * @param lengths - how long the symbolic axes are
 */
export function evaluate<Key>(
  outputs: ReadonlyMap<Key, Tensor>,
  feeds: Feeds,
  lengths: ReadonlyMap<string, number>,
): Map<Key, Value> {
  const values = new Map<Tensor, Value>();
  for (const node of sortNodes(outputs.values())) {
    const results = (evaluations[node.operator] as Evaluation<OperatorName>)({
      inputs: node.inputs.map((input) => values.get(input)!),
      attributes: node.attributes,
      outputs: node.outputs.map((output) =>
        output.dims.map(({ name, size }) => ({ name, length: evaluateSize(size, lengths) })),
      ),
      feeds,
    });
    node.outputs.forEach((output, index) => {
      const result = results[index]!;
      if (result.data.length !== sizeOf(result.axes)) throw new Error(`${node.operator} broke its own shape`);
      values.set(output, result);
    });
  }
  return new Map([...outputs].map(([key, tensor]) => [key, values.get(tensor)!]));
}
