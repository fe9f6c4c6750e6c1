import { QkvError } from "../util/errors.ts";
import { countNgramMatches } from "./ngram-matches.ts";
import { requireBoolean, requireKnownOptions, requireNonNegative, requireWholeNumber } from "./options.ts";
import { referenceCount, referencesBySegment, sacrebleuVersion } from "./segments.ts";
import { formatFixed, splitWhitespace } from "./text.ts";

/**
 * What chrF counts and how. The names are those of sacreBLEU, and so are the defaults; `wordOrder: 2` is
 * chrF++.
 */
export interface ChrfOptions {
  /** The longest n-gram of characters (code points). Default 6. */
  readonly charOrder?: number | undefined;
  /** The longest n-gram of words: 0 for chrF, 2 for chrF++. Default 0. */
  readonly wordOrder?: number | undefined;
  /** How much more recall weighs than precision. Default 2. */
  readonly beta?: number | undefined;
  /** Whether case is ignored. Default false. */
  readonly lowercase?: boolean | undefined;
  /** Whether white space counts as characters. Default false. */
  readonly whitespace?: boolean | undefined;
  /**
   * Whether the F scores of all orders are averaged, an order without n-grams as 1e-16 (as in chrF++.py,
   * NLTK, Moses). By default precision and recall are averaged over the orders that both sides have n-grams
   * of. Default false.
   */
  readonly epsSmoothing?: boolean | undefined;
}

/** The n-grams of one order, summed over segments. */
export interface ChrfCounts {
  /** 0 where the reference has none of this order. */
  readonly hypothesis: number;
  readonly reference: number;
  readonly matches: number;
}

/** chrF and what it comes from. */
export interface ChrfScore {
  /** 0 to 100. */
  readonly score: number;
  /** One entry for each order of characters, then one for each order of words. */
  readonly counts: readonly ChrfCounts[];
  /** What was counted and how, as sacreBLEU writes it. */
  readonly signature: string;
  /** The score in one line, as sacreBLEU prints it. */
  readonly text: string;
}

/**
 * chrF of a corpus, or chrF++ with `wordOrder: 2`: the F score of n-gram precision and recall, `(1 + beta^2)
 * * P * R / (beta^2 * P + R)`, from counts summed over all segments. Of several references of a segment the
 * one with the best F score of its own counts. Equal to sacreBLEU.
 *
 * @param hypotheses - one segment each
 * @param references - one stream per reference, as long as `hypotheses`; `null` = none for this segment
 * @throws QkvError "data" for unequal numbers of segments, "option" for an unknown option or value
 *
 * Source: Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation"; Popović 2017, "chrF++:
 * words helping character n-grams".
 */
export function corpusChrf(
  hypotheses: readonly string[],
  references: readonly (readonly (string | null)[])[],
  options: ChrfOptions = {},
): ChrfScore {
  const settings = checkOptions("corpusChrf", options);
  return scoreSegments(hypotheses, referencesBySegment("corpusChrf", hypotheses, references), settings);
}

/**
 * chrF of one sentence: `corpusChrf` of one segment.
 *
 * @param references - the references of this one sentence
 */
export function sentenceChrf(
  hypothesis: string,
  references: readonly string[],
  options: ChrfOptions = {},
): ChrfScore {
  const settings = checkOptions("sentenceChrf", options);
  if (typeof references === "string") {
    throw new QkvError("data", "sentenceChrf: takes a list of references; got one text; put it into a list");
  }
  const streams = references.map((reference) => [reference]);
  return scoreSegments([hypothesis], referencesBySegment("sentenceChrf", [hypothesis], streams), settings);
}

type ChrfSettings = { readonly [Name in keyof ChrfOptions]-?: NonNullable<ChrfOptions[Name]> };

const optionNames = [
  "charOrder",
  "wordOrder",
  "beta",
  "lowercase",
  "whitespace",
  "epsSmoothing",
] as const satisfies readonly (keyof ChrfOptions)[];

function checkOptions(where: string, options: ChrfOptions): ChrfSettings {
  requireKnownOptions(where, options, optionNames);
  const charOrder = requireWholeNumber(where, "charOrder", options.charOrder ?? 6, 0);
  const wordOrder = requireWholeNumber(where, "wordOrder", options.wordOrder ?? 0, 0);
  if (charOrder + wordOrder === 0) {
    throw new QkvError("option", `${where}: charOrder or wordOrder is at least 1; got 0 for both`);
  }
  return {
    charOrder,
    wordOrder,
    beta: requireNonNegative(where, "beta", options.beta ?? 2),
    lowercase: requireBoolean(where, "lowercase", options.lowercase ?? false),
    whitespace: requireBoolean(where, "whitespace", options.whitespace ?? false),
    epsSmoothing: requireBoolean(where, "epsSmoothing", options.epsSmoothing ?? false),
  };
}

function scoreSegments(
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
  settings: ChrfSettings,
): ChrfScore {
  let sums: readonly ChrfCounts[] = [];
  for (const [segment, text] of hypotheses.entries()) {
    const hypothesis = readSegment(text, settings);
    let best: readonly ChrfCounts[] = [];
    let bestScore = -1;
    for (const reference of references[segment]!) {
      const counts = countOrders(hypothesis, readSegment(reference, settings), settings);
      const score = fScore(counts, settings);
      if (score <= bestScore) continue;
      best = counts;
      bestScore = score;
    }
    sums = segment === 0 ? best : sums.map((sum, order) => addCounts(sum, best[order]!));
  }
  const score = fScore(sums, settings);
  return {
    score,
    counts: sums,
    signature: writeSignature(referenceCount(references), settings),
    text: `chrF${settings.beta}${"+".repeat(settings.wordOrder)} = ${formatFixed(score, 2)}`,
  };
}

interface Segment {
  readonly characters: readonly number[];
  readonly words: readonly string[];
}

function readSegment(text: string, settings: ChrfSettings): Segment {
  const cased = settings.lowercase ? text.toLowerCase() : text;
  const words = splitWhitespace(cased);
  return {
    characters: settings.charOrder === 0 ? [] : codePoints(settings.whitespace ? cased : words.join("")),
    words: settings.wordOrder === 0 ? [] : words.flatMap(splitPunctuation),
  };
}

function codePoints(text: string): number[] {
  const points: number[] = [];
  for (let index = 0; index < text.length; index++) {
    const point = text.codePointAt(index)!;
    points.push(point);
    if (point > 0xffff) index++;
  }
  return points;
}

const asciiPunctuation: ReadonlySet<string> = new Set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");

/**
 * One ASCII punctuation mark split off the end of a word, else off its start: `(hi)` becomes `(hi` and `)`.
 */
function splitPunctuation(word: string): string[] {
  if (word.length === 1) return [word];
  if (asciiPunctuation.has(word.at(-1)!)) return [word.slice(0, -1), word.at(-1)!];
  if (asciiPunctuation.has(word[0]!)) return [word[0]!, word.slice(1)];
  return [word];
}

function countOrders(hypothesis: Segment, reference: Segment, settings: ChrfSettings): ChrfCounts[] {
  return [
    ...countNgrams(hypothesis.characters, reference.characters, settings.charOrder),
    ...countNgrams(hypothesis.words, reference.words, settings.wordOrder),
  ];
}

function countNgrams<Symbol>(
  hypothesis: readonly Symbol[],
  reference: readonly Symbol[],
  maxOrder: number,
): ChrfCounts[] {
  return countNgramMatches(hypothesis, [reference], maxOrder).map((matches, index) => {
    const inReference = Math.max(0, reference.length - index);
    const inHypothesis = inReference === 0 ? 0 : Math.max(0, hypothesis.length - index);
    return { hypothesis: inHypothesis, reference: inReference, matches };
  });
}

function addCounts(left: ChrfCounts, right: ChrfCounts): ChrfCounts {
  return {
    hypothesis: left.hypothesis + right.hypothesis,
    reference: left.reference + right.reference,
    matches: left.matches + right.matches,
  };
}

/**
 * In percent. The order of the operations is sacreBLEU's: of two references with equal F scores rounding
 * decides.
 */
function fScore(counts: readonly ChrfCounts[], settings: ChrfSettings): number {
  const weight = settings.beta ** 2;
  return settings.epsSmoothing ? meanOfFScores(counts, weight) : fScoreOfMeans(counts, weight);
}

function fScoreOfMeans(counts: readonly ChrfCounts[], weight: number): number {
  let precision = 0;
  let recall = 0;
  let orders = 0;
  for (const { hypothesis, reference, matches } of counts) {
    if (hypothesis === 0 || reference === 0) continue;
    precision += matches / hypothesis;
    recall += matches / reference;
    orders++;
  }
  if (precision + recall === 0) return 0;
  precision /= orders;
  recall /= orders;
  return 100 * (((1 + weight) * precision * recall) / (weight * precision + recall));
}

const epsilon = 1e-16;

function meanOfFScores(counts: readonly ChrfCounts[], weight: number): number {
  let sum = 0;
  for (const { hypothesis, reference, matches } of counts) {
    const precision = hypothesis > 0 ? matches / hypothesis : epsilon;
    const recall = reference > 0 ? matches / reference : epsilon;
    const denominator = weight * precision + recall;
    sum += denominator > 0 ? ((1 + weight) * precision * recall) / denominator : epsilon;
  }
  return (100 * sum) / counts.length;
}

function writeSignature(references: string, settings: ChrfSettings): string {
  return [
    `nrefs:${references}`,
    `case:${settings.lowercase ? "lc" : "mixed"}`,
    `eff:${settings.epsSmoothing ? "no" : "yes"}`,
    `nc:${settings.charOrder}`,
    `nw:${settings.wordOrder}`,
    `space:${settings.whitespace ? "yes" : "no"}`,
    `version:${sacrebleuVersion}`,
  ].join("|");
}
