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
  const square = make("Mul", x, x);
  let derivative: string;
  if (node.attributes.approximation === "none") {
    const distribution = make(
      "Add",
      make("Mul", make("Erf", make("Mul", x, float(Math.SQRT1_2))), float(0.5)),
      float(0.5),
    );
    const density = make(
      "Mul",
      make("Exp", make("Mul", square, float(-0.5))),
      float(1 / Math.sqrt(2 * Math.PI)),
    );
    derivative = make("Add", distribution, make("Mul", x, density));
  } else {
    const scale = Math.sqrt(2 / Math.PI);
    const inner = make("Add", make("Mul", square, float(0.044715 * scale)), float(scale));
    const slope = make("Add", make("Mul", square, float(3 * 0.044715 * scale)), float(scale));
    // 1/2 · (1 + tanh(z)) = s = sigmoid(2 · z), and 1/2 · (1 - tanh²(z)) = 2 · s · (1 - s).
    const half = make("Sigmoid", make("Mul", make("Mul", x, inner), float(2)));
    const bell = make("Mul", half, make("Sub", float(1), half));
    derivative = make("Add", half, make("Mul", make("Mul", make("Mul", x, slope), bell), float(2)));
  }
  emitter.place(node.outputs[0]!, make("Mul", g, derivative));
}
