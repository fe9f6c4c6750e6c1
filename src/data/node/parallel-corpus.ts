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
import {
  type CorpusHeader,
  corpusVersion,
  headerName,
  longestSentence,
  readHeader,
  type Side,
  sides,
} from "./corpus-format.ts";
import type { CorpusReport } from "./corpus-report.ts";
import { surveyTextFile } from "./line-reader.ts";
import { changedError, digest, limitsOf, type PrepareOptions, writeCorpus } from "./write-corpus.ts";

export {
  type CorpusReport,
  describeCorpusReport,
  type SkippedLine,
  type SkipReason,
} from "./corpus-report.ts";
export { type OpenCorpusOptions, openParallelCorpus, type StoredCorpus } from "./stored-corpus.ts";
export type { PrepareOptions, PrepareProgress } from "./write-corpus.ts";

/** What was prepared. */
export interface PreparedCorpus extends CorpusReport {
  readonly folder: string;
  readonly fingerprint: string;
  /** Whether the folder held the same corpus already, so that nothing had to be done. */
  readonly reused: boolean;
}

/**
 * Tokenizes two parallel text files once into a compact folder, which `openParallelCorpus` opens.
 * Memory stays constant however long the files are. Lines that are empty (white space only, or no tokens) on either
 * side and pairs beyond the limits are left out, counted, and reported. A folder that holds the same corpus (same
 * files by size and time of change or by content, same tokenizer, same options) is left as it is.
 * @throws QkvError where a file is missing or unreadable, a line is not valid UTF-8, the numbers of lines differ,
 * no pair is left, or the folder holds something else; the folder is then as it was before
 */
export async function prepareParallelCorpus(options: PrepareOptions): Promise<PreparedCorpus> {
  checkOptions(options);
  const { folder } = options;
  const settings = digest([corpusVersion, options.tokenizer, ...limitsOf(options), ...vocabSizesOf(options)]);
  await removeLeftovers(dirname(resolve(folder)));
  const existing = existingHeader(folder);
  const stamps = { source: stampOf(options.sourceFile), target: stampOf(options.targetFile) };
  const isCandidate =
    existing?.settings === settings &&
    sides.every((side) => existing.inputs[side].bytes === stamps[side].bytes);
  if (isCandidate && sides.every((side) => existing.inputs[side].modified === stamps[side].modified)) {
    return preparedFrom(folder, existing, true);
  }
  const source = surveyTextFile(options.sourceFile);
  const target = surveyTextFile(options.targetFile);
  const hasSameContent = (side: Side, sha256: string) => existing?.inputs[side].sha256 === sha256;
  if (isCandidate && hasSameContent("source", source.sha256) && hasSameContent("target", target.sha256)) {
    return preparedFrom(folder, existing, true);
  }
  checkLineCounts(options, source.lines, target.lines);
  const inputs = {
    source: { bytes: source.bytes, modified: stamps.source.modified, sha256: source.sha256 },
    target: { bytes: target.bytes, modified: stamps.target.modified, sha256: target.sha256 },
  };
  const temporary = await createTemporaryFolder(folder);
  try {
    const header = await writeCorpus(temporary, options, source.lines, inputs, settings);
    for (const side of sides) {
      const now = stampOf(side === "source" ? options.sourceFile : options.targetFile);
      if (now.modified !== stamps[side].modified || now.bytes !== inputs[side].bytes)
        throw changedError(options);
    }
    await replaceFolderAtomically(temporary, folder);
    return preparedFrom(folder, header, false);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Refuses parallel files of different numbers of lines, or without any. */
export function checkLineCounts(
  { sourceFile, targetFile }: Pick<PrepareOptions, "sourceFile" | "targetFile">,
  sourceLines: number,
  targetLines: number,
): void {
  if (sourceLines !== targetLines) {
    throw new QkvError(
      "data",
      `${sourceFile} and ${targetFile}: parallel files must have the same number of lines; got ${sourceLines} ` +
        `and ${targetLines}; give each line its translation at the same line of the other file`,
    );
  }
  if (sourceLines === 0) {
    throw new QkvError(
      "data",
      `${sourceFile} and ${targetFile}: must hold one sentence a line; got empty files; check the paths`,
    );
  }
}

function checkOptions(options: PrepareOptions): void {
  const { sourceVocabSize, targetVocabSize } = options;
  const [maxLength, maxLengthRatio] = limitsOf(options);
  const isWithin = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  if (!isWithin(maxLength, 1, longestSentence)) {
    throw new QkvError("option", `maxLength: must be 1 to ${longestSentence} tokens; got ${maxLength}`);
  }
  if (maxLengthRatio !== null && !(maxLengthRatio >= 1)) {
    throw new QkvError("option", `maxLengthRatio: must be 1 or more; got ${maxLengthRatio}`);
  }
  for (const [name, size] of Object.entries({ sourceVocabSize, targetVocabSize })) {
    if (isWithin(size, 1, 2 ** 32)) continue;
    throw new QkvError("option", `${name}: must be a whole number of entries, 1 or more; got ${size}`);
  }
}

function vocabSizesOf(options: PrepareOptions): readonly number[] {
  return [options.sourceVocabSize, options.targetVocabSize];
}

/** The header of the corpus that the folder holds; undefined where there is none or it is damaged. */
function existingHeader(folder: string): CorpusHeader | undefined {
  if (!existsSync(folder)) return undefined;
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch (error) {
    throw fileError(folder, "cannot read", error);
  }
  const isOurs = (entry: string) => entry === headerName || /^(source|target)\.(lengths|tokens)$/.test(entry);
  if (!entries.every(isOurs)) {
    throw new QkvError(
      "option",
      `${folder}: a prepared corpus needs a folder of its own; got one that holds ` +
        `${entries.find((entry) => !isOurs(entry))}; name a folder that is new or empty`,
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

function preparedFrom(folder: string, header: CorpusHeader, reused: boolean): PreparedCorpus {
  return { ...header.report, folder, fingerprint: header.fingerprint, reused };
}
