import { z } from "zod";
import { QkvError } from "../../util/errors.ts";
import type { ParallelCorpus, TokenIds } from "../parallel-corpus.ts";
import type { CorpusReport } from "./corpus-report.ts";
import { prepareTokens } from "./prepare-tokens.ts";
import { damaged } from "./token-format.ts";
import { type OpenTokensOptions, openTokenStore, type TokenStore } from "./token-store.ts";
import { PairTokenizer, type TokenizePairsOptions } from "./tokenize-pairs.ts";

export {
  type CorpusReport,
  describeCorpusReport,
  type SkippedLine,
  type SkipReason,
} from "./corpus-report.ts";

/** What to prepare, and how. */
export interface PrepareOptions extends Omit<TokenizePairsOptions, "maxLength" | "maxLengthRatio"> {
  /** The folder to write; it is replaced where it holds a corpus already. */
  readonly folder: string;
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

/** What was prepared. */
export interface PreparedCorpus extends CorpusReport {
  readonly folder: string;
  readonly fingerprint: string;
  /** Whether the folder held the same corpus already, so that nothing had to be done. */
  readonly reused: boolean;
}

const count = z.int().nonnegative();
const reasons = z.object({ emptySource: count, emptyTarget: count, tooLong: count, lengthRatio: count });

const reportSchema = z.object({
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
});

/** The longest sentence that a 16-bit length can hold, in tokens. */
const longestSentence = 65_535;

/**
 * Tokenizes two parallel text files once into a compact folder, which `openParallelCorpus` opens.
 * Memory stays constant however long the files are. Lines that are empty (white space only, or no tokens) on either
 * side and pairs beyond the limits are left out, counted, and reported. A folder that holds the same corpus (same
 * files by size and time of change or by content, same tokenizer, same options) is left as it is.
 * @throws QkvError where a file is missing or unreadable, a line is not valid UTF-8, the numbers of lines differ,
 * no pair is left, or the folder holds something else; the folder is then as it was before
 */
export async function prepareParallelCorpus(options: PrepareOptions): Promise<PreparedCorpus> {
  const {
    folder,
    sourceFile,
    targetFile,
    signal,
    onProgress,
    maxLength = 256,
    maxLengthRatio = null,
  } = options;
  checkOptions(options, maxLength, maxLengthRatio);
  const pairs = new PairTokenizer({ ...options, maxLength, maxLengthRatio });
  let totalLines = 0;
  const prepared = await prepareTokens({
    folder,
    inputs: [sourceFile, targetFile],
    settings: ["pairs", options.tokenizer, maxLength, maxLengthRatio],
    columns: {
      source: { bound: options.sourceVocabSize, longest: longestSentence },
      target: { bound: options.targetVocabSize, longest: longestSentence },
    },
    examples: ([source, target]) => {
      checkLineCounts(options, source!.lines, target!.lines);
      totalLines = source!.lines;
      return pairs.examples(totalLines);
    },
    placeOf: (side) => pairs.placeOf(side),
    report: () => pairs.report(),
    onProgress: (lines) => onProgress?.({ lines, totalLines }),
    ...(signal && { signal }),
  });
  return {
    ...reportOf(folder, prepared.report),
    folder,
    fingerprint: prepared.fingerprint,
    reused: prepared.reused,
  };
}

/** How a prepared corpus is opened; each language is a column. */
export type OpenCorpusOptions = OpenTokensOptions;

/**
 * A corpus that `prepareParallelCorpus` wrote. Opening reads and checks every byte.
 * @param folder - where it lies
 * @throws QkvError where the folder is missing, is no corpus, or is damaged
 */
export function openParallelCorpus(folder: string, options: OpenCorpusOptions = {}): StoredCorpus {
  return new StoredCorpus(openTokenStore(folder, options));
}

/** A prepared corpus on a disk; see `openParallelCorpus`. */
export class StoredCorpus implements ParallelCorpus {
  readonly folder: string;
  readonly length: number;
  /** What preparing it found. */
  readonly report: CorpusReport;
  /** SHA-256 over the content of the text files, the tokenizer and the options: equal for equal corpora. */
  readonly fingerprint: string;
  readonly sourceVocabSize: number;
  readonly targetVocabSize: number;
  readonly sourceLength: (pair: number) => number;
  readonly targetLength: (pair: number) => number;
  readonly source: (pair: number) => TokenIds;
  readonly target: (pair: number) => TokenIds;
  readonly #store: TokenStore;

  constructor(store: TokenStore) {
    this.#store = store;
    this.folder = store.folder;
    this.length = store.length;
    this.report = reportOf(store.folder, store.report);
    this.fingerprint = store.fingerprint;
    const [source, target] = [store.column("source"), store.column("target")];
    this.sourceVocabSize = store.boundOf("source") ?? 0;
    this.targetVocabSize = store.boundOf("target") ?? 0;
    this.sourceLength = (pair) => source.lengthOf(pair);
    this.targetLength = (pair) => target.lengthOf(pair);
    // Ids are written without sign.
    this.source = (pair) => source.values(pair) as TokenIds;
    this.target = (pair) => target.values(pair) as TokenIds;
  }

  /** Closes the files, where any are open. May be called twice. */
  dispose(): void {
    this.#store.dispose();
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

function checkOptions(options: PrepareOptions, maxLength: number, maxLengthRatio: number | null): void {
  const { sourceVocabSize, targetVocabSize } = options;
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

function reportOf(folder: string, report: unknown): CorpusReport {
  const parsed = reportSchema.safeParse(report);
  if (parsed.success) return parsed.data;
  throw damaged(folder, "pairs of sentences", "other examples");
}
