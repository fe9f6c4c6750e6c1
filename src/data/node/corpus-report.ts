/** Why a pair was left out; the first that holds in this order is the one that is counted. */
export type SkipReason = "emptySource" | "emptyTarget" | "tooLong" | "lengthRatio";

/** One pair that was left out. */
export interface SkippedLine {
  /** Counted from 1, the same in both files. */
  readonly line: number;
  readonly reason: SkipReason;
  /** Tokens of the source; 0 where a side is empty, since such pairs are not tokenized. */
  readonly sourceTokens: number;
  readonly targetTokens: number;
}

/** What preparing a corpus found. */
export interface CorpusReport {
  /** The lines of each file. */
  readonly lines: number;
  /** The pairs that were kept. */
  readonly pairs: number;
  readonly sourceTokens: number;
  readonly targetTokens: number;
  /** How many pairs were left out, by reason. */
  readonly skipped: Readonly<Record<SkipReason, number>>;
  /** The first ten pairs that were left out. */
  readonly firstSkippedLines: readonly SkippedLine[];
  /** The limits that were applied; tokens, and longer side over shorter side. */
  readonly maxLength: number;
  readonly maxLengthRatio: number | null;
}

/** One sentence about what was kept and what was left out, and where that begins. */
export function describeCorpusReport(report: CorpusReport): string {
  const number = (value: number): string => value.toLocaleString("en-US");
  const kept =
    `${number(report.pairs)} pairs (${number(report.sourceTokens)} source tokens, ` +
    `${number(report.targetTokens)} target tokens)`;
  const reasons: Record<SkipReason, string> = {
    emptySource: "with an empty source",
    emptyTarget: "with an empty target",
    tooLong: `longer than ${report.maxLength} tokens`,
    lengthRatio: `with one side more than ${report.maxLengthRatio} times as long as the other`,
  };
  const left = (Object.keys(reasons) as SkipReason[]).filter((reason) => report.skipped[reason] > 0);
  if (left.length === 0) return `${kept}; none left out`;
  const parts = left.map((reason) => `${number(report.skipped[reason])} ${reasons[reason]}`);
  const lines = report.firstSkippedLines.map((skipped) => skipped.line);
  const skippedPairs = left.reduce((sum, reason) => sum + report.skipped[reason], 0);
  const more = skippedPairs > lines.length ? " ..." : "";
  return `${kept}; left out: ${parts.join(", ")} (${lines.length === 1 ? "line" : "lines"} ${lines.join(", ")}${more})`;
}
