import { LineReader } from "./line-reader.ts";
import { missingColumn, type Row, type TextSource } from "./record-rows.ts";

/** JSON lines: one object a line, whose keys are the columns. Blank lines are no rows. */
export function* jsonRows(source: TextSource, columns: readonly string[]): Generator<Row, void, undefined> {
  const reader = new LineReader(source.path, undefined, source.shownPath);
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

function rowOf(text: string, columns: readonly string[]): { values: unknown[] } | { problem: string } {
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
  const missing = columns.find((column) => !Object.hasOwn(row, column));
  if (missing !== undefined) return { problem: missingColumn(missing, Object.keys(row)) };
  return { values: columns.map((column) => row[column]) };
}

function startOf(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)} ...`;
}
