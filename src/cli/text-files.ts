import { isUtf8 } from "node:buffer";
import { QkvError } from "../util/errors.ts";

/** The lines of a text file, split at \n only; strict about UTF-8. */
export async function readTextLines(path: string): Promise<string[]> {
  const { readLines } = await import("../data/node/line-reader.ts");
  return [...readLines(path)];
}

/**
 * What the lines of a file hold: the text of each, or where the file's name ends in ".jsonl" its JSON value, so that
 * a text may hold line breaks, be missing (`null`), or be a list.
 * @throws QkvError "data" with the line number where a line is not JSON
 */
export async function readItems(path: string): Promise<unknown[]> {
  const lines = await readTextLines(path);
  if (!path.endsWith(".jsonl")) return lines;
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as unknown;
    } catch (cause) {
      const rule = `${path}: line ${index + 1}: each line of a .jsonl file is a JSON value`;
      throw new QkvError("data", `${rule}; got ${JSON.stringify(line.slice(0, 60))}; correct the line`, {
        cause,
      });
    }
  });
}

/**
 * Reads files whose lines belong together, line N of one to line N of the others.
 * @throws QkvError "data" where they have unequal numbers of lines, or none
 */
export async function readParallel<Item>(
  first: string,
  others: readonly string[],
  read: (path: string) => Promise<Item[]>,
): Promise<[Item[], Item[][]]> {
  const items = await read(first);
  if (items.length === 0) {
    throw new QkvError("data", `${first}: must hold one item a line; got an empty file; check the path`);
  }
  const rest: Item[][] = [];
  for (const path of others) {
    const own = await read(path);
    if (own.length !== items.length) {
      throw new QkvError(
        "data",
        `${first} and ${path}: must have the same number of lines; got ${items.length} and ${own.length}; ` +
          "line N of one belongs to line N of the other",
      );
    }
    rest.push(own);
  }
  return [items, rest];
}

/**
 * The lines of standard input as they come, as many at a time as are there, at most `most`.
 * From a terminal that is one; where a pipe is slow, lines are not kept waiting for others.
 * @param options - `exact`: "\r" before "\n" and a byte order mark stay, see `LineReader`
 * @throws QkvError "data" with the line number where a line is not valid UTF-8
 */
export async function* readInputLines(
  most: number,
  { input = process.stdin, exact = false }: { input?: NodeJS.ReadStream; exact?: boolean } = {},
): AsyncGenerator<string[], void, undefined> {
  let rest: Buffer[] = [];
  let number = 0;
  const decode = (bytes: Buffer): string => {
    number++;
    const start = !exact && number === 1 && bytes.subarray(0, 3).equals(byteOrderMark) ? 3 : 0;
    const end = !exact && bytes.at(-1) === 0x0d ? bytes.length - 1 : bytes.length;
    const line = bytes.subarray(start, end);
    if (isUtf8(line)) return line.toString("utf8");
    throw new QkvError(
      "data",
      `standard input: line ${number}: is not valid UTF-8; convert the text to UTF-8`,
    );
  };
  const lines: string[] = [];
  const pieces: AsyncIterator<Buffer> = input[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let next = pieces.next();
  for (;;) {
    const piece = lines.length >= most ? undefined : await (lines.length === 0 ? next : withinMoments(next));
    if (piece === undefined) {
      yield lines.splice(0, most);
      continue;
    }
    if (piece.done) break;
    let start = 0;
    for (let end = piece.value.indexOf(0x0a); end !== -1; end = piece.value.indexOf(0x0a, start)) {
      lines.push(decode(Buffer.concat([...rest, piece.value.subarray(start, end)])));
      rest = [];
      start = end + 1;
    }
    if (start < piece.value.length) rest.push(piece.value.subarray(start));
    next = pieces.next();
  }
  if (rest.length > 0) lines.push(decode(Buffer.concat(rest)));
  while (lines.length > 0) yield lines.splice(0, most);
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const moments = 50;

/** The value if it comes within 50 milliseconds. */
async function withinMoments<Value>(value: Promise<Value>): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), moments);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Texts in chunks: those given, or the lines of a file or of standard input as they come.
 * @param input - the file, where it is one
 * @param most - the most lines of a chunk
 */
export async function inputChunks(
  texts: readonly string[],
  input: string | undefined,
  most: number,
): Promise<Iterator<string[]> | AsyncIterator<string[]>> {
  if (texts.length > 0) return [[...texts]].values();
  if (input !== undefined) {
    const { readLines } = await import("../data/node/line-reader.ts");
    return chunksOf(readLines(input), most);
  }
  if (process.stdin.isTTY) process.stderr.write("Type a sentence and press Enter; Ctrl-D ends.\n");
  return readInputLines(process.stdin.isTTY ? 1 : most);
}

function* chunksOf(lines: Iterable<string>, most: number): Generator<string[], void, undefined> {
  let chunk: string[] = [];
  for (const line of lines) {
    if (chunk.push(line) < most) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** All of a file, or of standard input, as one text. */
export async function readWholeText(input: string | undefined): Promise<string> {
  const lines: string[] = [];
  const chunks = await inputChunks([], input, 512);
  for (;;) {
    const { done, value } = await chunks.next();
    if (done) return lines.join("\n");
    lines.push(...value);
  }
}

/** So that one result stays on one line, whatever a model writes. */
export const onOneLine = (text: string): string => text.replace(/[\r\n]+/g, " ");

/** Writes to standard output and waits where the reader is slower than we are. */
export async function print(text: string): Promise<void> {
  if (process.stdout.write(text)) return;
  await new Promise<void>((resolve) => {
    process.stdout.once("drain", resolve);
  });
}
