/**
 * The folder that holds a prepared corpus. Version 1:
 * `header.json`, and for each of `source` and `target` two files of little-endian numbers without any framing,
 * `SIDE.lengths` (Uint16, tokens of each pair) and `SIDE.tokens` (Uint16 where the vocabulary has at most 65,536
 * entries, else Uint32; the sentences one after another).
 */
import { readFileSync, statSync } from "node:fs";
import { endianness } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";

export const corpusFormat = "qkv parallel corpus";
export const corpusVersion = 1;
export const headerName = "header.json";
/** The longest sentence that a 16-bit length can hold, in tokens. */
export const longestSentence = 65_535;

/** The two languages of a corpus. */
export type Side = "source" | "target";
export const sides: readonly Side[] = ["source", "target"];

const count = z.int().nonnegative();
const reasons = z.object({ emptySource: count, emptyTarget: count, tooLong: count, lengthRatio: count });

const inputSchema = z.object({
  bytes: count,
  /** The time of the last change, in milliseconds since 1970. */
  modified: z.number(),
  sha256: z.string(),
});

const sideSchema = z.object({
  vocabSize: count,
  /** The sum of all lengths. */
  tokens: count,
  /** CRC-32 of `SIDE.lengths` and of `SIDE.tokens`. */
  lengthsChecksum: count,
  tokensChecksum: count,
});

const headerSchema = z.object({
  format: z.literal(corpusFormat),
  version: z.literal(corpusVersion),
  /** SHA-256 over the content of both text files, the tokenizer's fingerprint and the options. */
  fingerprint: z.string(),
  /** SHA-256 over the tokenizer's fingerprint and the options alone. */
  settings: z.string(),
  inputs: z.object({ source: inputSchema, target: inputSchema }),
  sides: z.object({ source: sideSchema, target: sideSchema }),
  /** See `CorpusReport`. */
  report: z.object({
    lines: count,
    pairs: count,
    sourceTokens: count,
    targetTokens: count,
    skipped: reasons,
    firstSkippedLines: z
      .array(z.object({ line: count, reason: reasons.keyof(), sourceTokens: count, targetTokens: count }))
      .readonly(),
    maxLength: count,
    maxLengthRatio: z.number().nullable(),
  }),
});

/** What is known of an input file, to tell whether it has changed. */
export type InputFile = z.infer<typeof inputSchema>;

/** The content of `header.json`. */
export type CorpusHeader = z.infer<typeof headerSchema>;

/** How many bytes a token takes. */
export function tokenBytes(vocabSize: number): 2 | 4 {
  return vocabSize <= 65_536 ? 2 : 4;
}

/** The path of one of the number files. */
export function numbersPath(folder: string, side: Side, kind: "lengths" | "tokens"): string {
  return join(folder, `${side}.${kind}`);
}

/** Turns bytes between the file's order and this machine's, in place. */
export function orderBytes(bytes: Buffer, width: 2 | 4): void {
  if (endianness() === "LE") return;
  if (width === 2) bytes.swap16();
  else bytes.swap32();
}

/**
 * Reads the header of a corpus and checks that the number files have the sizes that it states.
 * @throws QkvError where the folder is missing, is no corpus, or is damaged
 */
export function readHeader(folder: string): CorpusHeader {
  const path = join(folder, headerName);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw fileError(path, "cannot read the prepared corpus", error);
  }
  const header = parseHeader(path, text);
  for (const side of sides) {
    const { tokens, vocabSize } = header.sides[side];
    checkSize(numbersPath(folder, side, "lengths"), header.report.pairs * 2);
    checkSize(numbersPath(folder, side, "tokens"), tokens * tokenBytes(vocabSize));
  }
  return header;
}

function parseHeader(path: string, text: string): CorpusHeader {
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

/** The error for a corpus file that does not hold what it must. */
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
