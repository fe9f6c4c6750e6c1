/** The lines of a run's two files, read one by one: a damaged one costs itself and is told with its number. */
import type { JournalRecord, LogRecord } from "../training/run-events.ts";

export interface ParsedLines<Value> {
  readonly records: Value[];
  /** "FILE:LINE: what is wrong; what was done". */
  readonly problems: string[];
}

/** `log.jsonl`: measurements. */
export function parseLog(text: string, where: string, firstLine = 1): ParsedLines<LogRecord> {
  return parseLines(text, where, firstLine, problemOfRecord);
}

/** `events.jsonl`: what happened when. */
export function parseJournal(text: string, where: string, firstLine = 1): ParsedLines<JournalRecord> {
  return parseLines(text, where, firstLine, (record) =>
    typeof record.type === "string" && typeof record.time === "string" ? undefined : "has no type and time",
  );
}

function parseLines<Value>(
  text: string,
  where: string,
  firstLine: number,
  problemOf: (record: Readonly<Record<string, unknown>>) => string | undefined,
): ParsedLines<Value> {
  const parsed: ParsedLines<Value> = { records: [], problems: [] };
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const value = parseObject(line);
    const problem = value === undefined ? "is no JSON object" : problemOf(value);
    if (problem === undefined) parsed.records.push(value as Value);
    else parsed.problems.push(`${where}:${index + firstLine}: ${problem}; the line is left out`);
  }
  return parsed;
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

const fieldsOf: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  step: { step: "number", loss: "number", seconds: "number" },
  validation: { step: "number", loss: "number", seconds: "number" },
  sample: { step: "number", source: "string", target: "string", got: "string" },
};

function problemOfRecord(record: Readonly<Record<string, unknown>>): string | undefined {
  const type = String(record.type);
  const fields = Object.hasOwn(fieldsOf, type) ? fieldsOf[type] : undefined;
  if (fields === undefined)
    return `its type must be one of ${Object.keys(fieldsOf).join(", ")}; got "${type}"`;
  const wrong = Object.keys(fields).find((name) => typeof record[name] !== fields[name]);
  return wrong === undefined ? undefined : `${wrong} must be a ${fields[wrong]}`;
}
