import { LineReader } from "./line-reader.ts";
import {
  type ColumnName,
  columnValue,
  missingColumn,
  namesOf,
  type Row,
  type TextSource,
} from "./record-rows.ts";

/** JSON lines: one object a line, whose keys are the columns, and those of objects in it. Blank lines are no rows. */
export function* jsonRows(
  source: TextSource,
  columns: readonly ColumnName[],
): Generator<Row, void, undefined> {
  const reader = new LineReader(source.path, { shownPath: source.shownPath });
  try {
    for (let text = reader.read(); text !== undefined; text = reader.read()) {
      const line = reader.lineNumber;
      if (reader.problem !== undefined) yield { line, problem: reader.problem };
      else if (text.trim() !== "") yield { line, ...rowOf(text, columns) };
    }
  } finally {
    reader.dispose();
  }
}

function rowOf(text: string, columns: readonly ColumnName[]): { values: unknown[] } | { problem: string } {
  let object: unknown;
  try {
    object = JSON.parse(text);
  } catch {
    return { problem: `a line must be one JSON object; got invalid JSON ${startOf(text)}` };
  }
  if (typeof object !== "object" || object === null || Array.isArray(object)) {
    return { problem: `a line must be one JSON object; got ${startOf(text)}` };
  }
  const row = object as Readonly<Record<string, unknown>>;
  const values = columns.map((column) =>
    namesOf(column)
      .map((name) => columnValue(row, name))
      .find((value) => value !== undefined),
  );
  const missing = values.indexOf(undefined);
  if (missing >= 0) return { problem: missingColumn(columns[missing]!, Object.keys(row)) };
  return { values };
}

function startOf(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)} ...`;
}
