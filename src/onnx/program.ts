import { add } from "../graph/build.ts";
import { type Dim, formatDims } from "../graph/dims.ts";
import { type DType, type GraphNode, sortNodes, type Tensor } from "../graph/tensor.ts";
import { QkvError } from "../util/errors.ts";
import { Emitter } from "./emitter.ts";
import { encodeModel, type OnnxInitializer, type OnnxValue } from "./proto.ts";
import { cpuRules, type LoweringRule } from "./rules.ts";

/** A value that a program takes or gives. */
export interface ProgramValue {
  /** Its name in the ONNX file. */
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly Dim[];
}

/** A random mask that the device fills before each run. */
export interface ProgramMask extends ProgramValue {
  readonly address: string;
  readonly rate: number;
}

/**
 * An output: the sum of a value that the engine computes and of rows that are added up outside it, because the
 * engine's scattering is slow or, on several threads, wrong.
 */
export interface ProgramOutput {
  readonly dtype: DType;
  readonly dims: readonly Dim[];
  /** The engine's output, where there is one. */
  readonly name: string | undefined;
  /** Rows (an output) that go where ids (an input or output) say. */
  readonly scattered: readonly { readonly ids: string; readonly rows: string }[];
}

/** A graph as ONNX bytes, with what must be known to run it. */
export interface LoweredProgram {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly inputs: ReadonlyMap<string, ProgramValue>;
  /** By address; those that became part of the bytes are not listed. */
  readonly parameters: ReadonlyMap<string, ProgramValue>;
  readonly masks: readonly ProgramMask[];
  readonly outputs: ReadonlyMap<string, ProgramOutput>;
  /** Every engine output with its axes: those of `outputs` and the rows and ids to scatter. */
  readonly engineOutputs: readonly ProgramValue[];
}

/** Where a parameter's values come from: fed at each run, or part of the program. */
export type ParameterSource = (address: string, dims: readonly Dim[]) => OnnxInitializer["data"] | undefined;

/**
 * Lowers a graph to an ONNX program for ONNX Runtime's CPU operators.
 * @param outputs - the values asked for, by name; a value nobody asks for is not computed.
 * @param parameterSource - gives the data of the parameters that become part of the program.
 */
export function lowerProgram(
  outputs: ReadonlyMap<string, Tensor>,
  parameterSource: ParameterSource = () => undefined,
): LoweredProgram {
  const parts = new Map([...outputs].map(([name, tensor]) => [name, splitScattered(tensor)]));
  const roots = [...parts.values()].flatMap(({ dense, scattered }) => [
    ...(dense === undefined ? [] : [dense]),
    ...scattered.flatMap(({ ids, rows }) => [ids, rows]),
  ]);
  const nodes = sortNodes(roots);
  const emitter = new Emitter(nodes, roots);

  const inputs = new Map<string, ProgramValue>();
  const parameters = new Map<string, ProgramValue>();
  const masks: ProgramMask[] = [];
  const sources: OnnxValue[] = [];
  const provide = (tensor: Tensor, name: string): ProgramValue => {
    const shape = tensor.dims.map((axis) => axis.size);
    if (sources.some((source) => source.name === name)) {
      throw new QkvError(
        "internal",
        `graph: two values are called "${name}"; give each an address of its own`,
      );
    }
    sources.push({ name, type: tensor.dtype, shape });
    emitter.place(tensor, name);
    return { name, dtype: tensor.dtype, dims: tensor.dims };
  };
  for (const node of nodes) {
    const [tensor] = node.outputs as [Tensor];
    if (node.operator === "input") {
      const { name } = (node as GraphNode<"input">).attributes;
      if (inputs.has(name)) throw new QkvError("internal", `graph: two inputs are called "${name}"`);
      inputs.set(name, provide(tensor, `input:${name}`));
      emitter.learnSymbols(
        `input:${name}`,
        tensor.dims.map((axis) => axis.size),
      );
    } else if (node.operator === "parameter") {
      const { address, dims } = (node as GraphNode<"parameter">).attributes;
      const data = parameterSource(address, dims);
      if (data === undefined) {
        parameters.set(address, provide(tensor, address));
      } else {
        const shape = dims.map((axis) => axis.size as number);
        emitter.initializers.push({ name: address, type: "float32", shape, data });
        emitter.place(tensor, address);
      }
    } else if (node.operator === "dropoutMask") {
      const { address, rate } = (node as GraphNode<"dropoutMask">).attributes;
      masks.push({ ...provide(tensor, `mask:${address}`), address, rate });
    }
  }
  const lower = (node: GraphNode) => {
    emitter.enter(node.scope);
    (cpuRules[node.operator] as LoweringRule<typeof node.operator>)(emitter, node);
  };
  // What only outputs need is lowered beside its output: the engine computes what leads to the last output first, so a
  // layer's gradients leave while their factors are at hand, and no layer waits for all others with its memory.
  const waiting = new Set(nodes.filter(({ outputs }) => !outputs.some((tensor) => emitter.hasUser(tensor))));
  for (const node of nodes) if (!waiting.has(node)) lower(node);

  const engineOutputs: ProgramValue[] = [];
  const given = new Map<Tensor, string>();
  const give = (tensor: Tensor, hint: string, alone = false): string => {
    const known = alone ? undefined : given.get(tensor);
    if (known !== undefined) return known;
    if (waiting.delete(tensor.node)) lower(tensor.node);
    emitter.enter("outputs");
    // An engine output needs a name of its own: one value may be asked for twice, or be an input.
    const name = `output:${hint}`;
    emitter.nodes.push({ operator: "Identity", inputs: [emitter.value(tensor)], outputs: [name] });
    engineOutputs.push({ name, dtype: tensor.dtype, dims: tensor.dims });
    if (!alone) given.set(tensor, name);
    return name;
  };
  const described = new Map<string, ProgramOutput>();
  for (const [name, { dense, scattered }] of parts) {
    const tensor = outputs.get(name)!;
    described.set(name, {
      dtype: tensor.dtype,
      dims: tensor.dims,
      // What rows are added to in place is no other output.
      name: dense === undefined ? undefined : give(dense, name, scattered.length > 0),
      scattered: scattered.map(({ ids, rows }, index) => ({
        ids:
          ids.node.operator === "input"
            ? `input:${(ids.node as GraphNode<"input">).attributes.name}`
            : give(ids, `${name}/ids${index}`),
        rows: give(rows, `${name}/rows${index}`),
      })),
    });
  }

  const bytes = encodeModel({
    name: "program",
    nodes: emitter.nodes,
    initializers: emitter.initializers,
    inputs: sources,
    outputs: engineOutputs.map(({ name, dtype, dims }) => ({
      name,
      type: dtype,
      shape: dims.map((axis) => axis.size),
    })),
  });
  return { bytes, inputs, parameters, masks, outputs: described, engineOutputs };
}

/** Takes a sum apart into what is scattered by rows and the rest. */
function splitScattered(tensor: Tensor): {
  dense: Tensor | undefined;
  scattered: { ids: Tensor; rows: Tensor }[];
} {
  const scattered: { ids: Tensor; rows: Tensor }[] = [];
  const split = (value: Tensor): Tensor | undefined => {
    if (value.node.operator === "scatterRows") {
      const [ids, rows] = value.node.inputs as [Tensor, Tensor];
      scattered.push({ ids, rows });
      return undefined;
    }
    const [left, right] = value.node.inputs;
    if (value.node.operator !== "add" || formatDims(left!.dims) !== formatDims(right!.dims)) return value;
    const before = scattered.length;
    const parts = [split(left!), split(right!)].filter((part) => part !== undefined);
    if (scattered.length === before) return value;
    return parts.length === 2 ? add(parts[0]!, parts[1]!) : parts[0];
  };
  return { dense: split(tensor), scattered };
}
