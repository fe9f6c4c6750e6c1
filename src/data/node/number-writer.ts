import { closeSync, openSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { fileError } from "../../util/node/file-error.ts";
import type { TokenArray } from "../token-column.ts";
import { type NumberKind, numberKinds, orderBytes } from "./token-format.ts";

const bufferBytes = 1024 * 1024;

/** Writes numbers of 2 or 4 bytes, little-endian, to a file, and keeps the CRC-32 of what was written. */
export class NumberWriter {
  readonly path: string;
  /** Of all bytes written so far; whole after `close`. */
  checksum = 0;
  /** How many numbers were added. */
  count = 0;
  readonly #bytes = Buffer.from(new ArrayBuffer(bufferBytes));
  readonly #numbers: TokenArray;
  #used = 0;
  #file: number | undefined;

  constructor(path: string, kind: NumberKind) {
    this.path = path;
    this.#numbers = new numberKinds[kind](this.#bytes.buffer);
    try {
      this.#file = openSync(path, "w");
    } catch (error) {
      throw fileError(path, "cannot write", error);
    }
  }

  /** Adds one number, which must fit. */
  add(value: number): void {
    if (this.#used === this.#numbers.length) this.#flush();
    this.#numbers[this.#used++] = value;
    this.count++;
  }

  /** Adds several. */
  addAll(values: ArrayLike<number>): void {
    for (let index = 0; index < values.length; index++) this.add(values[index]!);
  }

  /** Writes the rest and closes the file. */
  close(): void {
    try {
      this.#flush();
    } finally {
      this.dispose();
    }
  }

  /** Closes the file without writing the rest. May be called twice. */
  dispose(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #flush(): void {
    const width = this.#numbers.BYTES_PER_ELEMENT;
    const bytes = this.#bytes.subarray(0, this.#used * width);
    orderBytes(bytes, width);
    this.checksum = crc32(bytes, this.checksum);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file!, bytes, at);
    } catch (error) {
      throw fileError(this.path, "cannot write", error);
    }
    this.#used = 0;
  }
}
