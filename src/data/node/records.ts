import { requireKnownOptions, requireOneOf } from "../../metrics/options.ts";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { type DataRecord, type FieldTypes, fieldTypes, readField } from "../record-fields.ts";
import { conllRows } from "./conll-records.ts";
import { csvRows, tsvRows } from "./csv-records.ts";
import { jsonRows } from "./json-records.ts";
import { parquetRows } from "./parquet-records.ts";
import {
  type ColumnName,
  type FormatOptions,
  namesOf,
  type Row,
  type RowReader,
  unpackGzip,
} from "./record-rows.ts";
import { textRows } from "./text-records.ts";

interface Format {
  readonly rows: RowReader;
  /** What the names of such files end in. */
  readonly endings: readonly string[];
  readonly options: readonly (keyof FormatOptions)[];
}

const formats = {
  text: { rows: textRows, endings: ["txt", "text"], options: ["unit"] },
  jsonl: { rows: jsonRows, endings: ["jsonl", "ndjson"], options: [] },
  csv: { rows: csvRows, endings: ["csv"], options: ["columnNames", "quotes"] },
  tsv: { rows: tsvRows, endings: ["tsv", "tab"], options: ["columnNames", "quotes"] },
  conll: { rows: conllRows, endings: ["conll", "bio", "iob"], options: ["columnNames"] },
  parquet: { rows: parquetRows, endings: ["parquet"], options: [] },
} as const satisfies Readonly<Record<string, Format>>;

/** The kinds of files that records are read from. */
export type RecordFormat = keyof typeof formats;

export const recordFormats = Object.keys(formats) as readonly RecordFormat[];

/** Which records to read, and how. */
export interface ReadOptions<Types extends FieldTypes> extends FormatOptions {
  /** The fields that each record must have, and their types. */
  readonly fields: Types;
  /** What the fields are called in the file, where they are called otherwise; of several names the first that it has. */
  readonly columns?: { readonly [Field in keyof Types]?: ColumnName };
  /** Default: by the ending of the file's name (before `.gz`, where it ends so). */
  readonly format?: RecordFormat;
  /** `skip` leaves bad rows out, counts them, and reports the first. Default `error`. */
  readonly onBadRow?: "error" | "skip";
}

/** What reading a file has found so far; whole when the last record was read. */
export interface RecordReport {
  readonly file: string;
  /** The records that were given out. */
  readonly records: number;
  /** The rows that were left out, with `onBadRow: "skip"`. */
  readonly skipped: number;
  /** The first five of them: the place, and what is wrong there. */
  readonly firstSkipped: readonly { readonly where: string; readonly problem: string }[];
}

/** The records of a file, and what was found in it. Each iteration reads the file from its beginning. */
export interface RecordReader<Types extends FieldTypes> {
  /** Of the iteration that began last. */
  readonly report: RecordReport;
  [Symbol.asyncIterator](): AsyncGenerator<DataRecord<Types>, void, undefined>;
}

const reportedSkips = 5;

/**
 * Reads the records of a data file one after another, in constant memory (Parquet: one row group; plain text with the
 * unit `file`: the file). What is accepted:
 * - `text` (.txt): UTF-8; its one column is `text`; a record is a line, a document between blank lines, or the file;
 * - `jsonl` (.jsonl, .ndjson): one object a line; the columns are its keys;
 * - `csv`, `tsv`: RFC 4180, the first row names the columns or `columnNames` does;
 * - `conll` (.conll, .bio, .iob): a word a line, sentences between blank lines, `-DOCSTART-` lines left out;
 * - `parquet`: columns of texts, numbers and lists of them.
 * Text may begin with a byte order mark, lines may end in "\r\n", and text files may be compressed with gzip (.gz).
 *
 * A row is bad where its number of cells is wrong, its JSON or UTF-8 is invalid, a field is missing or not of its type,
 * or a text is empty. A bad row is an error that names file and line, or with `onBadRow: "skip"` counted and reported.
 * @throws QkvError "option" for options that are unknown or do not belong to the format, "data" for a wanted column
 * that is not there (with the nearest name and those there are), a bad row, or a file in which no good row is;
 * "file" where it cannot be read
 */
export function readRecords<const Types extends FieldTypes>(
  file: string,
  options: ReadOptions<Types>,
): RecordReader<Types> {
  const format = formatOf(file, options.format);
  checkOptions(file, format, options);
  let report: { -readonly [Key in keyof RecordReport]: RecordReport[Key] };
  const begin = () => {
    report = { file, records: 0, skipped: 0, firstSkipped: [] };
    return report;
  };
  begin();
  return {
    get report() {
      return report;
    },
    async *[Symbol.asyncIterator]() {
      const current = begin();
      const fields = Object.entries(options.fields);
      const columns = fields.map(([field]) => options.columns?.[field] ?? field);
      for await (const row of rowsOf(file, format, columns, options)) {
        const where = `${file}:${row.line}`;
        const read = "problem" in row ? row : readFields(fields, columns, row.values);
        if ("fields" in read) {
          current.records++;
          yield { where, fields: read.fields as DataRecord<Types>["fields"] };
          continue;
        }
        if (options.onBadRow !== "skip") {
          throw new QkvError(
            "data",
            `${where}: ${read.problem}; mend the row, or have bad rows left out (train: --set on_bad_row=skip)`,
          );
        }
        current.skipped++;
        if (current.firstSkipped.length < reportedSkips) {
          current.firstSkipped = [...current.firstSkipped, { where, problem: read.problem }];
        }
      }
      if (current.records === 0) throw nothingRead(current);
    },
  };
}

/** One sentence about what was read and left out: `reviews.csv: 1,200 records; left out 2 bad rows: ...`. */
export function describeRecordReport({ file, records, skipped, firstSkipped }: RecordReport): string {
  const number = (value: number, name: string): string =>
    `${value.toLocaleString("en-US")} ${name}${value === 1 ? "" : "s"}`;
  const read = `${file}: ${number(records, "record")}`;
  if (skipped === 0) return `${read}; none left out`;
  const places = firstSkipped.map(({ where, problem }) => `${where}: ${problem}`).join(" | ");
  return `${read}; left out ${number(skipped, "bad row")}: ${places}${skipped > firstSkipped.length ? " | ..." : ""}`;
}

async function* rowsOf(
  file: string,
  format: RecordFormat,
  columns: readonly ColumnName[],
  options: FormatOptions,
): AsyncGenerator<Row, void, undefined> {
  const rows: RowReader = formats[format].rows;
  if (!isGzip(file)) {
    yield* rows({ path: file, shownPath: file }, columns, options);
    return;
  }
  const unpacked = await unpackGzip(file);
  try {
    yield* rows({ path: unpacked.path, shownPath: file }, columns, options);
  } finally {
    unpacked.remove();
  }
}

function readFields(
  types: readonly (readonly [string, FieldTypes[string]])[],
  columns: readonly ColumnName[],
  values: readonly unknown[],
): { fields: Record<string, unknown> } | { problem: string } {
  const fields: Record<string, unknown> = {};
  for (const [at, [field, type]] of types.entries()) {
    const read = readField(type, namesOf(columns[at]!).join('" or "'), values[at]);
    if ("problem" in read) return read;
    fields[field] = read.value;
  }
  return { fields };
}

function isGzip(file: string): boolean {
  return file.toLowerCase().endsWith(".gz");
}

/** The format of a file: the one that is given, or that which its ending tells. @throws QkvError "option" for others */
export function formatOf(file: string, given?: RecordFormat): RecordFormat {
  if (given !== undefined) return requireOneOf(file, "format", given, recordFormats);
  const name = file.toLowerCase().replace(/\.gz$/, "");
  const found = recordFormats.find((format) =>
    formats[format].endings.some((ending) => name.endsWith(`.${ending}`)),
  );
  if (found !== undefined) return found;
  const endings = recordFormats.flatMap((format) => formats[format].endings).map((ending) => `.${ending}`);
  throw new QkvError(
    "option",
    `${file}: the file's name must end in one of ${endings.join(", ")}; got none of them; ` +
      `name the format, as data.format of a recipe (train: --set format=...): ${recordFormats.join(", ")}`,
  );
}

function checkOptions(file: string, format: RecordFormat, options: ReadOptions<FieldTypes>): void {
  const own = ["fields", "columns", "format", "onBadRow", ...formats[format].options];
  const where = `${file}: reading ${format}`;
  requireKnownOptions(where, options, own);
  requireOneOf(where, "onBadRow", options.onBadRow ?? "error", ["error", "skip"]);
  requireOneOf(where, "unit", options.unit ?? "line", ["line", "document", "file"]);
  const fields = Object.entries(options.fields);
  if (fields.length === 0)
    throw new QkvError("option", `${where}: at least one field must be read; got none`);
  for (const [field, type] of fields) requireOneOf(where, `the type of "${field}"`, type, fieldTypes);
  for (const field of Object.keys(options.columns ?? {})) {
    if (Object.hasOwn(options.fields, field)) continue;
    const known = Object.keys(options.fields);
    throw new QkvError(
      "option",
      `${where}: columns are given for the fields ${known.join(", ")}; got "${field}"${didYouMean(field, known)}`,
    );
  }
  if (format === "parquet" && isGzip(file)) {
    throw new QkvError(
      "option",
      `${file}: Parquet compresses by itself; got a .gz file; unpack it with gunzip`,
    );
  }
}

function nothingRead(report: RecordReport): QkvError {
  const [first] = report.firstSkipped;
  const got =
    first === undefined
      ? "an empty file"
      : `${report.skipped} bad rows, the first at line ${first.where.replace(/^.*:/s, "")}`;
  const why = first === undefined ? "check the path" : `there, ${first.problem}`;
  return new QkvError("data", `${report.file}: must hold at least one good row; got ${got}; ${why}`);
}
