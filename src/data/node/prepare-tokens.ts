import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { QkvError } from "../../util/errors.ts";
import {
  createTemporaryFolder,
  removeLeftovers,
  replaceFolderAtomically,
} from "../../util/node/atomic-file.ts";
import { fileError } from "../../util/node/file-error.ts";
import { surveyTextFile, type TextFileSurvey } from "./line-reader.ts";
import { checkColumns, isStoreFile, readHeader, type StoreHeader, storeVersion } from "./token-format.ts";
import { type TokenExamples, type WriteTokensOptions, writeTokens } from "./write-tokens.ts";

export type { ColumnSpec, WholeNumbers } from "./token-format.ts";
export type { TokenExample, TokenExamples } from "./write-tokens.ts";

/** What to prepare, and how. */
export interface PrepareTokensOptions<Column extends string = string> extends WriteTokensOptions<Column> {
  /** The folder to write; it is replaced where it holds prepared examples already. */
  readonly folder: string;
  /** The files that the examples are made of. They may not change meanwhile. */
  readonly inputs: readonly string[];
  /** What decides the examples besides the files, as JSON data: the tokenizer's fingerprint, all options ... */
  readonly settings: unknown;
  /** Makes the examples, or finds out that it cannot. Called only where they are not there already. */
  readonly examples: (surveys: readonly TextFileSurvey[]) => TokenExamples<Column>;
}

/** What was prepared. */
export interface PreparedTokens {
  readonly folder: string;
  readonly fingerprint: string;
  /** The number of examples. */
  readonly length: number;
  /** What making the examples found; of the earlier time where they are used again. */
  readonly report: unknown;
  /** Whether the folder held the same examples already, so that nothing had to be done. */
  readonly reused: boolean;
}

/**
 * Writes tokenized examples into a compact folder, which `openTokenStore` opens. Memory stays constant however many
 * there are. A folder that holds the same examples (same files by size and time of change or by content, same columns,
 * same settings) is left as it is. The folder is there as a whole or not at all, whenever the program is stopped.
 * @throws QkvError where a file is missing or changes meanwhile, a number is not what its column may hold, there is no
 * example, or the folder holds something else; the folder is then as it was before
 */
export async function prepareTokens<Column extends string>(
  options: PrepareTokensOptions<Column>,
): Promise<PreparedTokens> {
  checkColumns(options.columns);
  const { folder, inputs } = options;
  const settings = digest([storeVersion, options.columns, options.settings]);
  await removeLeftovers(dirname(resolve(folder)));
  const existing = existingHeader(folder);
  const stamps = inputs.map(stampOf);
  const known = (at: number) => existing?.inputs[at];
  const isCandidate =
    existing?.settings === settings &&
    existing.inputs.length === inputs.length &&
    stamps.every(({ bytes }, at) => known(at)?.bytes === bytes);
  if (isCandidate && stamps.every(({ modified }, at) => known(at)?.modified === modified)) {
    return preparedFrom(folder, existing, true);
  }
  const surveys = inputs.map(surveyTextFile);
  if (isCandidate && surveys.every(({ sha256 }, at) => known(at)?.sha256 === sha256)) {
    return preparedFrom(folder, existing, true);
  }
  const examples = options.examples(surveys);
  const origin = {
    settings,
    fingerprint: digest([settings, ...surveys.map(({ sha256 }) => sha256)]),
    inputs: surveys.map(({ bytes, sha256 }, at) => ({ bytes, modified: stamps[at]!.modified, sha256 })),
  };
  const temporary = await createTemporaryFolder(folder);
  try {
    const header = await writeTokens(temporary, options, examples, origin);
    for (const [at, now] of inputs.map(stampOf).entries()) {
      const { modified, bytes } = origin.inputs[at]!;
      if (now.modified !== modified || now.bytes !== bytes) throw changedError(inputs);
    }
    await replaceFolderAtomically(temporary, folder);
    return preparedFrom(folder, header, false);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** The error for files that somebody writes to at the same time. */
export function changedError(inputs: readonly string[]): QkvError {
  return new QkvError(
    "data",
    `${inputs.join(" and ")}: must not change while they are read; got new content; ` +
      "run it again when they are complete",
  );
}

/** The header of the examples that the folder holds; undefined where there are none or they are damaged. */
function existingHeader(folder: string): StoreHeader | undefined {
  if (!existsSync(folder)) return undefined;
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch (error) {
    throw fileError(folder, "cannot read", error);
  }
  const foreign = entries.find((entry) => !isStoreFile(entry));
  if (foreign !== undefined) {
    throw new QkvError(
      "option",
      `${folder}: a prepared corpus needs a folder of its own; got one that holds ${foreign}; ` +
        "name a folder that is new or empty",
    );
  }
  try {
    return readHeader(folder);
  } catch (error) {
    if (error instanceof QkvError) return undefined;
    throw error;
  }
}

function stampOf(path: string): { bytes: number; modified: number } {
  let stats: ReturnType<typeof statSync>;
  try {
    stats = statSync(path);
  } catch (error) {
    throw fileError(path, "cannot read", error);
  }
  if (stats.isDirectory()) {
    throw new QkvError("file", `${path}: cannot read; it is a folder, where a file is needed`);
  }
  if (!stats.isFile()) {
    throw new QkvError(
      "file",
      `${path}: the text is read twice and must be an ordinary file; got a pipe or device; write it to a file first`,
    );
  }
  return { bytes: stats.size, modified: stats.mtimeMs };
}

function preparedFrom(folder: string, header: StoreHeader, reused: boolean): PreparedTokens {
  const { fingerprint, examples: length, report } = header;
  return { folder, fingerprint, length, report, reused };
}

/** SHA-256 over the JSON text of some values, in hexadecimal digits. */
function digest(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
