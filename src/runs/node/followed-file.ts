import { open } from "node:fs/promises";
import { errorCode, fileError } from "../../util/node/file-error.ts";
import type { ParsedLines } from "../records.ts";

type ParseLines<Value> = (text: string, where: string, firstLine: number) => ParsedLines<Value>;

/** How far a file has been read. */
interface Place {
  readonly inode: number;
  /** The bytes of the lines that are whole. */
  readonly offset: number;
  readonly line: number;
}

const beginning: Omit<Place, "inode"> = { offset: 0, line: 1 };

/** Reads a file of lines while somebody else writes it. A line counts when its end has been written. */
export class FollowedFile<Value> {
  readonly #path: string;
  readonly #parse: ParseLines<Value>;
  #place: Place = { inode: -1, ...beginning };
  #lines: ParsedLines<Value> = { records: [], problems: [] };

  constructor(path: string, parse: ParseLines<Value>) {
    this.#path = path;
    this.#parse = parse;
  }

  get records(): readonly Value[] {
    return this.#lines.records;
  }

  get problems(): readonly string[] {
    return this.#lines.problems;
  }

  /**
   * Reads what is new. A file that was replaced or cut, as by a run that goes on, is read from its beginning; one that
   * is not there is empty.
   * @returns whether anything has changed
   */
  async poll(): Promise<boolean> {
    const before = this.#place;
    const { place, bytes } = await this.#readFrom(before);
    const end = bytes.lastIndexOf("\n") + 1;
    const isOther = place.inode !== before.inode || place.offset < before.offset;
    if (end === 0 && !isOther) return false;
    const text = bytes.toString("utf8", 0, end);
    const { records, problems } = this.#parse(text, this.#path, place.line);
    const kept = isOther ? { records: [], problems: [] } : this.#lines;
    this.#lines = {
      records: [...kept.records, ...records],
      problems: [...kept.problems, ...problems],
    };
    this.#place = {
      inode: place.inode,
      offset: place.offset + end,
      line: place.line + text.split("\n").length - 1,
    };
    return true;
  }

  /** The bytes from a place on, or from the beginning where it is another file by now. */
  async #readFrom(before: Place): Promise<{ place: Place; bytes: Buffer }> {
    let file: Awaited<ReturnType<typeof open>>;
    try {
      file = await open(this.#path, "r");
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw fileError(this.#path, "cannot read", error);
      return { place: { inode: -1, ...beginning }, bytes: Buffer.alloc(0) };
    }
    try {
      const { ino: inode, size } = await file.stat();
      const isSame = inode === before.inode && size >= before.offset;
      const place = isSame ? before : { inode, ...beginning };
      const bytes = Buffer.alloc(size - place.offset);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, place.offset);
      return { place, bytes: bytes.subarray(0, bytesRead) };
    } finally {
      await file.close();
    }
  }
}
