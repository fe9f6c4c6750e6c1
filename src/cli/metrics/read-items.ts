import { splitWhitespace, trimWhitespace } from "../../metrics/text.ts";
import { QkvError } from "../../util/errors.ts";

/** Readers of one line, for the metrics: see `Metric.readHypothesis`. */
function refuse(item: unknown, place: string, rule: string): never {
  const shown = item === undefined ? "nothing" : JSON.stringify(item).slice(0, 60);
  throw new QkvError("data", `${place}: ${rule}; got ${shown}; correct the line`);
}

/** A text as it stands. */
export function readText(item: unknown, place: string): string {
  return typeof item === "string" ? item : refuse(item, place, "a line holds a text");
}

/** A text, or `null` where there is none; only JSON Lines can say so. */
export function readTextOrNull(item: unknown, place: string): string | null {
  return item === null ? null : readText(item, place);
}

/** Words: a line split at white space, or a list. */
export function readWords(item: unknown, place: string): readonly string[] {
  if (typeof item === "string") return splitWhitespace(item);
  return isTexts(item) ? item : refuse(item, place, "a line holds words with blanks between them");
}

/** A class: a name without the blanks around it, or a number. */
export function readLabel(item: unknown, place: string): string | number {
  if (typeof item === "number") return item;
  const label = typeof item === "string" ? trimWhitespace(item) : "";
  return label === "" ? refuse(item, place, "a line holds one label") : label;
}

/** One finite number. */
export function readNumber(item: unknown, place: string): number {
  const value = typeof item === "string" && item.trim() !== "" ? Number(item) : item;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  return refuse(item, place, "a line holds one number");
}

/** Numbers: a line split at white space, or a list. */
export function readNumbers(item: unknown, place: string): readonly number[] {
  const parts: readonly unknown[] = typeof item === "string" ? splitWhitespace(item) : toList(item);
  const values = parts.map((part) => (typeof part === "string" ? Number(part) : part));
  const isNumbers = values.length > 0 || typeof item === "string" || Array.isArray(item);
  if (isNumbers && values.every((value): value is number => Number.isFinite(value))) return values;
  return refuse(item, place, "a line holds numbers with blanks between them");
}

/** Texts of which each counts: a line split at tabs, or a list of at least one. */
export function readAlternatives(item: unknown, place: string): readonly string[] {
  if (typeof item === "string") return item.split("\t");
  if (isTexts(item) && item.length > 0) return item;
  return refuse(item, place, "a line holds one or more texts with tabs between them");
}

function toList(item: unknown): readonly unknown[] {
  return Array.isArray(item) ? item : [];
}

function isTexts(item: unknown): item is readonly string[] {
  return Array.isArray(item) && item.every((part) => typeof part === "string");
}
