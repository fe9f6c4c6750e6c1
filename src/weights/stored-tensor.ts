/** Tensors as they are stored in a file: an element type, a shape, bytes. */
import { QkvError } from "../util/errors.ts";
import { bfloat16ToFloat32, float16ToFloat32 } from "../util/half.ts";

/**
 * Bytes per element of each element type, in the order in which tensors are written: by alignment, the widest
 * first. BOOL is one byte, 0 or 1.
 */
const elementBytes = {
  U64: 8,
  I64: 8,
  F64: 8,
  F32: 4,
  U32: 4,
  I32: 4,
  BF16: 2,
  F16: 2,
  U16: 2,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

/** The element type of a stored tensor, spelled as in safetensors files. */
export type StoredDtype = keyof typeof elementBytes;

/** Every element type, in the order in which tensors are written. */
export const storedDtypes = Object.keys(elementBytes) as readonly StoredDtype[];

export function isStoredDtype(value: unknown): value is StoredDtype {
  return typeof value === "string" && Object.hasOwn(elementBytes, value);
}

/**
 * A tensor with its bytes: row-major, little-endian (as typed arrays are on every platform that qkv runs on).
 */
export interface StoredTensor<Data extends ArrayBufferView = ArrayBufferView> {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly data: Data;
}

/**
 * Bytes of a tensor, or nothing where its shape is no list of whole numbers or too large to count exactly.
 */
export function tensorBytes(dtype: StoredDtype, shape: readonly number[]): number | undefined {
  let bytes: number = elementBytes[dtype];
  for (const size of shape) {
    bytes *= size;
    if (!isCount(size) || !Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}

/** Whether a value is a whole number from 0 on that a double holds exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * The values of a tensor of any floating-point type as float32. An F32 tensor whose data lie on a multiple of
 * 4 bytes is returned as a view of them, anything else as a copy. F64 is rounded.
 * @param where - the tensor's name, for the error
 * @throws QkvError `weights` for a tensor of whole numbers
 */
export function toFloat32({ dtype, data }: StoredTensor, where: string): Float32Array {
  switch (dtype) {
    case "F32":
      return typedArray(Float32Array, data);
    case "F16":
      return float16ToFloat32(typedArray(Uint16Array, data));
    case "BF16":
      return bfloat16ToFloat32(typedArray(Uint16Array, data));
    case "F64":
      return Float32Array.from(typedArray(Float64Array, data));
    default:
      throw new QkvError("weights", `${where}: must be a tensor of floating-point numbers; got ${dtype}`);
  }
}

/**
 * `data` seen as elements of another type: a view where its place in memory allows, else a copy.
 * @param type - a constructor of typed arrays, such as `BigInt64Array` for I64
 */
export function typedArray<Elements>(
  type: {
    readonly BYTES_PER_ELEMENT: number;
    new (buffer: ArrayBufferLike, offset: number, length: number): Elements;
  },
  data: ArrayBufferView,
): Elements {
  const size = type.BYTES_PER_ELEMENT;
  const { buffer, byteOffset, byteLength } = data;
  if (byteOffset % size === 0) return new type(buffer, byteOffset, byteLength / size);
  return new type(buffer.slice(byteOffset, byteOffset + byteLength), 0, byteLength / size);
}
