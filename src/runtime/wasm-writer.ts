/**
 * Writes small WebAssembly modules, so that loops over numbers can use the processor's vectors.
 * Source: the WebAssembly Core Specification 2.0, "Binary Format".
 */

/** Instructions as bytes; an expression's instructions follow those of its operands. */
export type Code = readonly number[];

export type ValueType = "i32" | "f32" | "f64" | "v128";

export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly result?: ValueType;
  /** Further locals; they are numbered after the parameters. */
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

const valueTypes: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const noValue = 0x40;

/** LEB128, for numbers without a sign. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return bytes;
}

/** LEB128, for 32-bit numbers with a sign. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
const text = (value: string): Code => [...unsigned(value.length), ...new TextEncoder().encode(value)];

/** The bytes of a module that works on a memory imported as `host.memory`. */
export function writeModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters, result }) => [
    0x60,
    ...vector(parameters.map((type) => [valueTypes[type]])),
    ...vector(result === undefined ? [] : [[valueTypes[result]]]),
  ]);
  const memory = [...text("host"), ...text("memory"), 0x02, 0x00, ...unsigned(1)];
  const bodies = functions.map(({ locals, body }) => {
    const content = [...vector(locals.map((type) => [1, valueTypes[type]])), ...body, 0x0b];
    return [...unsigned(content.length), ...content];
  });
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector(types)),
    ...section(2, vector([memory])),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(7, vector(functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]))),
    ...section(10, vector(bodies)),
  ]);
}

const plain =
  (...opcode: readonly number[]) =>
  (...operands: readonly Code[]): Code => [...operands.flat(), ...opcode];
const simd = (opcode: number) => plain(0xfd, ...unsigned(opcode));

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];

/** Does `body` until `condition` no longer holds; asked after each time. */
export const repeatWhile = (body: Code, condition: Code): Code => [
  ...[0x03, noValue],
  ...body,
  ...condition,
  ...[0x0d, 0x00, 0x0b],
];

export const i32 = {
  constant: (value: number): Code => [0x41, ...signed(value)],
  add: plain(0x6a),
  lessThan: plain(0x49),
};

export const f64 = { add: plain(0xa0) };

/** The largest alignment that a hint may promise for 16 bytes. */
const alignment = 4;

export const v128 = {
  load: (address: Code, offset = 0): Code => [...address, 0xfd, 0x00, alignment, ...unsigned(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [
    ...[...address, ...value],
    ...[0xfd, 0x0b, alignment, ...unsigned(offset)],
  ],
  /** The bytes of two vectors in an order of their own: 0 to 15 are the first's, 16 to 31 the second's. */
  shuffle: (first: Code, second: Code, order: readonly number[]): Code => [
    ...[...first, ...second],
    ...[0xfd, 0x0d, ...order],
  ],
  and: simd(0x4e),
  xor: simd(0x51),
};

export const f32x4 = {
  splat: simd(0x13),
  sqrt: simd(0xe3),
  add: simd(0xe4),
  subtract: simd(0xe5),
  multiply: simd(0xe6),
  divide: simd(0xe7),
};

export const f64x2 = {
  extract: (value: Code, lane: 0 | 1): Code => [...value, 0xfd, 0x21, lane],
  /** The first two of four numbers in double precision. */
  promoteLow: simd(0x5f),
  add: simd(0xf0),
  multiply: simd(0xf2),
};

export const i32x4 = {
  constant: (...lanes: readonly [number, number, number, number]): Code => [
    ...[0xfd, 0x0c],
    ...new Uint8Array(Int32Array.from(lanes).buffer),
  ],
  splat: simd(0x11),
  shiftRight: (value: Code, bits: number): Code => [...value, ...i32.constant(bits), 0xfd, 0xad, 0x01],
  add: simd(0xae),
  multiply: simd(0xb5),
  /** All bits of a lane where the first is at least the second, both without sign. */
  atLeast: simd(0x40),
};
