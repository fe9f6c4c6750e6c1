import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const defaultBlockBytes = 256 * 1024;
/** A line beyond this is a file without line breaks rather than a sentence. */
const maxLineBytes = 64 * 1024 * 1024;

export interface LineReaderOptions {
  /** How much is read at once; longer lines are read all the same. Default: 256 KiB. */
  readonly blockBytes?: number;
  /** Whether "\r" before "\n" and a byte order mark stay: lines are then all that stands between "\n". Default: false. */
  readonly exact?: boolean;
  /** How errors call the file, where it is a copy of another. */
  readonly shownPath?: string;
}

/**
 * Reads a text file line by line in constant memory.
 * A line ends at "\n" only; one "\r" before it is dropped, and so is a byte order mark at the start of the file,
 * unless lines are to be exact.
 * Other characters that Unicode calls line breaks (U+2028, form feed ...) stay in the line, so that the line numbers
 * are those of `wc -l` and of editors. The last line needs no "\n". The file must be valid UTF-8.
 * Reading blocks the thread for a fraction of a millisecond per block.
 */
export class LineReader {
  readonly path: string;
  readonly #exact: boolean;
  /** The number of the line that was read last, counted from 1; 0 before the first. */
  lineNumber = 0;
  /** What is wrong with the line that was read last; undefined where it is valid UTF-8. */
  problem: string | undefined;
  #file: number | undefined;
  #buffer: Buffer;
  /** Bytes of the buffer that hold content; whole lines end at `#blockEnd`. */
  #filled = 0;
  #blockEnd = 0;
  #position = 0;
  #blockIsValid = true;
  #isFirstBlock = true;
  #isAtEnd = false;

  /** @throws QkvError where the file is missing, may not be read, or is a folder */
  constructor(
    path: string,
    { blockBytes = defaultBlockBytes, exact = false, shownPath = path }: LineReaderOptions = {},
  ) {
    this.path = shownPath;
    this.#exact = exact;
    this.#buffer = Buffer.allocUnsafe(blockBytes);
    this.#file = openForReading(path);
  }

  /**
   * The next line without its line break, or undefined after the last.
   * @throws QkvError with the line number where the line is not valid UTF-8
   */
  next(): string | undefined {
    const line = this.read();
    if (line === undefined || this.problem === undefined) return line;
    throw new QkvError("data", `${this.path}: line ${this.lineNumber}: ${this.problem}`);
  }

  /**
   * The next line as `next` gives it, where it is not valid UTF-8 with U+FFFD in the place of what cannot be decoded
   * and with `problem` set.
   */
  read(): string | undefined {
    while (this.#position >= this.#blockEnd) {
      if (!this.#readBlock()) return undefined;
    }
    const start = this.#position;
    let end = this.#buffer.indexOf(lineFeed, start);
    if (end === -1 || end >= this.#blockEnd) end = this.#blockEnd;
    this.#position = end + 1;
    this.lineNumber++;
    if (!this.#exact && end > start && this.#buffer[end - 1] === carriageReturn) end--;
    this.problem = this.#blockIsValid ? undefined : this.#problemOf(this.#buffer.subarray(start, end));
    // Decoded line by line, since a slice of a decoded block would keep the whole block in memory.
    return this.#buffer.toString("utf8", start, end);
  }

  /** Every line that is left; closes the file at the end or when the loop is left. */
  *[Symbol.iterator](): Generator<string, void, undefined> {
    try {
      for (let line = this.next(); line !== undefined; line = this.next()) yield line;
    } finally {
      this.dispose();
    }
  }

  /** Closes the file. May be called twice. */
  dispose(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#filled = this.#blockEnd = this.#position = 0;
    this.#isAtEnd = true;
  }

  /** Reads until the buffer holds at least one whole line; false at the end of the file. */
  #readBlock(): boolean {
    this.#buffer.copyWithin(0, this.#blockEnd, this.#filled);
    this.#filled -= this.#blockEnd;
    this.#position = this.#blockEnd = 0;
    while (this.#blockEnd === 0 && !this.#isAtEnd) {
      if (this.#filled === this.#buffer.length) this.#growBuffer();
      const count = readSome(this.path, this.#file!, this.#buffer, this.#filled);
      if (count === 0) this.#isAtEnd = true;
      const added = this.#buffer.subarray(this.#filled, this.#filled + count);
      const lastBreak = added.lastIndexOf(lineFeed);
      if (lastBreak !== -1) this.#blockEnd = this.#filled + lastBreak + 1;
      this.#filled += count;
    }
    if (this.#blockEnd === 0) this.#blockEnd = this.#filled;
    if (this.#blockEnd === 0) return false;
    const block = this.#buffer.subarray(0, this.#blockEnd);
    if (this.#isFirstBlock && !this.#exact && startsWith(block, byteOrderMark)) {
      this.#position = byteOrderMark.length;
    }
    this.#isFirstBlock = false;
    this.#blockIsValid = isUtf8(block);
    return true;
  }

  #growBuffer(): void {
    if (this.#buffer.length >= maxLineBytes) {
      throw new QkvError(
        "data",
        `${this.path}: line ${this.lineNumber + 1}: a line may have at most ${maxLineBytes} bytes; ` +
          'got more; end each line with a line break ("\\n")',
      );
    }
    const larger = Buffer.allocUnsafe(this.#buffer.length * 2);
    this.#buffer.copy(larger, 0, 0, this.#filled);
    this.#buffer = larger;
  }

  #problemOf(line: Buffer): string | undefined {
    if (isUtf8(line)) return undefined;
    const offset = firstInvalidByte(line);
    const byte = line[offset]!.toString(16).toUpperCase().padStart(2, "0");
    return (
      `not valid UTF-8; got byte 0x${byte} at position ${offset + 1} of the line; ` +
      (this.lineNumber === 1 ? wayOutByFirstBytes(this.#buffer) : wayOut)
    );
  }
}

/** The lines of a text file in order, read as `LineReader` describes. */
export function readLines(path: string, options: LineReaderOptions = {}): Generator<string, void, undefined> {
  return new LineReader(path, options)[Symbol.iterator]();
}

/** What can be known of a text file without decoding it. */
export interface TextFileSurvey {
  /** The number of lines that `LineReader` finds. */
  readonly lines: number;
  readonly bytes: number;
  /** Of the file's bytes, in hexadecimal digits. */
  readonly sha256: string;
}

/** Counts the lines of a file and hashes its content, at several hundred megabytes a second. */
export function surveyTextFile(path: string): TextFileSurvey {
  const file = openForReading(path);
  try {
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafe(4 * defaultBlockBytes);
    let bytes = 0;
    let lines = 0;
    let lastByte = lineFeed;
    let isOnlyMark = false;
    for (;;) {
      const count = readSome(path, file, buffer, 0);
      if (count === 0) break;
      const block = buffer.subarray(0, count);
      hash.update(block);
      isOnlyMark = bytes === 0 && block.equals(byteOrderMark);
      for (let at = block.indexOf(lineFeed); at !== -1; at = block.indexOf(lineFeed, at + 1)) lines++;
      lastByte = block[count - 1]!;
      bytes += count;
    }
    if (lastByte !== lineFeed && !isOnlyMark) lines++;
    return { lines, bytes, sha256: hash.digest("hex") };
  } finally {
    closeSync(file);
  }
}

const wayOut = "convert the file to UTF-8, for example with iconv -f latin1 -t utf-8";

function wayOutByFirstBytes(start: Buffer): string {
  const looksLike = (...bytes: number[]) => startsWith(start, Buffer.from(bytes));
  if (looksLike(0x1f, 0x8b)) return "it looks like a gzip file: unpack it with gunzip";
  if (looksLike(0x50, 0x4b, 3, 4)) return "it looks like a zip file: unpack it with unzip";
  if (looksLike(0xff, 0xfe) || looksLike(0xfe, 0xff)) {
    return "it looks like UTF-16: convert it with iconv -f utf-16 -t utf-8";
  }
  return wayOut;
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  return bytes.length >= start.length && bytes.subarray(0, start.length).equals(start);
}

/** The position of the first byte that cannot be decoded. */
function firstInvalidByte(line: Buffer): number {
  const replaced = line.toString("utf8");
  const replacement = Buffer.from("\uFFFD");
  for (let at = replaced.indexOf("\uFFFD"); at !== -1; at = replaced.indexOf("\uFFFD", at + 1)) {
    const offset = Buffer.byteLength(replaced.slice(0, at));
    if (!startsWith(line.subarray(offset), replacement)) return offset;
  }
  return 0;
}

function openForReading(path: string): number {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw fileError(path, "cannot read", error);
  }
  if (!fstatSync(file).isDirectory()) return file;
  closeSync(file);
  throw new QkvError("file", `${path}: cannot read; it is a folder, where a file is needed`);
}

function readSome(path: string, file: number, buffer: Buffer, offset: number): number {
  try {
    return readSync(file, buffer, offset, buffer.length - offset, null);
  } catch (error) {
    throw fileError(path, "cannot read", error);
  }
}
