import type { Dim } from "./dims.ts";
import type { OperatorAttributes, OperatorName } from "./operators.ts";

export type DType = "float32" | "int32" | "bool";

/** One use of an operator: what goes in, what comes out. */
export interface GraphNode<Name extends OperatorName = OperatorName> {
  readonly operator: Name;
  readonly inputs: readonly Tensor[];
  readonly attributes: OperatorAttributes[Name];
  readonly outputs: readonly Tensor[];
  /** The layer that asked for it, e.g. `decoder.layers.3.selfAttention`. */
  readonly scope: string;
}

/** A value that a program will compute: symbolic, with a type and named axes, and no numbers yet. */
export interface Tensor {
  readonly node: GraphNode;
  /** Which of its node's outputs it is. */
  readonly index: number;
  readonly dtype: DType;
  readonly dims: readonly Dim[];
}

/** Every node that the outputs need, each after the ones it needs. */
export function sortNodes(outputs: Iterable<Tensor>): GraphNode[] {
  const sorted: GraphNode[] = [];
  const seen = new Set<GraphNode>();
  const stack: { node: GraphNode; next: number }[] = [];
  const visit = (node: GraphNode) => {
    if (seen.has(node)) return;
    seen.add(node);
    stack.push({ node, next: 0 });
  };
  for (const output of outputs) {
    visit(output.node);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const input = top.node.inputs[top.next++];
      if (input !== undefined) visit(input.node);
      else sorted.push(stack.pop()!.node);
    }
  }
  return sorted;
}
