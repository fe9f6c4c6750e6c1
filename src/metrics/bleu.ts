import { QkvError } from "../util/errors.ts";
import { type BleuTokenization, bleuTokenizations, tokenizeForBleu } from "./bleu-tokenizers.ts";
import {
  type MosesTokenization,
  mosesRulesVersion,
  mosesTokenizations,
  tokenizeMoses,
} from "./moses-tokenizer.ts";
import { countNgramMatches } from "./ngram-matches.ts";
import {
  requireBoolean,
  requireKnownOptions,
  requireNonNegative,
  requireOneOf,
  requireWholeNumber,
} from "./options.ts";
import { referenceCount, referencesBySegment, sacrebleuVersion } from "./segments.ts";
import { formatFixed } from "./text.ts";

/** How an order without any match enters BLEU, by sacreBLEU's names. */
export const bleuSmoothMethods = ["exp", "floor", "add-k", "none"] as const;

/** One of `bleuSmoothMethods`. */
export type BleuSmoothMethod = (typeof bleuSmoothMethods)[number];

/** What BLEU counts and how. The names are those of sacreBLEU, and so are the defaults. */
export interface BleuOptions {
  /** How a segment becomes tokens: as sacreBLEU does, or as Moses does. Default `"13a"`. */
  readonly tokenize?: BleuTokenization | MosesTokenization | undefined;
  /** Whether case is ignored. Default false. */
  readonly lowercase?: boolean | undefined;
  /**
   * What an order without a match counts. Default `"exp"`.
   * - `exp`: half of one match for the first such order, a quarter for the second, and so on.
   * - `floor`: `smoothValue` matches.
   * - `add-k`: `smoothValue` is added to the matches and totals of every order from 2 up.
   * - `none`: nothing, so that BLEU is 0.
   */
  readonly smoothMethod?: BleuSmoothMethod | undefined;
  /** The value of `floor` (default 0.1) or `add-k` (default 1); the other methods take none. */
  readonly smoothValue?: number | undefined;
  /** The longest n-gram that is counted. Default 4. */
  readonly maxNgramOrder?: number | undefined;
  /**
   * Whether the mean goes only over orders that the hypothesis is long enough for.
   * Default false for a corpus and true for a sentence.
   */
  readonly effectiveOrder?: boolean | undefined;
}

/** BLEU and what it comes from. Lists hold one number for each order, 1 first. */
export interface BleuScore {
  /** 0 to 100. */
  readonly score: number;
  /** Clipped matches; `add-k` is included. */
  readonly counts: readonly number[];
  /** N-grams of the hypotheses; `add-k` is included. */
  readonly totals: readonly number[];
  /** Percent, smoothed. All are 0 where nothing matches at all. */
  readonly precisions: readonly number[];
  /** 1, or less where the hypotheses are shorter than the references. */
  readonly brevityPenalty: number;
  /** Tokens of all hypotheses. */
  readonly hypothesisLength: number;
  /** Tokens of the reference nearest in length to each hypothesis, the shorter one of two equally near. */
  readonly referenceLength: number;
  /** What was counted and how, as sacreBLEU writes it; its version stands there only where the tokens are its own. */
  readonly signature: string;
  /** The score in one line, as sacreBLEU prints it. */
  readonly text: string;
}

/**
 * BLEU of a corpus: brevity penalty times the geometric mean of the clipped n-gram precisions, `min(1, exp(1
 * - r/c)) * exp(mean over n of log p_n)`, from matches summed over all segments. Equal to sacreBLEU.
 *
 * @param hypotheses - one segment each
 * @param references - one stream per reference, as long as `hypotheses`; `null` = none for this segment
 * @throws QkvError "data" for unequal numbers of segments, "option" for an unknown option or value
 *
 * Source: Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation"; Post 2018,
 * "A Call for Clarity in Reporting BLEU Scores".
 */
export function corpusBleu(
  hypotheses: readonly string[],
  references: readonly (readonly (string | null)[])[],
  options: BleuOptions = {},
): BleuScore {
  const settings = checkOptions("corpusBleu", options, false);
  const ofSegments = referencesBySegment("corpusBleu", hypotheses, references);
  return scoreSegments(hypotheses, ofSegments, settings);
}

/**
 * BLEU of one sentence. As `corpusBleu` of one segment, but the effective order is on unless it is turned
 * off, since a sentence of three words has no n-gram of order 4.
 *
 * @param references - the references of this one sentence
 */
export function sentenceBleu(
  hypothesis: string,
  references: readonly string[],
  options: BleuOptions = {},
): BleuScore {
  const settings = checkOptions("sentenceBleu", options, true);
  if (typeof references === "string") {
    throw new QkvError("data", "sentenceBleu: takes a list of references; got one text; put it into a list");
  }
  const streams = references.map((reference) => [reference]);
  return scoreSegments([hypothesis], referencesBySegment("sentenceBleu", [hypothesis], streams), settings);
}

interface BleuSettings {
  readonly tokenize: BleuTokenization | MosesTokenization;
  readonly lowercase: boolean;
  readonly smoothMethod: BleuSmoothMethod;
  readonly smoothValue: number;
  readonly maxNgramOrder: number;
  readonly effectiveOrder: boolean;
}

const optionNames = [
  "tokenize",
  "lowercase",
  "smoothMethod",
  "smoothValue",
  "maxNgramOrder",
  "effectiveOrder",
] as const satisfies readonly (keyof BleuOptions)[];

/**
 * The value of a method that takes one. Source: Chen and Cherry 2014, "A Systematic Comparison of Smoothing".
 */
const smoothDefaults: Readonly<Record<BleuSmoothMethod, number | undefined>> = {
  exp: undefined,
  floor: 0.1,
  "add-k": 1,
  none: undefined,
};

function checkOptions(where: string, options: BleuOptions, effectiveOrder: boolean): BleuSettings {
  requireKnownOptions(where, options, optionNames);
  const smoothMethod = requireOneOf(where, "smoothMethod", options.smoothMethod ?? "exp", bleuSmoothMethods);
  const smoothDefault = smoothDefaults[smoothMethod];
  if (options.smoothValue !== undefined && smoothDefault === undefined) {
    const rule = `${where}: smoothValue goes with smoothMethod floor or add-k; got ${options.smoothValue}`;
    throw new QkvError("option", `${rule} with ${smoothMethod}; leave it out`);
  }
  return {
    tokenize: requireOneOf(where, "tokenize", options.tokenize ?? "13a", [
      ...bleuTokenizations,
      ...mosesTokenizations,
    ]),
    lowercase: requireBoolean(where, "lowercase", options.lowercase ?? false),
    smoothMethod,
    smoothValue: requireNonNegative(where, "smoothValue", options.smoothValue ?? smoothDefault ?? 0),
    maxNgramOrder: requireWholeNumber(where, "maxNgramOrder", options.maxNgramOrder ?? 4, 1),
    effectiveOrder: requireBoolean(where, "effectiveOrder", options.effectiveOrder ?? effectiveOrder),
  };
}

function scoreSegments(
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
  settings: BleuSettings,
): BleuScore {
  const split = tokenizerOf(settings.tokenize);
  const tokenize = (segment: string) => split(settings.lowercase ? segment.toLowerCase() : segment);
  const counts = new Array<number>(settings.maxNgramOrder).fill(0);
  const totals = new Array<number>(settings.maxNgramOrder).fill(0);
  let hypothesisLength = 0;
  let referenceLength = 0;
  for (const [segment, text] of hypotheses.entries()) {
    const hypothesis = tokenize(text);
    const ofSegment = references[segment]!.map(tokenize);
    hypothesisLength += hypothesis.length;
    referenceLength += nearestLength(hypothesis.length, ofSegment);
    const matches = countNgramMatches(hypothesis, ofSegment, settings.maxNgramOrder);
    for (const [index, matched] of matches.entries()) {
      counts[index]! += matched;
      totals[index]! += Math.max(0, hypothesis.length - index);
    }
  }
  const brevityPenalty = penalizeBrevity(hypothesisLength, referenceLength);
  const mean = meanPrecision(counts, totals, settings);
  const score = brevityPenalty * mean.precision;
  const { precisions } = mean;
  const lengths = { hypothesisLength, referenceLength };
  return {
    score,
    counts: mean.counts,
    totals: mean.totals,
    precisions,
    brevityPenalty,
    ...lengths,
    signature: writeSignature(referenceCount(references), settings),
    text: writeLine({ score, precisions, brevityPenalty, ...lengths }),
  };
}

function tokenizerOf(name: BleuSettings["tokenize"]): (segment: string) => string[] {
  return isMoses(name)
    ? (segment) => tokenizeMoses(segment, name)
    : (segment) => tokenizeForBleu(segment, name);
}

function isMoses(name: string): name is MosesTokenization {
  return mosesTokenizations.some((known) => known === name);
}

/** The length of the reference that is nearest in length, the shorter one of two equally near. */
function nearestLength(length: number, references: readonly (readonly string[])[]): number {
  let nearest = references[0]!.length;
  for (const { length: candidate } of references) {
    const difference = Math.abs(length - candidate) - Math.abs(length - nearest);
    if (difference < 0 || (difference === 0 && candidate < nearest)) nearest = candidate;
  }
  return nearest;
}

function penalizeBrevity(hypothesisLength: number, referenceLength: number): number {
  if (hypothesisLength >= referenceLength) return 1;
  return hypothesisLength === 0 ? 0 : Math.exp(1 - referenceLength / hypothesisLength);
}

interface MeanPrecision {
  readonly precision: number;
  readonly counts: readonly number[];
  readonly totals: readonly number[];
  readonly precisions: readonly number[];
}

/** The geometric mean of the smoothed precisions in percent, with the counts as the smoothing left them. */
function meanPrecision(
  matches: readonly number[],
  ngrams: readonly number[],
  settings: BleuSettings,
): MeanPrecision {
  const counts = [...matches];
  const totals = [...ngrams];
  const precisions = counts.map(() => 0);
  if (counts.every((count) => count === 0)) return { precision: 0, counts, totals, precisions };

  let halving = 1;
  let orders = settings.maxNgramOrder;
  for (let index = 0; index < precisions.length; index++) {
    if (settings.smoothMethod === "add-k" && index > 0) {
      counts[index]! += settings.smoothValue;
      totals[index]! += settings.smoothValue;
    }
    const count = counts[index]!;
    const total = totals[index]!;
    if (total === 0) break;
    if (settings.effectiveOrder) orders = index + 1;
    if (count > 0) precisions[index] = (100 * count) / total;
    else if (settings.smoothMethod === "floor") precisions[index] = (100 * settings.smoothValue) / total;
    else if (settings.smoothMethod === "exp") {
      halving *= 2;
      precisions[index] = 100 / (halving * total);
    }
  }
  const used = precisions.slice(0, orders);
  const precision = Math.exp(used.reduce((sum, value) => sum + Math.log(value), 0) / orders);
  return { precision, counts, totals, precisions };
}

function writeSignature(references: string, settings: BleuSettings): string {
  const hasValue = smoothDefaults[settings.smoothMethod] !== undefined;
  const value = hasValue ? `[${formatFixed(settings.smoothValue, 2)}]` : "";
  return [
    `nrefs:${references}`,
    `case:${settings.lowercase ? "lc" : "mixed"}`,
    `eff:${settings.effectiveOrder ? "yes" : "no"}`,
    `tok:${settings.tokenize}`,
    `smooth:${settings.smoothMethod}${value}`,
    `version:${isMoses(settings.tokenize) ? mosesRulesVersion : sacrebleuVersion}`,
  ].join("|");
}

function writeLine(score: Omit<BleuScore, "counts" | "totals" | "signature" | "text">): string {
  const precisions = score.precisions.map((precision) => formatFixed(precision, 1)).join("/");
  const ratio = score.referenceLength === 0 ? 0 : score.hypothesisLength / score.referenceLength;
  const penalty = `BP = ${formatFixed(score.brevityPenalty, 3)} ratio = ${formatFixed(ratio, 3)}`;
  const lengths = `hyp_len = ${score.hypothesisLength} ref_len = ${score.referenceLength}`;
  return `BLEU = ${formatFixed(score.score, 2)} ${precisions} (${penalty} ${lengths})`;
}
