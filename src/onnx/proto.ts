import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/**
 * The part of the ONNX file format that a program needs, and its encoding as protocol-buffer bytes.
 * Source: the messages and field numbers of onnx.proto (IR version 10).
 */

/** Element types, with ONNX's numbers. */
export const onnxTypes = { float32: 1, int32: 6, int64: 7, bool: 9 } as const;
export type OnnxType = keyof typeof onnxTypes;

/** A number, a list of whole numbers, a text or a subgraph; `{ float }` where a whole number is meant as a float. */
export type OnnxAttribute = number | string | readonly number[] | { readonly float: number } | OnnxGraph;

export interface OnnxNode {
  readonly operator: string;
  /** Empty for the standard operators. */
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  /** The address of the layer that asked for it; shown by profilers and viewers. */
  readonly name?: string;
}

export interface OnnxInitializer {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly number[];
  /** The values, or where they lie in a file beside the model. */
  readonly data: Uint8Array | { readonly location: string; readonly offset: number; readonly length: number };
}

export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxType;
  /** A number is a fixed size, a text a size known only when the program runs. */
  readonly shape: readonly (number | string)[];
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers: readonly OnnxInitializer[];
}

/** The versions of the operator sets that the lowering rules were written for. */
export const operatorSets: Readonly<Record<string, number>> = { "": 21, "com.microsoft": 1 };

/** The bytes of a model file. */
export function encodeModel(graph: OnnxGraph, producer = "qkv"): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).int64(10);
  writer.tag(2, WireType.LengthDelimited).string(producer);
  message(writer, 7, () => writeGraph(writer, graph));
  for (const [domain, version] of Object.entries(operatorSets)) {
    message(writer, 8, () => {
      writer.tag(1, WireType.LengthDelimited).string(domain);
      writer.tag(2, WireType.Varint).int64(version);
    });
  }
  return new Uint8Array(writer.finish());
}

function message(writer: BinaryWriter, field: number, write: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write();
  writer.join();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function writeGraph(writer: BinaryWriter, graph: OnnxGraph): void {
  for (const node of graph.nodes) message(writer, 1, () => writeNode(writer, node));
  text(writer, 2, graph.name);
  for (const initializer of graph.initializers)
    message(writer, 5, () => writeInitializer(writer, initializer));
  for (const value of graph.inputs) message(writer, 11, () => writeValue(writer, value));
  for (const value of graph.outputs) message(writer, 12, () => writeValue(writer, value));
}

function writeNode(writer: BinaryWriter, node: OnnxNode): void {
  for (const input of node.inputs) text(writer, 1, input);
  for (const output of node.outputs) text(writer, 2, output);
  if (node.name) text(writer, 3, node.name);
  text(writer, 4, node.operator);
  for (const [name, value] of Object.entries(node.attributes ?? {})) {
    message(writer, 5, () => writeAttribute(writer, name, value));
  }
  if (node.domain) text(writer, 7, node.domain);
}

function writeAttribute(writer: BinaryWriter, name: string, value: OnnxAttribute): void {
  text(writer, 1, name);
  const type = (code: number) => writer.tag(20, WireType.Varint).int32(code);
  if (typeof value === "number" && Number.isInteger(value)) {
    writer.tag(3, WireType.Varint).int64(value);
    type(2);
  } else if (typeof value === "number") {
    writer.tag(2, WireType.Bit32).float(value);
    type(1);
  } else if (typeof value === "string") {
    text(writer, 4, value);
    type(3);
  } else if ("float" in value) {
    writer.tag(2, WireType.Bit32).float(value.float);
    type(1);
  } else if ("nodes" in value) {
    message(writer, 6, () => writeGraph(writer, value));
    type(5);
  } else {
    for (const item of value) writer.tag(8, WireType.Varint).int64(item);
    type(7);
  }
}

function writeInitializer(writer: BinaryWriter, initializer: OnnxInitializer): void {
  for (const size of initializer.shape) writer.tag(1, WireType.Varint).int64(size);
  writer.tag(2, WireType.Varint).int32(onnxTypes[initializer.type]);
  text(writer, 8, initializer.name);
  const { data } = initializer;
  if (data instanceof Uint8Array) {
    writer.tag(9, WireType.LengthDelimited).bytes(data);
    return;
  }
  for (const [key, value] of Object.entries(data)) {
    message(writer, 13, () => {
      text(writer, 1, key);
      text(writer, 2, String(value));
    });
  }
  writer.tag(14, WireType.Varint).int32(1);
}

function writeValue(writer: BinaryWriter, value: OnnxValue): void {
  text(writer, 1, value.name);
  message(writer, 2, () =>
    message(writer, 1, () => {
      writer.tag(1, WireType.Varint).int32(onnxTypes[value.type]);
      message(writer, 2, () => {
        for (const size of value.shape) {
          message(writer, 1, () => {
            if (typeof size === "number") writer.tag(1, WireType.Varint).int64(size);
            else text(writer, 2, size);
          });
        }
      });
    }),
  );
}
