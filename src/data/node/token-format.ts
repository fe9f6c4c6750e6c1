/**
 * The folder that holds prepared examples. Version 1:
 * `header.json`, and for each column two files of little-endian numbers without any framing, `COLUMN.lengths` (Uint16
 * or Uint32, how many numbers each example has) and `COLUMN.tokens` (the numbers, one example behind another).
 */
import { readFileSync, statSync } from "node:fs";
import { endianness } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";

export const storeFormat = "qkv token store";
export const storeVersion = 1;
export const headerName = "header.json";

/** How the numbers of a file are written. */
export const numberKinds = {
  uint16: Uint16Array,
  uint32: Uint32Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
} as const;

/** The name of a way to write numbers. */
export type NumberKind = keyof typeof numberKinds;

/** What a column may hold. */
export type ColumnSpec = WholeNumbers | { readonly type: "float32"; readonly longest?: number };

/** A column of ids or labels. */
export interface WholeNumbers {
  /** All numbers are below this, such as the size of the vocabulary; 2^32 at most, with `least` below 0 2^31. */
  readonly bound: number;
  /** The least number. Default 0; -100 for labels some of which count nothing. */
  readonly least?: number;
  /** The most numbers of an example. Up to 65,535 a length takes two bytes, else four. Default: no limit. */
  readonly longest?: number;
}

const count = z.int().nonnegative();

const inputSchema = z.object({
  bytes: count,
  /** The time of the last change, in milliseconds since 1970. */
  modified: z.number(),
  sha256: z.string(),
});

const columnSchema = z.object({
  kind: z.enum(Object.keys(numberKinds) as [NumberKind, ...NumberKind[]]),
  lengthKind: z.enum(["uint16", "uint32"]),
  /** See `ColumnSpec`; null for float32. */
  bound: z.int().nullable(),
  /** The sum of all lengths. */
  numbers: count,
  /** CRC-32 of `COLUMN.lengths` and of `COLUMN.tokens`. */
  lengthsChecksum: count,
  tokensChecksum: count,
});

/** What the names of columns look like, which are the names of files too. */
const columnName = /^[a-zA-Z][a-zA-Z0-9]*$/;

const headerSchema = z.object({
  format: z.literal(storeFormat),
  version: z.literal(storeVersion),
  /** SHA-256 over the content of the inputs and the settings. */
  fingerprint: z.string(),
  /** SHA-256 over what decides the content besides the inputs. */
  settings: z.string(),
  inputs: z.array(inputSchema).readonly(),
  /** The number of examples. */
  examples: count,
  columns: z.record(z.string().regex(columnName), columnSchema),
  /** What making the examples found. */
  report: z.unknown(),
});

/** What is known of an input file, to tell whether it has changed. */
export type InputFile = z.infer<typeof inputSchema>;

/** One column of `header.json`. */
export type ColumnHeader = z.infer<typeof columnSchema>;

/** The content of `header.json`. */
export type StoreHeader = z.infer<typeof headerSchema>;

/** Whether an entry of a folder is a file of prepared examples. */
export function isStoreFile(entry: string): boolean {
  const [, column = "", kind] = /^(.*)\.(lengths|tokens)$/.exec(entry) ?? [];
  return entry === headerName || (kind !== undefined && columnName.test(column));
}

/** The path of one of the number files. */
export function numbersPath(folder: string, column: string, kind: "lengths" | "tokens"): string {
  return join(folder, `${column}.${kind}`);
}

/** The narrowest way to write a column's numbers, and its lengths. */
export function kindsOf(spec: ColumnSpec): { kind: NumberKind; lengthKind: "uint16" | "uint32" } {
  const lengthKind = (spec.longest ?? Number.POSITIVE_INFINITY) <= 65_535 ? "uint16" : "uint32";
  if (!("bound" in spec)) return { kind: "float32", lengthKind };
  const { bound, least = 0 } = spec;
  if (least >= 0) return { kind: bound <= 2 ** 16 ? "uint16" : "uint32", lengthKind };
  return { kind: least >= -(2 ** 15) && bound <= 2 ** 15 ? "int16" : "int32", lengthKind };
}

/**
 * Refuses what no file could hold.
 * @throws QkvError "option"
 */
export function checkColumns(columns: Readonly<Record<string, ColumnSpec>>): void {
  const fail = (rule: string): never => {
    throw new QkvError("option", `columns: ${rule}`);
  };
  if (Object.keys(columns).length === 0) fail("at least one is needed; got none");
  for (const [name, spec] of Object.entries(columns)) {
    if (!columnName.test(name)) fail(`a name must be a letter and letters or digits; got "${name}"`);
    const { longest = 1 } = spec;
    if (!Number.isSafeInteger(longest) || longest < 1) {
      fail(`${name}: longest must be a whole number, 1 or more; got ${longest}`);
    }
    if (!("bound" in spec)) continue;
    const { bound, least = 0 } = spec;
    const [lowest, highest] = least < 0 ? [-(2 ** 31), 2 ** 31] : [0, 2 ** 32];
    if (!Number.isSafeInteger(least) || !Number.isSafeInteger(bound) || least < lowest || bound > highest) {
      fail(`${name}: must be whole numbers of 32 bits; got ${least} up to below ${bound}`);
    }
    if (bound <= least) fail(`${name}: bound must be above least, ${least}; got ${bound}`);
  }
}

/** Turns bytes between the file's order and this machine's, in place. */
export function orderBytes(bytes: Buffer, width: number): void {
  if (endianness() === "LE") return;
  if (width === 2) bytes.swap16();
  else bytes.swap32();
}

/**
 * Reads the header of prepared examples and checks that the number files have the sizes that it states.
 * @throws QkvError "file" where the folder is missing, holds something else, or is damaged
 */
export function readHeader(folder: string): StoreHeader {
  const path = join(folder, headerName);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw fileError(path, "cannot read the prepared corpus", error);
  }
  const header = parseHeader(path, text);
  for (const [name, { kind, lengthKind, numbers }] of Object.entries(header.columns)) {
    const width = (of: NumberKind): number => numberKinds[of].BYTES_PER_ELEMENT;
    checkSize(numbersPath(folder, name, "lengths"), header.examples * width(lengthKind));
    checkSize(numbersPath(folder, name, "tokens"), numbers * width(kind));
  }
  return header;
}

function parseHeader(path: string, text: string): StoreHeader {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw damaged(path, "JSON text", "text that is cut off or altered");
  }
  const parsed = headerSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [problem] = parsed.error.issues;
  throw damaged(path, "a header of this version", `${problem?.path.join(".")}: ${problem?.message}`);
}

/** The error for a file of a prepared corpus that does not hold what it must. */
export function damaged(path: string, expected: string, got: string): QkvError {
  return new QkvError(
    "file",
    `${path}: a prepared corpus must hold ${expected} here; got ${got}; delete the folder and prepare it again`,
  );
}

function checkSize(path: string, bytes: number): void {
  let actual: number;
  try {
    actual = statSync(path).size;
  } catch (error) {
    throw fileError(path, "cannot read the prepared corpus", error);
  }
  if (actual !== bytes) throw damaged(path, `${bytes} bytes`, `${actual}`);
}
