import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { fileError } from "../../util/node/file-error.ts";
import { LineReader } from "./line-reader.ts";
import {
  type ColumnName,
  columnIndices,
  type FormatOptions,
  type Row,
  type TextSource,
} from "./record-rows.ts";

/**
 * Plain text, whose one column is called `text`: each line a record; or each document, lines joined by "\n", with one
 * or more blank lines between; or the whole file as it is, less a byte order mark, which then must fit in memory.
 */
export function textRows(
  source: TextSource,
  columns: readonly ColumnName[],
  { unit = "line" }: FormatOptions,
): Iterable<Row> {
  const wayOut =
    'plain text has the one column "text"; map the field to it in data.columns, or name the format (data.format)';
  const valuesOf = (text: string) => columns.map(() => text);
  columnIndices(source.shownPath, columns, ["text"], wayOut);
  if (unit === "file") return [wholeFile(source, valuesOf)];
  const reader = new LineReader(source.path, { shownPath: source.shownPath });
  return unit === "line" ? lineRows(reader, valuesOf) : documentRows(reader, valuesOf);
}

type ValuesOf = (text: string) => readonly string[];

function* lineRows(reader: LineReader, valuesOf: ValuesOf): Generator<Row, void, undefined> {
  try {
    for (let text = reader.read(); text !== undefined; text = reader.read()) {
      const { lineNumber: line, problem } = reader;
      yield problem === undefined ? { line, values: valuesOf(text) } : { line, problem };
    }
  } finally {
    reader.dispose();
  }
}

function* documentRows(reader: LineReader, valuesOf: ValuesOf): Generator<Row, void, undefined> {
  let lines: string[] = [];
  let bad: Row | undefined;
  const finished = (): Row[] => {
    const line = reader.lineNumber - lines.length;
    const rows =
      bad !== undefined ? [bad] : lines.length > 0 ? [{ line, values: valuesOf(lines.join("\n")) }] : [];
    lines = [];
    bad = undefined;
    return rows;
  };
  try {
    for (let text = reader.read(); text !== undefined; text = reader.read()) {
      const { lineNumber: line, problem } = reader;
      if (problem !== undefined) bad ??= { line, problem };
      if (text.trim() === "") yield* finished();
      else lines.push(text);
    }
    reader.lineNumber++;
    yield* finished();
  } finally {
    reader.dispose();
  }
}

function wholeFile({ path, shownPath }: TextSource, valuesOf: ValuesOf): Row {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw fileError(shownPath, "cannot read", error);
  }
  if (isUtf8(bytes)) return { line: 1, values: valuesOf(new TextDecoder().decode(bytes)) };
  // The line reader knows where.
  const reader = new LineReader(path, { shownPath });
  try {
    while (reader.read() !== undefined && reader.problem === undefined);
    return { line: reader.lineNumber, problem: reader.problem ?? "not valid UTF-8" };
  } finally {
    reader.dispose();
  }
}
