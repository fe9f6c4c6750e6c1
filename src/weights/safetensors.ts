/**
 * The safetensors format: 8 bytes with the length of the header (little-endian), the header as JSON, then the
 * tensors' bytes without gaps. Source: https://huggingface.co/docs/safetensors, "Format"; the order of the
 * tensors and the padding of the header are those of Hugging Face's writer, so that a file read and written
 * again has the same bytes.
 */
import { QkvError } from "../util/errors.ts";
import { duplicateKey } from "./duplicate-keys.ts";
import {
  isCount,
  isStoredDtype,
  type StoredDtype,
  type StoredTensor,
  storedDtypes,
  tensorBytes,
} from "./stored-tensor.ts";

/** Where a tensor lies in a file. */
export interface TensorPlace {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** Position of the first byte, counted from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** What stands at the head of a safetensors file. */
export interface SafetensorsHeader {
  /** By name, in the order in which they lie in the file. */
  readonly tensors: ReadonlyMap<string, TensorPlace>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the tensors' bytes begin, counted from the start of the file. */
  readonly dataOffset: number;
}

/**
 * Hugging Face's readers refuse longer headers too: a wrong length must not make a reader ask for all memory.
 */
const longestHeader = 100_000_000;

/** transformers refuses files that do not name the framework whose layout they follow. */
const defaultMetadata = { format: "pt" };

/**
 * The length in bytes of the JSON header, read from the first 8 bytes of a file.
 * @param start - the file's first bytes, at least 8 where the file has them
 * @param fileBytes - the length of the whole file
 * @param where - the file's name, for errors
 * @throws QkvError `file` where no header of that length fits
 */
export function headerLength(start: Uint8Array, fileBytes: number, where: string): number {
  if (fileBytes < 8 || start.byteLength < 8) {
    throw damaged(where, "a safetensors file has at least 8 bytes", `${fileBytes} bytes`);
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (new TextDecoder().decode(start.subarray(0, 8)) === "version ") {
    throw new QkvError(
      "file",
      `${where}: must hold the weights; got a Git LFS pointer to them; fetch them with "git lfs pull"`,
    );
  }
  if (length > longestHeader) {
    const limit = longestHeader.toLocaleString("en-US");
    throw damaged(where, `the header may have ${limit} bytes at most`, `a length of ${length}`);
  }
  if (length > fileBytes - 8) {
    throw damaged(
      where,
      `the file ends before its header of ${length} bytes does`,
      `${fileBytes} bytes in all`,
    );
  }
  return length;
}

/**
 * Reads and checks the header of a safetensors file: every tensor lies within the file, none overlaps
 * another, and no byte belongs to none.
 * @param start - the file's first bytes, with the whole header; the rest may be missing
 * @param fileBytes - the length of the whole file; default: `start` is the whole file
 * @param where - the file's name, for errors
 * @throws QkvError `file` for anything that the format does not allow
 */
export function parseHeader(
  start: Uint8Array,
  fileBytes = start.byteLength,
  where = "safetensors",
): SafetensorsHeader {
  const length = headerLength(start, fileBytes, where);
  const dataOffset = 8 + length;
  if (start.byteLength < dataOffset) {
    throw damaged(where, `the header needs ${dataOffset} bytes`, `${start.byteLength} of them`);
  }
  const fields = parseJsonHeader(start.subarray(8, dataOffset), where);
  const metadata = readMetadata(fields, where);
  const places: [name: string, place: TensorPlace][] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (name !== "__metadata__") places.push([name, readPlace(name, value, dataOffset, where)]);
  }
  places.sort(
    ([leftName, left], [rightName, right]) =>
      left.offset - right.offset ||
      left.byteLength - right.byteLength ||
      compareCodePoints(leftName, rightName),
  );
  checkCoverage(places, dataOffset, fileBytes, where);
  return { tensors: new Map(places), metadata, dataOffset };
}

/**
 * The tensors of a whole safetensors file in memory. Their data are views of `bytes`, not copies.
 * @throws QkvError `file` for anything that the format does not allow
 */
export function parse(
  bytes: Uint8Array,
  where = "safetensors",
): {
  readonly tensors: ReadonlyMap<string, StoredTensor<Uint8Array>>;
  readonly metadata: Readonly<Record<string, string>>;
} {
  const { tensors, metadata } = parseHeader(bytes, bytes.byteLength, where);
  const views = new Map<string, StoredTensor<Uint8Array>>();
  for (const [name, { dtype, shape, offset, byteLength }] of tensors) {
    views.set(name, { dtype, shape, data: bytes.subarray(offset, offset + byteLength) });
  }
  return { tensors: views, metadata };
}

/**
 * The safetensors file of some tensors: the same bytes for the same tensors and metadata, in whatever order
 * given.
 * @param metadata - default `{ format: "pt" }`, which transformers asks for
 * @throws QkvError `file` where a tensor's data do not have the length that its shape and dtype say
 */
export function serialize(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = defaultMetadata,
): Uint8Array {
  const parts = serializeParts(tensors, metadata);
  const file = new Uint8Array(parts.reduce((total, part) => total + part.byteLength, 0));
  let position = 0;
  for (const part of parts) {
    file.set(part, position);
    position += part.byteLength;
  }
  return file;
}

/**
 * The bytes of `serialize` in pieces: the header, then each tensor's own memory, so that writing copies
 * nothing.
 */
export function serializeParts(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = defaultMetadata,
): Uint8Array[] {
  const ordered = [...tensors].sort(
    ([leftName, left], [rightName, right]) =>
      storedDtypes.indexOf(left.dtype) - storedDtypes.indexOf(right.dtype) ||
      compareCodePoints(leftName, rightName),
  );
  const entries: string[] = [];
  const metadataKeys = Object.keys(metadata).sort(compareCodePoints);
  if (metadataKeys.length > 0) {
    const pairs = metadataKeys.map((key) => `${jsonString(key)}:${jsonString(metadata[key]!)}`);
    entries.push(`"__metadata__":{${pairs.join(",")}}`);
  }
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { dtype, shape, data }] of ordered) {
    const place = `safetensors: tensor ${shown(name)}`;
    if (name === "__metadata__") {
      throw new QkvError("file", `${place}: this name is taken by the format; choose another`);
    }
    const byteLength = tensorBytes(dtype, shape);
    if (byteLength !== data.byteLength) {
      throw new QkvError(
        "file",
        `${place}: ${dtype} ${shown(shape)} has ${byteLength ?? "too many"} bytes; got ${data.byteLength}`,
      );
    }
    const end = offset + byteLength;
    const description = `{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":[${offset},${end}]}`;
    entries.push(`${jsonString(name)}:${description}`);
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset = end;
  }
  return [encodeHeader(`{${entries.join(",")}}`), ...parts];
}

/** The error for a file that the format does not allow. */
function damaged(where: string, rule: string, got: string): QkvError {
  return new QkvError(
    "file",
    `${where}: ${rule}; got ${got}; the file is damaged or of another format: fetch or write it again`,
  );
}

function parseJsonHeader(bytes: Uint8Array, where: string): Record<string, unknown> {
  let text: string;
  let fields: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    fields = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QkvError("file", damaged(where, "the header must be JSON in UTF-8", reason).message, { cause });
  }
  if (!isRecord(fields)) throw damaged(where, "the header must be a JSON object", shown(fields));
  const twice = duplicateKey(text);
  if (twice !== undefined)
    throw damaged(where, "a key may stand in the header once", `${shown(twice)} twice`);
  return fields;
}

function readMetadata(fields: Record<string, unknown>, where: string): Record<string, string> {
  const value = fields.__metadata__ ?? {};
  if (!isRecord(value) || !Object.values(value).every((text) => typeof text === "string")) {
    throw damaged(where, '"__metadata__" must be an object of strings', shown(value));
  }
  return value as Record<string, string>;
}

function readPlace(name: string, value: unknown, dataOffset: number, where: string): TensorPlace {
  const place = `${where}: tensor ${shown(name)}`;
  if (!isRecord(value)) throw damaged(place, "must be an object", shown(value));
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isStoredDtype(dtype)) {
    throw new QkvError(
      "file",
      `${place}: dtype must be one of ${storedDtypes.join(" ")}; got ${shown(dtype)}; convert the file`,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw damaged(place, "shape must be a list of whole numbers from 0 on", shown(shape));
  }
  const [start, end] = Array.isArray(offsets) && offsets.length === 2 ? (offsets as unknown[]) : [];
  if (!isCount(start) || !isCount(end) || start > end) {
    throw damaged(place, "data_offsets must be two whole numbers, start and end", shown(offsets));
  }
  const expected = tensorBytes(dtype, shape);
  if (expected !== end - start) {
    const rule = `${dtype} ${shown(shape)} has ${expected ?? "too many"} bytes`;
    throw damaged(place, rule, `data_offsets of ${end - start} bytes`);
  }
  return { dtype, shape, offset: dataOffset + start, byteLength: end - start };
}

/** Each tensor must begin where the one before ends, and the last end with the file. */
function checkCoverage(
  places: readonly (readonly [string, TensorPlace])[],
  dataOffset: number,
  fileBytes: number,
  where: string,
): void {
  let end = dataOffset;
  let previous = "the header";
  for (const [name, { offset, byteLength }] of places) {
    if (offset !== end) {
      const rule = `tensor ${shown(name)} must begin where ${previous} ends, at byte ${end}`;
      throw damaged(where, rule, `${offset > end ? "a gap" : "an overlap"}: it begins at ${offset}`);
    }
    end = offset + byteLength;
    previous = `tensor ${shown(name)}`;
  }
  if (end !== fileBytes)
    throw damaged(where, `the header describes a file of ${end} bytes`, `${fileBytes} bytes`);
}

/**
 * The header with its length before it, padded with spaces so that the tensors begin at a multiple of 8
 * bytes.
 */
function encodeHeader(json: string): Uint8Array {
  const text = new TextEncoder().encode(json);
  const length = Math.ceil(text.byteLength / 8) * 8;
  if (length > longestHeader) {
    throw new QkvError(
      "file",
      `safetensors: the header may have ${longestHeader} bytes at most; got ${length}`,
    );
  }
  const header = new Uint8Array(8 + length).fill(0x20, 8);
  new DataView(header.buffer).setUint32(0, length, true);
  header.set(text, 8);
  return header;
}

/**
 * Orders strings as their UTF-8 bytes are ordered; `<` compares UTF-16, which puts U+FFxx behind an emoji.
 */
function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return isSurrogate(a) === isSurrogate(b) ? a - b : isSurrogate(a) ? 1 : -1;
  }
  return left.length - right.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A JSON string. Half a surrogate pair has no place in UTF-8, so it would not come back. */
function jsonString(text: string): string {
  if (/\p{Surrogate}/u.test(text)) {
    throw new QkvError(
      "file",
      `safetensors: names and metadata must be well-formed Unicode; got ${shown(text)}`,
    );
  }
  return JSON.stringify(text);
}

/** A value as JSON, cut where it is long. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
