import type { GraphNode } from "../graph/tensor.ts";
import type { Emitter } from "./emitter.ts";

/** The gradients of operators for which ONNX Runtime has none, in as few passes over memory as its operators allow. */

/**
 * With Φ and φ the normal distribution and its density: g · (Φ(x) + x · φ(x)). The approximation by
 * t = tanh(c · (x + 0.044715 · x³)) has the derivative 1/2 · (1 + t) + 1/2 · x · (1 - t²) · c · (1 + 0.134145 · x²).
 */
export function emitGeluGradient(emitter: Emitter, node: GraphNode<"geluGradient">): void {
  const [x, g] = node.inputs.map((input) => emitter.value(input)) as [string, string];
  const make = (operator: string, ...inputs: string[]) => emitter.node(operator, inputs);
  const float = (value: number) => emitter.constant("float32", [value]);
  let derivative: string;
  if (node.attributes.approximation === "none") {
    // With u = x / sqrt(2): Φ(x) = 1/2 + 1/2 · erf(u), here as a hard sigmoid, which cuts off nothing between 0 and 1;
    // and x · φ(x) = u / exp(u²) / sqrt(pi).
    const u = make("Mul", x, float(Math.SQRT1_2));
    const distribution = emitter.node("HardSigmoid", [make("Erf", u)], { alpha: 0.5, beta: 0.5 });
    const bell = make("Div", u, make("Exp", make("Mul", u, u)));
    derivative = make("Add", distribution, make("Mul", bell, float(1 / Math.sqrt(Math.PI))));
  } else {
    const scale = Math.sqrt(2 / Math.PI);
    const square = make("Mul", x, x);
    const inner = make("Add", make("Mul", square, float(0.044715 * scale)), float(scale));
    const slope = make("Add", make("Mul", square, float(3 * 0.044715 * scale)), float(scale));
    // 1/2 · (1 + tanh(z)) = s = sigmoid(2 · z), and 1/2 · (1 - tanh²(z)) = 2 · s · (1 - s).
    const half = make("Sigmoid", make("Mul", make("Mul", x, inner), float(2)));
    const bell = make("Mul", half, make("Sub", float(1), half));
    derivative = make("Add", half, make("Mul", make("Mul", make("Mul", x, slope), bell), float(2)));
  }
  emitter.place(node.outputs[0]!, make("Mul", g, derivative));
}
