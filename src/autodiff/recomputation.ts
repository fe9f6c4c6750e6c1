import { after, apply } from "../graph/build.ts";
import type { GraphNode, Tensor } from "../graph/tensor.ts";

/** Given to a program or computed in a moment: what these give needs not be computed anew. */
const sources: ReadonlySet<string> = new Set(["parameter", "input", "constant", "range", "dropoutMask"]);

/** A segment of the graph while it is written down a second time. */
interface Segment {
  readonly name: string;
  /** The gradient that arrived at the segment first: nothing is computed anew before it. */
  readonly token: Tensor;
  readonly copies: Map<Tensor, Tensor>;
}

/** Writes segments of a graph down a second time, for gradients that begin where the segment's inputs are. */
export class Recomputation {
  readonly #segmentOf: (scope: string) => string | undefined;
  readonly #segments = new Map<string, Segment>();

  constructor(segmentOf: (scope: string) => string | undefined) {
    this.#segmentOf = segmentOf;
  }

  /**
   * A node as its gradient needs it: with inputs and outputs that are computed anew where it belongs to a segment.
   * @param token - a gradient that has arrived at the node
   */
  of(node: GraphNode, token: Tensor): GraphNode {
    const name = this.#segmentOf(node.scope);
    if (name === undefined || sources.has(node.operator)) return node;
    let segment = this.#segments.get(name);
    if (segment === undefined) {
      segment = { name, token, copies: new Map() };
      this.#segments.set(name, segment);
    }
    return this.#again(segment, node.outputs[0]!).node;
  }

  #again(segment: Segment, tensor: Tensor): Tensor {
    const { node } = tensor;
    if (sources.has(node.operator)) return tensor;
    const known = segment.copies.get(tensor);
    if (known !== undefined) return known;
    if (this.#segmentOf(node.scope) !== segment.name) {
      const entering = after(tensor, segment.token);
      segment.copies.set(tensor, entering);
      return entering;
    }
    const outputs = apply(
      node.operator,
      node.inputs.map((input) => this.#again(segment, input)),
      node.attributes,
    );
    node.outputs.forEach((output, index) => {
      segment.copies.set(output, outputs[index]!);
    });
    return segment.copies.get(tensor)!;
  }
}
