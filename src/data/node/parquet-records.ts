import { statSync } from "node:fs";
import type { FileMetaData } from "hyparquet";
import { QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";
import {
  type ColumnName,
  columnIndices,
  columnValue,
  type Row,
  splitName,
  type TextSource,
} from "./record-rows.ts";

/** Stands for a text that is not valid UTF-8. */
const invalidText = Symbol("invalid UTF-8");

/**
 * The rows of a Parquet file, which for this format are counted instead of lines. Memory holds one row group of the
 * wanted columns. Compression by snappy, gzip, zstd, brotli and LZ4 is understood, encryption is not. Whole numbers of
 * 64 bits beyond 2^53 are refused.
 */
export async function* parquetRows(
  { path, shownPath }: TextSource,
  columns: readonly ColumnName[],
): AsyncGenerator<Row, void, undefined> {
  // Loaded when the first such file is read: most trainings have none.
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  checkIsFile(path, shownPath);
  const unreadable = (error: unknown): QkvError =>
    new QkvError(
      "data",
      `${shownPath}: cannot be read as Parquet; got ${error instanceof Error ? error.message : error}; ` +
        "check the file and its format",
      { cause: error },
    );
  const file = await asyncBufferFromFile(path);
  let metadata: FileMetaData;
  try {
    metadata = await parquetMetadataAsync(file);
  } catch (error) {
    throw unreadable(error);
  }
  const available = columnNames(metadata);
  const names = columnIndices(shownPath, columns, available).map((index) => available[index]!);
  const isWhole = new Set(topLevelColumns(metadata));
  const read = [...new Set(names.map((name) => (isWhole.has(name) ? name : splitName(name)[0])))];
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const stringFromBytes = (bytes: Uint8Array): unknown => {
    try {
      return bytes && decoder.decode(bytes);
    } catch {
      return invalidText;
    }
  };
  let line = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = line + Number(group.num_rows);
    let rows: Record<string, unknown>[];
    try {
      rows = await parquetReadObjects({
        file,
        metadata,
        columns: read,
        rowStart: line,
        rowEnd,
        compressors,
        parsers: { stringFromBytes },
      });
    } catch (error) {
      throw unreadable(error);
    }
    if (rows.length !== rowEnd - line) throw unreadable(`a row group with ${rows.length} of its rows`);
    for (const row of rows) yield { line: ++line, ...plainValues(names, row) };
  }
}

function topLevelColumns({ schema }: FileMetaData): string[] {
  return childrenOf(schema, 0).map((at) => schema[at]!.name);
}

/** The columns of a file, and the parts of those that are objects: "answers", "answers.text". */
function columnNames({ schema }: FileMetaData): string[] {
  return childrenOf(schema, 0).flatMap((at) => {
    const { name, logical_type, converted_type } = schema[at]!;
    const isList = logical_type !== undefined || converted_type !== undefined;
    const parts = isList ? [] : childrenOf(schema, at).map((child) => `${name}.${schema[child]!.name}`);
    return [name, ...parts];
  });
}

/** Where the children of an element stand in a schema. */
function childrenOf(schema: FileMetaData["schema"], at: number): number[] {
  const places: number[] = [];
  for (let next = at + 1; next < behind(schema, at); next = behind(schema, next)) places.push(next);
  return places;
}

/** Where the next sibling stands in a schema, which lists the tree depth first. */
function behind(schema: FileMetaData["schema"], at: number): number {
  let next = at + 1;
  for (let child = 0; child < (schema[at]?.num_children ?? 0); child++) next = behind(schema, next);
  return next;
}

function plainValues(
  columns: readonly string[],
  row: Readonly<Record<string, unknown>>,
): { values: unknown[] } | { problem: string } {
  const values: unknown[] = [];
  for (const column of columns) {
    const value = plainValue(columnValue(row, column));
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (items.includes(invalidText)) {
      return { problem: `column "${column}" must hold valid UTF-8; got bytes that are not` };
    }
    const large = items.find((item) => typeof item === "bigint");
    if (large !== undefined) {
      return { problem: `column "${column}" must hold whole numbers up to 2^53; got ${large}` };
    }
    values.push(value);
  }
  return { values };
}

/** Whole numbers of 64 bits as ordinary ones, where they fit. */
function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function checkIsFile(path: string, shownPath: string): void {
  try {
    if (!statSync(path).isDirectory()) return;
  } catch (error) {
    throw fileError(shownPath, "cannot read", error);
  }
  throw new QkvError("file", `${shownPath}: cannot read; it is a folder, where a file is needed`);
}
