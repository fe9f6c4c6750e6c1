import { QkvError } from "../../util/errors.ts";
import {
  type CorpusReport,
  describeCorpusReport,
  type SkippedLine,
  type SkipReason,
} from "./corpus-report.ts";
import { LineReader } from "./line-reader.ts";
import { changedError, type TokenExample } from "./prepare-tokens.ts";

/** The two languages of a corpus, which are columns of its prepared form. */
export type Side = "source" | "target";

/** Which lines to tokenize, and how. */
export interface TokenizePairsOptions {
  /** Text files in UTF-8, one sentence a line; line N of one is the translation of line N of the other. */
  readonly sourceFile: string;
  readonly targetFile: string;
  /** Turns a line into token ids, each a whole number below the vocabulary's size. */
  readonly encodeSource: (line: string) => ArrayLike<number>;
  readonly encodeTarget: (line: string) => ArrayLike<number>;
  /** Pairs with more tokens than this on either side are left out. */
  readonly maxLength: number;
  /** Pairs whose longer side has more than this many times the tokens of the shorter are left out; null: none. */
  readonly maxLengthRatio: number | null;
}

const reportedSkips = 10;

/** Tokenizes two parallel files line by line, and counts what it leaves out. */
export class PairTokenizer {
  readonly #options: TokenizePairsOptions;
  readonly #tokens: Record<Side, number> = { source: 0, target: 0 };
  readonly #skipped: Record<SkipReason, number> = {
    emptySource: 0,
    emptyTarget: 0,
    tooLong: 0,
    lengthRatio: 0,
  };
  readonly #firstSkippedLines: SkippedLine[] = [];
  #line = 0;
  #pairs = 0;

  constructor(options: TokenizePairsOptions) {
    this.#options = options;
  }

  /** Where the pair that was given last stands. */
  placeOf(side: Side): string {
    const { sourceFile, targetFile } = this.#options;
    return `${side === "source" ? sourceFile : targetFile}: line ${this.#line}`;
  }

  /**
   * The ids of each pair, undefined for a pair that is left out.
   * @param totalLines - the number of lines that both files had a moment ago
   * @throws QkvError "data" where the files have changed since, or no pair is left
   */
  *examples(totalLines: number): Generator<TokenExample<Side> | undefined, void, undefined> {
    const { sourceFile, targetFile } = this.#options;
    const readers: LineReader[] = [];
    try {
      const source = new LineReader(sourceFile);
      readers.push(source);
      const target = new LineReader(targetFile);
      readers.push(target);
      for (;;) {
        const sourceLine = source.next();
        const targetLine = target.next();
        this.#line = source.lineNumber;
        if (sourceLine === undefined || targetLine === undefined) {
          if (sourceLine === targetLine && this.#line === totalLines) break;
          throw changedError([sourceFile, targetFile]);
        }
        yield this.#pair(sourceLine, targetLine);
      }
    } finally {
      for (const reader of readers) reader.dispose();
    }
    if (this.#pairs > 0) return;
    throw new QkvError(
      "data",
      `${sourceFile} and ${targetFile}: at least one pair must be left for training; got ` +
        `${describeCorpusReport(this.report())}; check the files and the limits`,
    );
  }

  /** What was found so far. */
  report(): CorpusReport {
    const { maxLength, maxLengthRatio } = this.#options;
    return {
      lines: this.#line,
      pairs: this.#pairs,
      sourceTokens: this.#tokens.source,
      targetTokens: this.#tokens.target,
      skipped: this.#skipped,
      firstSkippedLines: this.#firstSkippedLines,
      maxLength,
      maxLengthRatio,
    };
  }

  #pair(sourceLine: string, targetLine: string): TokenExample<Side> | undefined {
    const { encodeSource, encodeTarget, maxLength, maxLengthRatio } = this.#options;
    if (isBlank(sourceLine)) return this.#skip("emptySource", 0, 0);
    if (isBlank(targetLine)) return this.#skip("emptyTarget", 0, 0);
    const source = encodeSource(sourceLine);
    const target = encodeTarget(targetLine);
    const shorter = Math.min(source.length, target.length);
    const longer = Math.max(source.length, target.length);
    const ratioLimit = maxLengthRatio ?? Number.POSITIVE_INFINITY;
    if (source.length === 0) return this.#skip("emptySource", 0, target.length);
    if (target.length === 0) return this.#skip("emptyTarget", source.length, 0);
    if (longer > maxLength) return this.#skip("tooLong", source.length, target.length);
    if (longer > ratioLimit * shorter) return this.#skip("lengthRatio", source.length, target.length);
    this.#pairs++;
    this.#tokens.source += source.length;
    this.#tokens.target += target.length;
    return { source, target };
  }

  #skip(reason: SkipReason, sourceTokens: number, targetTokens: number): undefined {
    this.#skipped[reason]++;
    if (this.#firstSkippedLines.length === reportedSkips) return;
    this.#firstSkippedLines.push({ line: this.#line, reason, sourceTokens, targetTokens });
  }
}

function isBlank(line: string): boolean {
  // The first character decides nearly always; `trim` is asked only where it is white space or the line is empty.
  return !(line.charCodeAt(0) > 0x20 && line.charCodeAt(0) < 0x80) && line.trim() === "";
}
