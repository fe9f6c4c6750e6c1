import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** What an ONNX file says, as far as tests ask; the numbers are the fields of onnx.proto. */
export interface DecodedModel {
  readonly irVersion: number;
  readonly producer: string;
  readonly operatorSets: Readonly<Record<string, number>>;
  readonly graph: DecodedGraph;
}
export interface DecodedGraph {
  readonly name: string;
  readonly nodes: readonly DecodedNode[];
  readonly initializers: readonly DecodedInitializer[];
  readonly inputs: readonly DecodedValue[];
  readonly outputs: readonly DecodedValue[];
}
export interface DecodedNode {
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
}
export interface DecodedInitializer {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly data: Uint8Array | undefined;
  readonly external: Readonly<Record<string, string>>;
}
export interface DecodedValue {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly (number | string)[];
}

type Field = number | Uint8Array;
type Message = Map<number, Field[]>;

/** The fields of a message by number, numbers as numbers and everything else as bytes. */
function messageOf(bytes: Uint8Array): Message {
  const reader = new BinaryReader(bytes);
  const fields: Message = new Map();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    let value: Field;
    if (type === WireType.Varint) value = Number(reader.int64());
    else if (type === WireType.Bit32) value = reader.float();
    else if (type === WireType.LengthDelimited) value = reader.bytes();
    else throw new Error(`field ${number} has wire type ${type}`);
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

const numbers = (message: Message, field: number) => (message.get(field) ?? []) as number[];
const bytes = (message: Message, field: number) => (message.get(field) ?? []) as Uint8Array[];
const texts = (message: Message, field: number) =>
  bytes(message, field).map((value) => new TextDecoder().decode(value));
const text = (message: Message, field: number) => texts(message, field)[0] ?? "";
const messages = (message: Message, field: number) => bytes(message, field).map(messageOf);

export function decodeModel(model: Uint8Array): DecodedModel {
  const message = messageOf(model);
  return {
    irVersion: numbers(message, 1)[0]!,
    producer: text(message, 2),
    operatorSets: Object.fromEntries(messages(message, 8).map((set) => [text(set, 1), numbers(set, 2)[0]!])),
    graph: graphOf(messages(message, 7)[0]!),
  };
}

function graphOf(message: Message): DecodedGraph {
  return {
    name: text(message, 2),
    nodes: messages(message, 1).map((node) => ({
      name: text(node, 3),
      operator: text(node, 4),
      domain: text(node, 7),
      inputs: texts(node, 1),
      outputs: texts(node, 2),
      attributes: Object.fromEntries(messages(node, 5).map((one) => [text(one, 1), attributeOf(one)])),
    })),
    initializers: messages(message, 5).map((one) => ({
      name: text(one, 8),
      shape: numbers(one, 1),
      type: numbers(one, 2)[0]!,
      data: bytes(one, 9)[0],
      external: Object.fromEntries(messages(one, 13).map((entry) => [text(entry, 1), text(entry, 2)])),
    })),
    inputs: messages(message, 11).map(describedValueOf),
    outputs: messages(message, 12).map(describedValueOf),
  };
}

/** The type of an attribute says which of its fields counts. */
function attributeOf(message: Message): unknown {
  const type = numbers(message, 20)[0];
  if (type === 1) return numbers(message, 2)[0];
  if (type === 2) return numbers(message, 3)[0];
  if (type === 3) return text(message, 4);
  if (type === 5) return graphOf(messages(message, 6)[0]!);
  if (type === 7) return numbers(message, 8);
  throw new Error(`an attribute has type ${type}`);
}

function describedValueOf(message: Message): DecodedValue {
  const tensor = messages(messages(message, 2)[0]!, 1)[0]!;
  const shape = messages(tensor, 2)[0]!;
  return {
    name: text(message, 1),
    type: numbers(tensor, 1)[0]!,
    shape: messages(shape, 1).map((axis) => numbers(axis, 1)[0] ?? text(axis, 2)),
  };
}

/** The operators of a program, one after another: `Gemm(transB=1)`. */
export function operatorsOf(model: Uint8Array): string[] {
  return decodeModel(model).graph.nodes.map(({ operator, attributes }) => {
    const written = Object.entries(attributes)
      .filter(([, value]) => typeof value !== "object" || Array.isArray(value))
      .map(([name, value]) => `${name}=${value}`);
    return written.length === 0 ? operator : `${operator}(${written.join(", ")})`;
  });
}
