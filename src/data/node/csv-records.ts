/**
 * Comma- and tab-separated values, as RFC 4180 describes them. A reader of our own, since it must know the line where
 * a row begins, check the encoding, and lose no good row behind a bad one.
 */
import { QkvError } from "../../util/errors.ts";
import { LineReader } from "./line-reader.ts";
import {
  type ColumnName,
  columnIndices,
  type FormatOptions,
  mapField,
  type Row,
  type TextSource,
} from "./record-rows.ts";

/** A row beyond this many characters has a quote that nobody closed. */
const longestRow = 64 * 1024 * 1024;

/** Comma-separated values; see `separatedRows`. */
export function csvRows(
  source: TextSource,
  columns: readonly ColumnName[],
  options: FormatOptions,
): Iterable<Row> {
  return separatedRows(source, columns, ",", options.quotes ?? true, options.columnNames);
}

/** Tab-separated values, in which a quote is a character like others unless `quotes` says otherwise. */
export function tsvRows(
  source: TextSource,
  columns: readonly ColumnName[],
  options: FormatOptions,
): Iterable<Row> {
  return separatedRows(source, columns, "\t", options.quotes ?? false, options.columnNames);
}

/**
 * Rows of cells. The first row names the columns unless their names are given. With quotes, a cell that begins with
 * a double quote ends with one, holds two for each of its own, and may hold separators and line breaks (read as "\n");
 * a quote inside any other cell is a character like others. Lines without any character are no rows where there is
 * more than one column.
 */
function* separatedRows(
  source: TextSource,
  columns: readonly ColumnName[],
  separator: string,
  quotes: boolean,
  columnNames: readonly string[] | undefined,
): Generator<Row, void, undefined> {
  const reader = new LineReader(source.path, { shownPath: source.shownPath });
  try {
    const names = columnNames ?? headerOf(reader, separator, quotes);
    const wayOut = `${mapField}; where the file has no header, name its columns in data.column_names`;
    const wanted = columnIndices(source.shownPath, columns, names, wayOut);
    for (;;) {
      const row = nextRow(reader, separator, quotes);
      if (row === undefined) return;
      const { line } = row;
      if ("problem" in row) yield row;
      else if (row.cells.length === names.length)
        yield { line, values: wanted.map((index) => row.cells[index]) };
      else if (row.cells.length > 1 || row.cells[0] !== "") {
        const [wantedCount, got] = [countOf(names.length), row.cells.length];
        yield { line, problem: `a row must have ${wantedCount}, as many as there are columns; got ${got}` };
      }
    }
  } finally {
    reader.dispose();
  }
}

function headerOf(reader: LineReader, separator: string, quotes: boolean): readonly string[] {
  const header = nextRow(reader, separator, quotes);
  if (header !== undefined && "cells" in header) return header.cells;
  const got = header === undefined ? "an empty file" : header.problem;
  throw new QkvError(
    "data",
    `${reader.path}:1: the first row must name the columns; got ${got}; check the file`,
  );
}

type CellRow = { line: number; cells: readonly string[] } | { line: number; problem: string };

function nextRow(reader: LineReader, separator: string, quotes: boolean): CellRow | undefined {
  const text = reader.read();
  if (text === undefined) return undefined;
  const line = reader.lineNumber;
  if (quotes && text.includes('"')) return quotedRow(text, reader, separator);
  if (reader.problem !== undefined) return { line, problem: reader.problem };
  return { line, cells: text.split(separator) };
}

/** A row with quotes, which may go on over several lines. */
function quotedRow(first: string, reader: LineReader, separator: string): CellRow {
  const line = reader.lineNumber;
  const cells: string[] = [];
  let problem = reader.problem;
  let text = first;
  for (let at = 0; at <= text.length; ) {
    if (text[at] !== '"') {
      const next = text.indexOf(separator, at);
      const end = next === -1 ? text.length : next;
      cells.push(text.slice(at, end));
      at = end + 1;
      continue;
    }
    let cell = "";
    let from = at + 1;
    for (;;) {
      const quote = text.indexOf('"', from);
      if (quote === -1) {
        // The cell goes on in the next line; what was read already is not looked at again.
        const more = cell.length < longestRow ? reader.read() : undefined;
        if (more === undefined) throw neverClosed(reader, line);
        problem ??= reader.problem;
        cell += `${text.slice(from)}\n`;
        text = more;
        from = 0;
      } else if (text[quote + 1] === '"') {
        cell += text.slice(from, quote + 1);
        from = quote + 2;
      } else {
        cell += text.slice(from, quote);
        at = quote + 1;
        break;
      }
    }
    cells.push(cell);
    if (at < text.length && text[at] !== separator) {
      const got = JSON.stringify(text.slice(at, at + 20));
      return { line, problem: `behind a closing quote comes a separator or the row's end; got ${got}` };
    }
    at++;
  }
  return problem === undefined ? { line, cells } : { line, problem };
}

/** An error even where bad rows may be skipped: everything behind the quote would be lost. */
function neverClosed(reader: LineReader, line: number): QkvError {
  return new QkvError(
    "data",
    `${reader.path}:${line}: a quote that opens a cell must be closed; got none up to line ${reader.lineNumber}; ` +
      "close it, or write it twice where it is part of the text",
  );
}

function countOf(columns: number): string {
  return columns === 1 ? "1 cell" : `${columns} cells`;
}
