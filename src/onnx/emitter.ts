import { type Size, termsOfSize } from "../graph/dims.ts";
import type { DType, GraphNode, Tensor } from "../graph/tensor.ts";
import { QkvError } from "../util/errors.ts";
import type { OnnxAttribute, OnnxGraph, OnnxInitializer, OnnxNode, OnnxType } from "./proto.ts";

/** A computed value: what ONNX calls it and the shape it has there; reshaping is free, so any shape will do. */
interface Placed {
  readonly name: string;
  readonly shape: readonly Size[];
  readonly reshaped: Map<string, string>;
}

const keyOf = (shape: readonly Size[]): string => shape.join(",");

/** Collects the ONNX nodes of a program while lowering rules place one value after another. */
export class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  readonly #placed = new Map<Tensor, Placed>();
  readonly #constants = new Map<string, string>();
  readonly #symbols = new Map<string, { input: string; axis: number }>();
  readonly #lengths = new Map<string, string>();
  readonly #uses = new Map<Tensor, GraphNode[]>();
  readonly #outputs: ReadonlySet<Tensor>;
  #names = 0;
  #scope = "";

  constructor(nodes: readonly GraphNode[], outputs: Iterable<Tensor>) {
    this.#outputs = new Set(outputs);
    for (const node of nodes) {
      for (const input of node.inputs) {
        const users = this.#uses.get(input);
        if (users === undefined) this.#uses.set(input, [node]);
        else users.push(node);
      }
    }
  }

  /** The layer whose nodes come next. */
  enter(scope: string): void {
    this.#scope = scope;
  }

  /** Whether anything needs this output of a node. */
  isUsed(tensor: Tensor): boolean {
    return this.#uses.has(tensor) || this.#outputs.has(tensor);
  }

  /** Whether another node needs a value. */
  hasUser(tensor: Tensor): boolean {
    return this.#uses.has(tensor);
  }

  /** The only node that needs a value, where there is just one. */
  soleUser(tensor: Tensor): GraphNode | undefined {
    const users = this.#uses.get(tensor);
    return users?.length === 1 && !this.#outputs.has(tensor) ? users[0] : undefined;
  }

  newName(hint: string): string {
    return `${hint}_${this.#names++}`;
  }

  /** Adds a node with one output and returns its name. */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    domain = "",
  ): string {
    return this.nodeWith(1, operator, inputs, attributes, domain)[0]!;
  }

  /** Adds a node with several outputs and returns their names. */
  nodeWith(
    count: number,
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    domain = "",
  ): string[] {
    const outputs = Array.from({ length: count }, () => this.newName(operator));
    const name = `${this.#scope}/${outputs[0]!}`;
    this.nodes.push({ operator, domain, inputs, outputs, attributes, name });
    return outputs;
  }

  /** Collects nodes into a subgraph (a loop's body) instead of the program. */
  subgraph(build: (body: OnnxNode[]) => Omit<OnnxGraph, "nodes" | "initializers">): OnnxGraph {
    const start = this.nodes.length;
    const described = build(this.nodes);
    return { ...described, nodes: this.nodes.splice(start), initializers: [] };
  }

  /** A constant of whole numbers (int64): a shape, axes, positions. */
  ints(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.#constant("int64", BigInt64Array.from(values, BigInt), shape);
  }

  /** A constant. */
  constant(dtype: DType, values: ArrayLike<number>, shape: readonly number[] = []): string {
    const make = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype];
    return this.#constant(dtype, make.from(values), shape);
  }

  #constant(
    type: OnnxType,
    values: BigInt64Array | Float32Array | Int32Array | Uint8Array,
    shape: readonly number[],
  ) {
    const key = values.length <= 16 ? `${type}:${shape.join(",")}:${values.join(",")}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.newName("constant");
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.initializers.push({ name, type, shape, data });
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }

  /** Says that an input of the program tells how long its symbolic axes are. */
  learnSymbols(input: string, shape: readonly Size[]): void {
    shape.forEach((size, axis) => {
      if (typeof size === "string" && !this.#symbols.has(size)) this.#symbols.set(size, { input, axis });
    });
  }

  /** Places a value: under this name, with this shape (its own if left out). */
  place(tensor: Tensor, name: string, shape: readonly Size[] = tensor.dims.map((axis) => axis.size)): void {
    this.#placed.set(tensor, { name, shape, reshaped: new Map() });
  }

  /** Places a value that has the elements of another in the same order. */
  placeAlias(tensor: Tensor, of: Tensor): void {
    this.#placed.set(tensor, this.#find(of));
  }

  isPlaced(tensor: Tensor): boolean {
    return this.#placed.has(tensor);
  }

  #find(tensor: Tensor): Placed {
    const placed = this.#placed.get(tensor);
    if (placed === undefined)
      throw new QkvError("internal", `${tensor.node.operator} was used before it was lowered`);
    return placed;
  }

  /** The name of a value in the shape of its axes. */
  value(tensor: Tensor): string {
    return this.as(
      tensor,
      tensor.dims.map((axis) => axis.size),
    );
  }

  /** The name of a value in another shape with the same elements. */
  as(tensor: Tensor, shape: readonly Size[]): string {
    const placed = this.#find(tensor);
    const key = keyOf(shape);
    if (key === keyOf(placed.shape)) return placed.name;
    let name = placed.reshaped.get(key);
    if (name === undefined) {
      name = this.node("Reshape", [placed.name, this.shape(shape)]);
      placed.reshaped.set(key, name);
    }
    return name;
  }

  /** The name of a value shaped so that ONNX's broadcasting aligns it, axis by name, with `dims`. */
  aligned(tensor: Tensor, dims: readonly { readonly name: string }[]): string {
    const sizes = dims.map((axis) => tensor.dims.find((own) => own.name === axis.name)?.size ?? 1);
    while (sizes.length > tensor.dims.length && sizes[0] === 1) sizes.shift();
    return this.as(tensor, sizes);
  }

  /** The name of a shape to reshape to (int64); at most one unknown length costs nothing. */
  shape(sizes: readonly Size[]): string {
    const unknown = sizes.filter((size) => typeof size === "string");
    if (unknown.length <= 1 && !sizes.includes(0)) {
      return this.ints(sizes.map((size) => (typeof size === "string" ? -1 : size)));
    }
    return this.lengths(sizes);
  }

  /** The name of a shape with every length told (int64), as operators want it that do not know what is left over. */
  lengths(sizes: readonly Size[]): string {
    if (sizes.every((size) => typeof size === "number")) return this.ints(sizes);
    if (sizes.length === 1) return this.length(sizes[0]!);
    const key = keyOf(sizes);
    let name = this.#lengths.get(`shape:${key}`);
    if (name === undefined) {
      name = this.node(
        "Concat",
        sizes.map((size) => this.length(size)),
        { axis: 0 },
      );
      this.#lengths.set(`shape:${key}`, name);
    }
    return name;
  }

  /** The name of a row of ones: [1, size]. */
  ones(size: Size): string {
    const key = `ones:${size}`;
    let name = this.#lengths.get(key);
    if (name === undefined) {
      name = this.node("Expand", [this.constant("float32", [1]), this.lengths([1, size])]);
      this.#lengths.set(key, name);
    }
    return name;
  }

  /** The name of one length: int64 [1]. */
  length(size: Size): string {
    if (typeof size === "number") return this.ints([size]);
    const known = this.#lengths.get(size);
    if (known !== undefined) return known;
    const name = this.#lengthOf(size);
    this.#lengths.set(size, name);
    return name;
  }

  #lengthOf(size: string): string {
    const symbol = this.#symbols.get(size);
    if (symbol !== undefined) {
      return this.node("Shape", [symbol.input], { start: symbol.axis, end: symbol.axis + 1 });
    }
    const terms = termsOfSize(size);
    if (terms.length === 1 && terms[0]!.length === 1) {
      throw new QkvError(
        "shape",
        `graph: no input has an axis as long as "${size}", so its length cannot be known`,
      );
    }
    return terms
      .map((factors) =>
        factors.map((factor) => this.length(factor)).reduce((a, b) => this.node("Mul", [a, b])),
      )
      .reduce((a, b) => this.node("Add", [a, b]));
  }
}
