import type { Option } from "commander";

/**
 * What a metric is to the command line: one file each beside this one, all listed in `table.ts`. The numbers come
 * from `src/metrics`; here stands how a line is read, which options there are, and what is printed.
 */
export interface Metric<Hypothesis = unknown, Reference = unknown, Flags extends object = object> {
  /** For `--help`, a few words. */
  readonly description: string;
  /** Its options, made anew for each command; the values arrive in `open` under commander's names. */
  options(): readonly Option[];
  /** How many digits of a score people are shown: 2 where it is in percent, 4 where it lies between 0 and 1. */
  readonly decimals: 2 | 4;
  /** How many files of references it takes. */
  readonly references: "several" | "one" | "none";
  /**
   * The value of one line.
   * @param item - the line, or the value that it holds where the file is JSON Lines
   * @param place - file and line, for errors
   * @throws QkvError "data" where it cannot be used
   */
  readHypothesis(item: unknown, place: string): Hypothesis;
  readReference(item: unknown, place: string): Reference;
  /** @throws QkvError "option" for values that do not go together */
  open(flags: Flags): Promise<Measure<Hypothesis, Reference>>;
}

/** A metric with its options chosen. */
export interface Measure<Hypothesis = unknown, Reference = unknown> {
  /** @param references - one list for each file, as long as `hypotheses` */
  corpus(hypotheses: readonly Hypothesis[], references: readonly (readonly Reference[])[]): MetricResult;
  /** The result of a single line; left out where it means nothing. */
  sentence?(hypothesis: Hypothesis, references: readonly Reference[]): MetricResult;
}

/** What a metric found. */
export interface MetricResult {
  /** The one number by which models are compared, or one for each label. */
  readonly score: number | readonly number[];
  /** What stands beside `score` in the JSON, under the names of the reference implementation. */
  readonly details: Readonly<Record<string, unknown>>;
  /** The result for people; lines without a break at the end. */
  readonly text: string;
}
