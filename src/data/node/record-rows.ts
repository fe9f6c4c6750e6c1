/** What the readers of the single formats have in common. */
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";

/** What a wanted column is called: a name, or several of which the first that the file has is meant. */
export type ColumnName = string | readonly string[];

/** A row of a file: the values of the wanted columns, in their order, or what is wrong with it. */
export type Row =
  | { readonly line: number; readonly values: readonly unknown[] }
  | { readonly line: number; readonly problem: string };

/** What the single formats are told besides the file and the wanted columns. */
export interface FormatOptions {
  /** For plain text: what a record is. Default `line`. */
  readonly unit?: "line" | "document" | "file";
  /** For CSV, TSV and CoNLL: the names of the file's columns. CSV and TSV have no header then. */
  readonly columnNames?: readonly string[];
  /** For CSV and TSV: whether cells may stand in double quotes. Default: CSV yes, TSV no. */
  readonly quotes?: boolean;
}

/** A text file that can be read, and how errors call it (it may be an unpacked copy). */
export interface TextSource {
  readonly path: string;
  readonly shownPath: string;
}

/**
 * The rows of a file, one after another.
 * @param columns - the wanted columns
 * @throws QkvError "data" where the file as a whole cannot be used, as where a wanted column is not there
 */
export type RowReader = (
  source: TextSource,
  columns: readonly ColumnName[],
  options: FormatOptions,
) => Iterable<Row> | AsyncIterable<Row>;

/** The way out where a column is called otherwise. */
export const mapField =
  'map the field to one of them in the recipe\'s data.columns (train: --set columns=\'{"FIELD": "COLUMN"}\')';

/**
 * Where each wanted column stands among those that a file has.
 * @throws QkvError "data" where one is not there, with the nearest name and those there are
 */
export function columnIndices(
  file: string,
  wanted: readonly ColumnName[],
  available: readonly string[],
  wayOut = mapField,
): readonly number[] {
  const twice = available.find((column, index) => available.indexOf(column) !== index);
  if (twice !== undefined) {
    throw new QkvError(
      "data",
      `${file}: each column needs a name of its own; got "${twice}" twice; give the columns other names`,
    );
  }
  return wanted.map((column) => {
    const name = namesOf(column).find((own) => available.includes(own));
    if (name !== undefined) return available.indexOf(name);
    throw new QkvError("data", `${file}: ${missingColumn(column, available)}; ${wayOut}`);
  });
}

/**
 * The value of a column in a row: under its name, or, where a name has a dot, in an object of the row: "answers.text".
 * @returns undefined where it is not there
 */
export function columnValue(row: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(row, name)) return row[name];
  const [outer, inner] = splitName(name);
  const value = inner === undefined ? undefined : row[outer];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return columnValue(value as Readonly<Record<string, unknown>>, inner!);
}

/** The name of a column, and, where it has a dot, that of a part of it. */
export function splitName(name: string): [outer: string, inner?: string] {
  const dot = name.indexOf(".");
  return dot < 0 ? [name] : [name.slice(0, dot), name.slice(dot + 1)];
}

/** All names of a wanted column. */
export function namesOf(column: ColumnName): readonly string[] {
  return typeof column === "string" ? [column] : column;
}

/** What is wrong where a column is not there. */
export function missingColumn(column: ColumnName, available: readonly string[]): string {
  const names = available.map((name) => `"${name}"`).join(", ");
  const [first, ...others] = namesOf(column);
  const wanted = [`"${first}"`, ...others.map((name) => `"${name}"`)].join(" or ");
  return `has no column ${wanted}${didYouMean(first!, available)}; got ${names === "" ? "no columns" : names}`;
}

/**
 * Unpacks a file that is compressed with gzip into the system's folder for temporary files, so that it can be read in
 * constant memory.
 * @returns the copy's path and how to remove it
 */
export async function unpackGzip(file: string): Promise<{ path: string; remove: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), "qkv-unpacked-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const path = join(folder, "text");
  try {
    await pipeline(createReadStream(file), createGunzip(), createWriteStream(path));
    return { path, remove };
  } catch (error) {
    remove();
    throw fileError(file, "cannot unpack", error);
  }
}
