import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { QkvError } from "../../util/errors.ts";
import {
  type CorpusHeader,
  corpusFormat,
  corpusVersion,
  headerName,
  type InputFile,
  numbersPath,
  type Side,
  tokenBytes,
} from "./corpus-format.ts";
import {
  type CorpusReport,
  describeCorpusReport,
  type SkippedLine,
  type SkipReason,
} from "./corpus-report.ts";
import { LineReader } from "./line-reader.ts";
import { NumberWriter } from "./number-writer.ts";

/** What to prepare, and how. */
export interface PrepareOptions {
  /** Text files in UTF-8, one sentence a line; line N of one is the translation of line N of the other. */
  readonly sourceFile: string;
  readonly targetFile: string;
  /** The folder to write; it is replaced where it holds a corpus already. */
  readonly folder: string;
  /** Turns a line into token ids, each a whole number below the vocabulary's size. */
  readonly encodeSource: (line: string) => ArrayLike<number>;
  readonly encodeTarget: (line: string) => ArrayLike<number>;
  readonly sourceVocabSize: number;
  readonly targetVocabSize: number;
  /** A text that differs where the tokenizers differ, such as the hash of their files: decides about reuse. */
  readonly tokenizer: string;
  /** Pairs with more tokens than this on either side are left out. Default 256, at most 65,535. */
  readonly maxLength?: number;
  /** Pairs whose longer side has more than this many times the tokens of the shorter are left out. Default: none. */
  readonly maxLengthRatio?: number;
  /** Told about ten times a second how far it is. */
  readonly onProgress?: (progress: PrepareProgress) => void;
  /** Stops the work and leaves nothing behind. */
  readonly signal?: AbortSignal;
}

/** How many lines of each file are done. */
export interface PrepareProgress {
  readonly lines: number;
  readonly totalLines: number;
}

const reportedSkips = 10;

/**
 * Writes the files of a corpus.
 * @param folder - empty
 * @param totalLines - the number of lines that both files had a moment ago
 * @param settings - the digest of what decides the content besides the files
 */
export async function writeCorpus(
  folder: string,
  options: PrepareOptions,
  totalLines: number,
  inputs: Record<Side, InputFile>,
  settings: string,
): Promise<CorpusHeader> {
  const { sourceVocabSize, targetVocabSize } = options;
  const readers: LineReader[] = [];
  const writers: NumberWriter[] = [];
  const writer = (side: Side, kind: "lengths" | "tokens", width: 2 | 4): NumberWriter => {
    const opened = new NumberWriter(numbersPath(folder, side, kind), width);
    writers.push(opened);
    return opened;
  };
  try {
    const source = new LineReader(options.sourceFile);
    readers.push(source);
    const target = new LineReader(options.targetFile);
    readers.push(target);
    const output = {
      sourceLengths: writer("source", "lengths", 2),
      sourceTokens: writer("source", "tokens", tokenBytes(sourceVocabSize)),
      targetLengths: writer("target", "lengths", 2),
      targetTokens: writer("target", "tokens", tokenBytes(targetVocabSize)),
    };
    const report = await tokenizeLines(options, source, target, output, totalLines);
    for (const opened of writers) opened.close();
    const header: CorpusHeader = {
      format: corpusFormat,
      version: corpusVersion,
      fingerprint: digest([settings, inputs.source.sha256, inputs.target.sha256]),
      settings,
      inputs,
      sides: {
        source: sideHeader(sourceVocabSize, output.sourceLengths, output.sourceTokens),
        target: sideHeader(targetVocabSize, output.targetLengths, output.targetTokens),
      },
      report,
    };
    writeFileSync(join(folder, headerName), `${JSON.stringify(header, null, 2)}\n`);
    return header;
  } finally {
    for (const opened of [...readers, ...writers]) opened.dispose();
  }
}

interface CorpusOutput {
  readonly sourceLengths: NumberWriter;
  readonly sourceTokens: NumberWriter;
  readonly targetLengths: NumberWriter;
  readonly targetTokens: NumberWriter;
}

async function tokenizeLines(
  options: PrepareOptions,
  source: LineReader,
  target: LineReader,
  output: CorpusOutput,
  totalLines: number,
): Promise<CorpusReport> {
  const [maxLength, maxLengthRatio] = limitsOf(options);
  const ratioLimit = maxLengthRatio ?? Number.POSITIVE_INFINITY;
  const skipped: Record<SkipReason, number> = { emptySource: 0, emptyTarget: 0, tooLong: 0, lengthRatio: 0 };
  const firstSkippedLines: SkippedLine[] = [];
  const skip = (reason: SkipReason, sourceTokens: number, targetTokens: number): void => {
    skipped[reason]++;
    if (firstSkippedLines.length === reportedSkips) return;
    firstSkippedLines.push({ line: source.lineNumber, reason, sourceTokens, targetTokens });
  };
  checkNotStopped(options);
  let lastPause = performance.now();
  for (;;) {
    const sourceLine = source.next();
    const targetLine = target.next();
    if (sourceLine === undefined || targetLine === undefined) {
      if (sourceLine === targetLine && source.lineNumber === totalLines) break;
      throw changedError(options);
    }
    if (source.lineNumber % 256 === 0 && performance.now() - lastPause > 100) {
      options.onProgress?.({ lines: source.lineNumber, totalLines });
      await nextTurn();
      checkNotStopped(options);
      lastPause = performance.now();
    }
    if (isBlank(sourceLine)) skip("emptySource", 0, 0);
    else if (isBlank(targetLine)) skip("emptyTarget", 0, 0);
    else {
      const sourceIds = encode(options.encodeSource, sourceLine, source, options.sourceVocabSize);
      const targetIds = encode(options.encodeTarget, targetLine, target, options.targetVocabSize);
      const shorter = Math.min(sourceIds.length, targetIds.length);
      const longer = Math.max(sourceIds.length, targetIds.length);
      if (sourceIds.length === 0) skip("emptySource", 0, targetIds.length);
      else if (targetIds.length === 0) skip("emptyTarget", sourceIds.length, 0);
      else if (longer > maxLength) skip("tooLong", sourceIds.length, targetIds.length);
      else if (longer > ratioLimit * shorter) skip("lengthRatio", sourceIds.length, targetIds.length);
      else {
        output.sourceLengths.add(sourceIds.length);
        output.sourceTokens.addAll(sourceIds);
        output.targetLengths.add(targetIds.length);
        output.targetTokens.addAll(targetIds);
      }
    }
  }
  const report: CorpusReport = {
    lines: totalLines,
    pairs: output.sourceLengths.count,
    sourceTokens: output.sourceTokens.count,
    targetTokens: output.targetTokens.count,
    skipped,
    firstSkippedLines,
    maxLength,
    maxLengthRatio,
  };
  if (report.pairs === 0) {
    throw new QkvError(
      "data",
      `${options.sourceFile} and ${options.targetFile}: at least one pair must be left for training; got ` +
        `${describeCorpusReport(report)}; check the files and the limits`,
    );
  }
  options.onProgress?.({ lines: totalLines, totalLines });
  return report;
}

function encode(
  encodeLine: (line: string) => ArrayLike<number>,
  line: string,
  reader: LineReader,
  vocabSize: number,
): ArrayLike<number> {
  const ids = encodeLine(line);
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index]!;
    if (id === id >>> 0 && id < vocabSize) continue;
    throw new QkvError(
      "data",
      `${reader.path}: line ${reader.lineNumber}: token ids must be whole numbers from 0 to ${vocabSize - 1}; ` +
        `got ${id}; check that the tokenizer and the vocabulary size belong together`,
    );
  }
  return ids;
}

function isBlank(line: string): boolean {
  // The first character decides nearly always; `trim` is asked only where it is white space or the line is empty.
  return !(line.charCodeAt(0) > 0x20 && line.charCodeAt(0) < 0x80) && line.trim() === "";
}

/** The error for text files that somebody writes to at the same time. */
export function changedError({ sourceFile, targetFile }: PrepareOptions): QkvError {
  return new QkvError(
    "data",
    `${sourceFile} and ${targetFile}: must not change while they are read; got new content in one of them; ` +
      "run it again when they are complete",
  );
}

function checkNotStopped(options: PrepareOptions): void {
  if (!options.signal?.aborted) return;
  throw new QkvError(
    "interrupted",
    `${options.folder}: preparing the corpus was stopped; nothing was written`,
  );
}

function sideHeader(vocabSize: number, lengths: NumberWriter, tokens: NumberWriter) {
  const { count, checksum: tokensChecksum } = tokens;
  return { vocabSize, tokens: count, lengthsChecksum: lengths.checksum, tokensChecksum };
}

/** The limits that hold, defaults filled in. */
export function limitsOf(
  options: PrepareOptions,
): readonly [maxLength: number, maxLengthRatio: number | null] {
  return [options.maxLength ?? 256, options.maxLengthRatio ?? null];
}

/** SHA-256 over the JSON text of some values, in hexadecimal digits. */
export function digest(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
