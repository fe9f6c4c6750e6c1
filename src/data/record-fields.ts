/** What a record holds: fields of the types that a task asks for, whatever kind of file they came from. */
import { iob2FromIob1 } from "./iob-tags.ts";

/** The types that a field may have. */
export interface FieldValues {
  /** A text that is not empty and not only white space. */
  readonly text: string;
  /** A text that may be empty. */
  readonly string: string;
  /** The name of a class: a text that is not empty, a whole number or true or false, always given as text. */
  readonly label: string;
  /** A finite number, or a text that spells one. */
  readonly number: number;
  /** A whole number, or a text that spells one. */
  readonly integer: number;
  /** A list of texts, not empty. */
  readonly strings: readonly string[];
  /** A list of texts; may be empty. */
  readonly stringsOrNone: readonly string[];
  /** A list of classes as for `label`; may be empty. */
  readonly labels: readonly string[];
  /** A list of finite numbers, not empty. */
  readonly numbers: readonly number[];
  /** A list of finite numbers; may be empty. */
  readonly numbersOrNone: readonly number[];
  /** A list of tags in the IOB1 scheme (B- only between two entities of one type), given in IOB2 (B- at each). */
  readonly iob1: readonly string[];
}

/** The name of a field's type. */
export type FieldType = keyof FieldValues;

/** The fields that are wanted, and their types. */
export type FieldTypes = Readonly<Record<string, FieldType>>;

/** One record of a data file. */
export interface DataRecord<Types extends FieldTypes = FieldTypes> {
  /** The file and the line (in Parquet the row) where it begins, counted from 1: `reviews.csv:17`. */
  readonly where: string;
  readonly fields: { readonly [Field in keyof Types]: FieldValues[Types[Field]] };
}

interface FieldRule<Value> {
  readonly rule: string;
  /** The value as it is given, or undefined where it is not of the type. */
  read(value: unknown): Value | undefined;
}

const rules: { readonly [Type in FieldType]: FieldRule<FieldValues[Type]> } = {
  text: { rule: "a text that is not empty", read: textOf },
  string: { rule: "a text", read: (value) => (typeof value === "string" ? value : undefined) },
  label: { rule: "a class: a text that is not empty, a whole number, true or false", read: labelOf },
  number: { rule: "a finite number", read: numberOf },
  integer: {
    rule: "a whole number",
    read: (value) => {
      const number = numberOf(value);
      return Number.isSafeInteger(number) ? number : undefined;
    },
  },
  strings: { rule: "a list of texts, at least one", read: (value) => nonEmpty(listOf(value, stringOf)) },
  stringsOrNone: { rule: "a list of texts", read: (value) => listOf(value, stringOf) },
  labels: { rule: "a list of classes", read: (value) => listOf(value, labelOf) },
  numbers: {
    rule: "a list of finite numbers, at least one",
    read: (value) => nonEmpty(listOf(value, finiteOf)),
  },
  numbersOrNone: { rule: "a list of finite numbers", read: (value) => listOf(value, finiteOf) },
  iob1: {
    rule: "a list of tags in the IOB1 scheme: O, I-TYPE or B-TYPE",
    read: (value) => {
      const tags = nonEmpty(listOf(value, stringOf));
      return tags && iob2FromIob1(tags);
    },
  },
};

/** The names of all field types. */
export const fieldTypes = Object.keys(rules) as readonly FieldType[];

/** A value as a field of the type, or what is wrong with it. */
export function readField<Type extends FieldType>(
  type: Type,
  column: string,
  value: unknown,
): { readonly value: FieldValues[Type] } | { readonly problem: string } {
  const read = rules[type].read(value);
  if (read !== undefined) return { value: read };
  return { problem: `column "${column}" must hold ${rules[type].rule}; got ${describe(value)}` };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value : undefined;
}

function stringOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function labelOf(value: unknown): string | undefined {
  if (typeof value === "boolean" || Number.isSafeInteger(value)) return String(value);
  return textOf(value);
}

const spelledNumber = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

function numberOf(value: unknown): number | undefined {
  return typeof value === "string" && spelledNumber.test(value) ? finiteOf(Number(value)) : finiteOf(value);
}

function finiteOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function listOf<Value>(
  value: unknown,
  read: (item: unknown) => Value | undefined,
): readonly Value[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items = value.map(read);
  return items.every((item) => item !== undefined) ? items : undefined;
}

function nonEmpty<Value>(list: readonly Value[] | undefined): readonly Value[] | undefined {
  return list?.length === 0 ? undefined : list;
}

/** A value in an error message: its first characters, as JSON spells them. */
function describe(value: unknown): string {
  if (value === undefined || value === null) return "no value";
  if (value === "") return "an empty one";
  const text =
    JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part)) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)} ...`;
}
