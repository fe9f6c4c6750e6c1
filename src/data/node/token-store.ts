import { closeSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";
import { offsetsOf, ResidentColumn, type TokenArray, type TokenColumn } from "../token-column.ts";
import {
  type ColumnHeader,
  damaged,
  type NumberKind,
  numberKinds,
  numbersPath,
  orderBytes,
  readHeader,
  type StoreHeader,
} from "./token-format.ts";

const pieceBytes = 8 * 1024 * 1024;

/** How prepared examples are opened. */
export interface OpenTokensOptions {
  /**
   * Columns up to this many bytes are held in memory, each for itself; larger ones are read example by example when
   * asked for, from the system's file cache as a rule. Default 256 MiB.
   */
  readonly residentBytes?: number;
}

/**
 * Opens examples that `prepareTokens` wrote. Reads and checks every byte.
 * @param folder - where they lie
 * @throws QkvError "file" where the folder is missing, holds something else, or is damaged
 */
export function openTokenStore(folder: string, options: OpenTokensOptions = {}): TokenStore {
  const { residentBytes = 256 * 1024 * 1024 } = options;
  const header = readHeader(folder);
  const columns = new Map<string, TokenColumn>();
  const files: FileColumn[] = [];
  try {
    for (const [name, column] of Object.entries(header.columns)) {
      const opened = openColumn(folder, header.examples, name, column, residentBytes);
      if (opened instanceof FileColumn) files.push(opened);
      columns.set(name, opened);
    }
  } catch (error) {
    for (const file of files) file.dispose();
    throw error;
  }
  return new TokenStore(folder, header, columns, files);
}

/** Prepared examples on a disk; see `openTokenStore`. */
export class TokenStore {
  readonly folder: string;
  /** The number of examples. */
  readonly length: number;
  /** SHA-256 over the content of the input files and the settings: equal for equal examples. */
  readonly fingerprint: string;
  /** What making the examples found; JSON data. */
  readonly report: unknown;
  /** The names of the columns. */
  readonly columns: readonly string[];
  readonly #header: StoreHeader;
  readonly #columns: ReadonlyMap<string, TokenColumn>;
  readonly #files: readonly FileColumn[];

  constructor(
    folder: string,
    header: StoreHeader,
    columns: ReadonlyMap<string, TokenColumn>,
    files: readonly FileColumn[],
  ) {
    this.folder = folder;
    this.length = header.examples;
    this.fingerprint = header.fingerprint;
    this.report = header.report;
    this.columns = [...columns.keys()];
    this.#header = header;
    this.#columns = columns;
    this.#files = files;
  }

  /**
   * One column.
   * @throws QkvError "option" where there is none of that name, with the nearest
   */
  column(name: string): TokenColumn {
    const column = this.#columns.get(name);
    if (column !== undefined) return column;
    const known = this.columns.join(", ");
    throw new QkvError(
      "option",
      `${this.folder}: the columns are ${known}; got "${name}"${didYouMean(name, this.columns)}`,
    );
  }

  /** What all numbers of a column are below; null for float32. */
  boundOf(name: string): number | null {
    this.column(name);
    return this.#header.columns[name]!.bound;
  }

  /** How many numbers an example has in a column; never reads from the disk. */
  lengthOf(column: string, example: number): number {
    return this.column(column).lengthOf(example);
  }

  /** The numbers of an example in a column; a view that must not be written to. */
  values(column: string, example: number): TokenArray {
    return this.column(column).values(example);
  }

  /** Closes the files, where any are open. May be called twice. */
  dispose(): void {
    for (const file of this.#files) file.dispose();
  }
}

function openColumn(
  folder: string,
  examples: number,
  name: string,
  { kind, lengthKind, numbers, lengthsChecksum, tokensChecksum }: ColumnHeader,
  residentBytes: number,
): ResidentColumn | FileColumn {
  const lengthsPath = numbersPath(folder, name, "lengths");
  const lengths = readNumbers(lengthsPath, examples, lengthKind, lengthsChecksum) as
    | Uint16Array
    | Uint32Array;
  let sum = 0;
  for (const length of lengths) sum += length;
  if (sum !== numbers) throw damaged(lengthsPath, `lengths that add up to ${numbers} tokens`, `${sum}`);
  const path = numbersPath(folder, name, "tokens");
  const bytes = numbers * numberKinds[kind].BYTES_PER_ELEMENT;
  if (bytes <= residentBytes) {
    return new ResidentColumn(lengths, readNumbers(path, numbers, kind, tokensChecksum));
  }
  const piece = Buffer.allocUnsafe(pieceBytes);
  checkPieces(path, bytes, tokensChecksum, (_, size) => piece.subarray(0, size));
  return new FileColumn(path, kind, lengths, numbers);
}

/** A column whose lengths lie in memory and whose numbers stay in their file. */
class FileColumn implements TokenColumn {
  readonly length: number;
  readonly total: number;
  readonly #path: string;
  readonly #kind: NumberKind;
  readonly #lengths: Uint16Array | Uint32Array;
  readonly #offsets: Uint32Array | Float64Array;
  #file: number | undefined;

  constructor(path: string, kind: NumberKind, lengths: Uint16Array | Uint32Array, total: number) {
    this.length = lengths.length;
    this.total = total;
    this.#path = path;
    this.#kind = kind;
    this.#lengths = lengths;
    this.#offsets = offsetsOf(lengths, total);
    this.#file = openFile(path);
  }

  lengthOf(example: number): number {
    return this.#lengths[example]!;
  }

  offsetOf(example: number): number {
    return this.#offsets[example]!;
  }

  values(example: number, from = 0, to = this.#lengths[example]!): TokenArray {
    const offset = this.#offsets[example]!;
    return this.range(offset + from, offset + to);
  }

  range(from: number, to: number): TokenArray {
    if (this.#file === undefined) {
      throw new QkvError("internal", `${this.#path}: the corpus was closed before this was read`);
    }
    const width = numberKinds[this.#kind].BYTES_PER_ELEMENT;
    const bytes = Buffer.from(new ArrayBuffer((to - from) * width));
    readFully(this.#path, this.#file, bytes, from * width);
    return numbersIn(bytes, this.#kind);
  }

  dispose(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

/** A whole file of numbers. */
function readNumbers(path: string, count: number, kind: NumberKind, checksum: number): TokenArray {
  const bytes = Buffer.from(new ArrayBuffer(count * numberKinds[kind].BYTES_PER_ELEMENT));
  checkPieces(path, bytes.length, checksum, (at, size) => bytes.subarray(at, at + size));
  return numbersIn(bytes, kind);
}

/** The numbers in a buffer that has its memory to itself. */
function numbersIn(bytes: Buffer<ArrayBuffer>, kind: NumberKind): TokenArray {
  const numbers = new numberKinds[kind](bytes.buffer);
  orderBytes(bytes, numbers.BYTES_PER_ELEMENT);
  return numbers;
}

/**
 * Reads a file piece by piece and checks its CRC-32.
 * @param pieceFor - gives the memory for the piece of this position and size
 */
function checkPieces(
  path: string,
  size: number,
  checksum: number,
  pieceFor: (at: number, size: number) => Buffer,
): void {
  const file = openFile(path);
  let actual = 0;
  try {
    for (let at = 0; at < size; at += pieceBytes) {
      const piece = pieceFor(at, Math.min(size - at, pieceBytes));
      readFully(path, file, piece, at);
      actual = crc32(piece, actual);
    }
  } finally {
    closeSync(file);
  }
  if (actual !== checksum) throw damaged(path, `bytes with the CRC-32 ${checksum}`, `${actual}`);
}

function readFully(path: string, file: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length; ) {
    let count: number;
    try {
      count = readSync(file, bytes, at, bytes.length - at, position + at);
    } catch (error) {
      throw fileError(path, "cannot read", error);
    }
    if (count === 0) throw damaged(path, `${position + bytes.length} bytes`, `${position + at}`);
    at += count;
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw fileError(path, "cannot read", error);
  }
}
