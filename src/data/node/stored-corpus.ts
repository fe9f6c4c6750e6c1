import { closeSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";
import type { ParallelCorpus, TokenIds } from "../parallel-corpus.ts";
import {
  type CorpusHeader,
  damaged,
  numbersPath,
  orderBytes,
  readHeader,
  type Side,
  tokenBytes,
} from "./corpus-format.ts";
import type { CorpusReport } from "./corpus-report.ts";

const pieceBytes = 8 * 1024 * 1024;

/** How a prepared corpus is opened. */
export interface OpenCorpusOptions {
  /**
   * Token files up to this many bytes are held in memory, each language for itself; larger ones are read sentence by
   * sentence when asked for, from the system's file cache as a rule. Default 256 MiB.
   */
  readonly residentBytes?: number;
}

/**
 * A corpus that `prepareParallelCorpus` wrote. Opening reads and checks every byte.
 * @param folder - where it lies
 * @throws QkvError where the folder is missing, is no corpus, or is damaged
 */
export function openParallelCorpus(folder: string, options: OpenCorpusOptions = {}): StoredCorpus {
  const { residentBytes = 256 * 1024 * 1024 } = options;
  const header = readHeader(folder);
  const source = new StoredSide(folder, header, "source", residentBytes);
  try {
    return new StoredCorpus(folder, header, source, new StoredSide(folder, header, "target", residentBytes));
  } catch (error) {
    source.dispose();
    throw error;
  }
}

/** A prepared corpus on a disk; see `openParallelCorpus`. */
export class StoredCorpus implements ParallelCorpus {
  readonly folder: string;
  readonly length: number;
  /** What preparing it found. */
  readonly report: CorpusReport;
  /** SHA-256 over the content of the text files, the tokenizer and the options: equal for equal corpora. */
  readonly fingerprint: string;
  readonly sourceVocabSize: number;
  readonly targetVocabSize: number;
  readonly #source: StoredSide;
  readonly #target: StoredSide;

  constructor(folder: string, header: CorpusHeader, source: StoredSide, target: StoredSide) {
    this.folder = folder;
    this.length = header.report.pairs;
    this.report = header.report;
    this.fingerprint = header.fingerprint;
    this.sourceVocabSize = header.sides.source.vocabSize;
    this.targetVocabSize = header.sides.target.vocabSize;
    this.#source = source;
    this.#target = target;
  }

  sourceLength(pair: number): number {
    return this.#source.lengthOf(pair);
  }

  targetLength(pair: number): number {
    return this.#target.lengthOf(pair);
  }

  source(pair: number): TokenIds {
    return this.#source.tokensOf(pair);
  }

  target(pair: number): TokenIds {
    return this.#target.tokensOf(pair);
  }

  /** Closes the files, where any are open. May be called twice. */
  dispose(): void {
    this.#source.dispose();
    this.#target.dispose();
  }
}

/** The sentences of one language: lengths in memory, tokens there too or in their file. */
class StoredSide {
  readonly #path: string;
  readonly #width: 2 | 4;
  readonly #lengths: Uint16Array;
  readonly #offsets: Uint32Array | Float64Array;
  readonly #resident: TokenIds | undefined;
  #file: number | undefined;

  constructor(folder: string, header: CorpusHeader, side: Side, residentBytes: number) {
    const { tokens, vocabSize, lengthsChecksum, tokensChecksum } = header.sides[side];
    const lengthsPath = numbersPath(folder, side, "lengths");
    this.#lengths = readNumbers(lengthsPath, header.report.pairs, 2, lengthsChecksum) as Uint16Array;
    this.#offsets = offsetsOf(this.#lengths, tokens, lengthsPath);
    this.#path = numbersPath(folder, side, "tokens");
    this.#width = tokenBytes(vocabSize);
    if (tokens * this.#width <= residentBytes) {
      this.#resident = readNumbers(this.#path, tokens, this.#width, tokensChecksum);
    } else {
      const piece = Buffer.allocUnsafe(pieceBytes);
      checkPieces(this.#path, tokens * this.#width, tokensChecksum, (_, size) => piece.subarray(0, size));
      this.#file = openFile(this.#path);
    }
  }

  lengthOf(pair: number): number {
    return this.#lengths[pair]!;
  }

  tokensOf(pair: number): TokenIds {
    const offset = this.#offsets[pair]!;
    const length = this.#lengths[pair]!;
    if (this.#resident !== undefined) return this.#resident.subarray(offset, offset + length);
    if (this.#file === undefined) {
      throw new QkvError("internal", `${this.#path}: the corpus was closed before this sentence was read`);
    }
    const bytes = Buffer.from(new ArrayBuffer(length * this.#width));
    readFully(this.#path, this.#file, bytes, offset * this.#width);
    return numbersIn(bytes, this.#width);
  }

  dispose(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

/** Where each sentence begins, in tokens. */
function offsetsOf(lengths: Uint16Array, tokens: number, path: string): Uint32Array | Float64Array {
  const offsets = tokens < 2 ** 32 ? new Uint32Array(lengths.length) : new Float64Array(lengths.length);
  let offset = 0;
  for (let pair = 0; pair < lengths.length; pair++) {
    offsets[pair] = offset;
    offset += lengths[pair]!;
  }
  if (offset !== tokens) throw damaged(path, `lengths that add up to ${tokens} tokens`, `${offset}`);
  return offsets;
}

/** A whole file of numbers. */
function readNumbers(path: string, count: number, width: 2 | 4, checksum: number): TokenIds {
  const bytes = Buffer.from(new ArrayBuffer(count * width));
  checkPieces(path, bytes.length, checksum, (at, size) => bytes.subarray(at, at + size));
  return numbersIn(bytes, width);
}

/** The numbers in a buffer that has its memory to itself. */
function numbersIn(bytes: Buffer<ArrayBuffer>, width: 2 | 4): TokenIds {
  orderBytes(bytes, width);
  return width === 2 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
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
