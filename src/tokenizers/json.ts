import { didYouMean, QkvError } from "../util/errors.ts";

/** An object read from JSON whose fields are not checked yet. */
export type JsonObject = { readonly [key: string]: unknown };

/** A value of JSON that must be an object. `place` names it in the error. */
export function readObject(value: unknown, place: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw wrongKind(place, "an object", value);
}

/** A value of JSON that must be a list. */
export function readList(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw wrongKind(place, "a list", value);
}

/** A text field; `fallback` where it is absent or null, an error where there is no fallback. */
export function readString(object: JsonObject, key: string, place: string): string;
export function readString<Fallback extends string | undefined>(
  object: JsonObject,
  key: string,
  place: string,
  fallback: Fallback,
): string | Fallback;
export function readString(
  object: JsonObject,
  key: string,
  place: string,
  ...fallback: [string?]
): string | undefined {
  const value = object[key];
  if (typeof value === "string") return value;
  if ((value === undefined || value === null) && fallback.length > 0) return fallback[0];
  throw wrongKind(`${place}.${key}`, "a text", value);
}

/** A yes-or-no field; `fallback` where it is absent or null. */
export function readBoolean(object: JsonObject, key: string, place: string, fallback: boolean): boolean {
  const value = object[key];
  if (typeof value === "boolean") return value;
  if (value === undefined || value === null) return fallback;
  throw wrongKind(`${place}.${key}`, "true or false", value);
}

/** A whole number that is not negative; `fallback` where it is absent or null, an error where there is none. */
export function readCount(object: JsonObject, key: string, place: string): number;
export function readCount<Fallback extends number | undefined>(
  object: JsonObject,
  key: string,
  place: string,
  fallback: Fallback,
): number | Fallback;
export function readCount(
  object: JsonObject,
  key: string,
  place: string,
  ...fallback: [number?]
): number | undefined {
  const value = object[key];
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  if ((value === undefined || value === null) && fallback.length > 0) return fallback[0];
  throw wrongKind(`${place}.${key}`, "a whole number, 0 or more", value);
}

/** One of a fixed set of words; `fallback` where it is absent or null. */
export function readChoice<Choice extends string>(
  object: JsonObject,
  key: string,
  place: string,
  choices: readonly Choice[],
  fallback?: Choice,
): Choice {
  const value = object[key];
  if ((value === undefined || value === null) && fallback !== undefined) return fallback;
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw wrongKind(`${place}.${key}`, `one of ${choices.join(", ")}`, value);
}

/**
 * The rule that a table of stages holds for the object's `type`.
 * A type that the table lacks is refused with the list of those it has.
 */
export function readByType<Rule>(
  table: { readonly [type: string]: Rule },
  object: JsonObject,
  place: string,
): Rule {
  const type = readString(object, "type", place);
  const rule = Object.hasOwn(table, type) ? table[type] : undefined;
  if (rule !== undefined) return rule;
  const known = Object.keys(table);
  throw new QkvError(
    "config",
    `${place}: the type "${type}" is not supported${didYouMean(type, known)}; known are ${known.join(", ")}`,
  );
}

/** The error for a value of the wrong kind. */
export function wrongKind(place: string, wanted: string, value: unknown): QkvError {
  const shown = value === undefined ? "nothing" : JSON.stringify(value);
  const short = shown.length > 60 ? `${shown.slice(0, 57)}...` : shown;
  return new QkvError("config", `${place}: must be ${wanted}; got ${short}; check the tokenizer file`);
}
