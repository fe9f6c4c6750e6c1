import { add, scalar } from "../graph/build.ts";
import { formatDims } from "../graph/dims.ts";
import { joinAddress, scope } from "../graph/scope.ts";
import { type GraphNode, sortNodes, type Tensor } from "../graph/tensor.ts";
import { QkvError } from "../util/errors.ts";
import { Recomputation } from "./recomputation.ts";
import { type GradientRule, gradientRules, type NotDifferentiable } from "./rules.ts";

export interface GradientOptions {
  /**
   * Gradient checkpointing: names the segment that a node belongs to, by its scope (say, a layer). What a segment
   * computes is not kept for the gradient but computed anew, from the segment's inputs, when the gradient gets there.
   * It costs up to one more forward pass. Source: Chen et al., 2016.
   */
  readonly recompute?: ((scope: string) => string | undefined) | undefined;
}

/**
 * The gradients of a scalar at the given values, as further values of the same graph (reverse mode).
 * Where no gradient flows the result is undefined.
 * @throws QkvError "shape" if the value is no scalar, or an operator on the way has no gradient.
 */
export function gradients(
  of: Tensor,
  at: readonly Tensor[],
  { recompute }: GradientOptions = {},
): (Tensor | undefined)[] {
  if (of.dims.length > 0) {
    throw new QkvError("shape", `gradients: only a scalar has gradients; got ${formatDims(of.dims)}`);
  }
  const wanted = new Set(at);
  const onTheWay = new Set<GraphNode>();
  const order = sortNodes([of]);
  for (const node of order) {
    const needed = node.inputs.some((input) => wanted.has(input) || onTheWay.has(input.node));
    if (needed) onTheWay.add(node);
  }

  const recomputation = recompute === undefined ? undefined : new Recomputation(recompute);
  const collected = new Map<Tensor, Tensor>([[of, scalar(1)]]);
  for (const node of order.toReversed()) {
    if (!onTheWay.has(node)) continue;
    const atOutputs = node.outputs.map((output) => collected.get(output));
    if (atOutputs.every((gradient) => gradient === undefined)) continue;
    const rule = gradientRules[node.operator] as GradientRule<typeof node.operator> | NotDifferentiable;
    if (typeof rule !== "function") {
      throw new QkvError(
        "shape",
        `${node.scope || "graph"}: ${node.operator} has no gradient: ${rule.notDifferentiable}`,
      );
    }
    const token = atOutputs.find((gradient) => gradient !== undefined)!;
    const atInputs = scope(joinAddress("gradient", node.scope), () =>
      rule(recomputation?.of(node, token) ?? node, atOutputs),
    );
    atInputs.forEach((gradient, index) => {
      const input = node.inputs[index]!;
      if (gradient === undefined || !(wanted.has(input) || onTheWay.has(input.node))) return;
      const sofar = collected.get(input);
      collected.set(input, sofar === undefined ? gradient : add(sofar, gradient));
    });
  }
  return at.map((tensor) => collected.get(tensor));
}
