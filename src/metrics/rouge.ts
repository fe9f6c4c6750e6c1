import { didYouMean, QkvError } from "../util/errors.ts";
import { countNgramMatches } from "./ngram-matches.ts";
import { requireBoolean, requireKnownOptions } from "./options.ts";
import { porterStem } from "./porter-stemmer.ts";
import { referencesBySegment } from "./segments.ts";

/**
 * What a ROUGE score compares: n-grams of words (`rouge1` to `rouge9`), the longest common subsequence of the
 * whole text (`rougeL`), or for every line of the reference the union of its longest common subsequences with
 * the lines of the hypothesis (`rougeLsum`; one sentence a line).
 */
export type RougeType = `rouge${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}` | "rougeL" | "rougeLsum";

/** The types that summarisation is reported with. */
export const commonRougeTypes = ["rouge1", "rouge2", "rougeL", "rougeLsum"] as const satisfies RougeType[];

/** All types. */
export const rougeTypes: readonly RougeType[] = [
  ...([1, 2, 3, 4, 5, 6, 7, 8, 9] as const).map((order) => `rouge${order}` as const),
  "rougeL",
  "rougeLsum",
];

/** What ROUGE compares and how. */
export interface RougeOptions {
  /** Default `commonRougeTypes`. */
  readonly types?: readonly RougeType[] | undefined;
  /** Whether words of more than three letters are compared by their Porter stem. Default false. */
  readonly useStemmer?: boolean | undefined;
}

/** One ROUGE score; each 0 to 1. */
export interface RougeScore {
  readonly precision: number;
  readonly recall: number;
  /** `2 * precision * recall / (precision + recall)`, or 0. */
  readonly fmeasure: number;
}

/** One score for each type that was asked for. */
export type RougeScores = Partial<Readonly<Record<RougeType, RougeScore>>>;

/**
 * ROUGE of one text. Words are runs of a-z and 0-9 after lower-casing. Of several references, for each type
 * the one with the best F measure, the first of equals. Equal to the `rouge_score` package of Google
 * Research.
 *
 * @param references - the references of this one text, at least one
 * @throws QkvError "option" for an unknown option or type
 *
 * Source: Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries".
 */
export function sentenceRouge(
  hypothesis: string,
  references: readonly string[],
  options: RougeOptions = {},
): RougeScores {
  return Object.fromEntries(
    scoreText("sentenceRouge", hypothesis, references, readOptions("sentenceRouge", options)),
  );
}

/**
 * ROUGE of many texts: the mean of `sentenceRouge` over them.
 *
 * @param hypotheses - one text each
 * @param references - one stream per reference, as long as `hypotheses`; `null` = none for this text
 * @throws QkvError "data" for unequal numbers of texts, "option" for an unknown option or type
 */
export function corpusRouge(
  hypotheses: readonly string[],
  references: readonly (readonly (string | null)[])[],
  options: RougeOptions = {},
): RougeScores {
  const settings = readOptions("corpusRouge", options);
  const ofTexts = referencesBySegment("corpusRouge", hypotheses, references);
  const sums = new Map(settings.types.map((type) => [type, { precision: 0, recall: 0, fmeasure: 0 }]));
  for (const [index, hypothesis] of hypotheses.entries()) {
    for (const [type, score] of scoreText("corpusRouge", hypothesis, ofTexts[index]!, settings)) {
      const sum = sums.get(type)!;
      sum.precision += score.precision / hypotheses.length;
      sum.recall += score.recall / hypotheses.length;
      sum.fmeasure += score.fmeasure / hypotheses.length;
    }
  }
  return Object.fromEntries(sums);
}

interface RougeSettings {
  readonly types: readonly RougeType[];
  readonly tokenize: (text: string) => string[];
}

function readOptions(where: string, options: RougeOptions): RougeSettings {
  requireKnownOptions(where, options, ["types", "useStemmer"]);
  const types = options.types ?? commonRougeTypes;
  for (const type of types) {
    if (rougeTypes.includes(type)) continue;
    const rule = `${where}: types are rouge1 to rouge9, rougeL, rougeLsum; got "${type}"`;
    throw new QkvError("option", rule + didYouMean(type, rougeTypes));
  }
  const stems = new Map<string, string>();
  const stem = (word: string): string => {
    if (word.length <= 3) return word;
    const known = stems.get(word) ?? porterStem(word);
    stems.set(word, known);
    return known;
  };
  const useStemmer = requireBoolean(where, "useStemmer", options.useStemmer ?? false);
  const split = (text: string): string[] => text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return { types, tokenize: useStemmer ? (text) => split(text).map(stem) : split };
}

function scoreText(
  where: string,
  hypothesis: string,
  references: readonly string[],
  settings: RougeSettings,
): Map<RougeType, RougeScore> {
  if (!Array.isArray(references) || references.length === 0) {
    throw new QkvError("data", `${where}: takes a list of at least one reference for each text`);
  }
  const best = new Map<RougeType, RougeScore>();
  const read = (text: string): Text => ({
    words: settings.tokenize(text),
    lines: text.split("\n").map(settings.tokenize),
  });
  const predicted = read(hypothesis);
  for (const reference of references.map(read)) {
    for (const type of settings.types) {
      const score = scorePair(type, predicted, reference);
      const before = best.get(type);
      if (before === undefined || score.fmeasure > before.fmeasure) best.set(type, score);
    }
  }
  return best;
}

interface Text {
  readonly words: readonly string[];
  readonly lines: readonly (readonly string[])[];
}

function scorePair(type: RougeType, hypothesis: Text, reference: Text): RougeScore {
  const [predicted, expected] = [hypothesis.words.length, reference.words.length];
  if (type === "rougeL") {
    const length = commonSubsequence(reference.words, hypothesis.words).length;
    return rates(length, predicted, expected);
  }
  if (type === "rougeLsum") {
    return rates(countUnionHits(reference.lines, hypothesis.lines), predicted, expected);
  }
  const order = Number(type.slice("rouge".length));
  const matches = countNgramMatches(hypothesis.words, [reference.words], order)[order - 1]!;
  return rates(matches, predicted - order + 1, expected - order + 1);
}

function rates(hits: number, predicted: number, expected: number): RougeScore {
  const precision = hits / Math.max(predicted, 1);
  const recall = hits / Math.max(expected, 1);
  const sum = precision + recall;
  return { precision, recall, fmeasure: sum > 0 ? (2 * precision * recall) / sum : 0 };
}

/**
 * How many words of the reference lie in the union of the longest common subsequences of its lines with the
 * lines of the hypothesis; a word counts at most as often as it stands on either side.
 */
function countUnionHits(
  reference: readonly (readonly string[])[],
  hypothesis: readonly (readonly string[])[],
): number {
  const leftInReference = countWords(reference);
  const leftInHypothesis = countWords(hypothesis);
  let hits = 0;
  for (const line of reference) {
    const union = new Set(hypothesis.flatMap((other) => commonSubsequence(line, other)));
    for (const [position, word] of line.entries()) {
      if (!union.has(position)) continue;
      const inReference = leftInReference.get(word) ?? 0;
      const inHypothesis = leftInHypothesis.get(word) ?? 0;
      if (inReference === 0 || inHypothesis === 0) continue;
      leftInReference.set(word, inReference - 1);
      leftInHypothesis.set(word, inHypothesis - 1);
      hits++;
    }
  }
  return hits;
}

function countWords(lines: readonly (readonly string[])[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of lines.flat()) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/**
 * The positions in `reference` of a longest common subsequence, in descending order. Where there are several,
 * it is the one whose reading from the end leaves out words of the reference first.
 */
function commonSubsequence(reference: readonly string[], hypothesis: readonly string[]): number[] {
  const width = hypothesis.length + 1;
  // lengths[row * width + column]: of the first `row` words of the reference and `column` of the hypothesis
  const lengths = new Int32Array((reference.length + 1) * width);
  for (let row = 1; row <= reference.length; row++) {
    const word = reference[row - 1]!;
    for (let column = 1; column < width; column++) {
      const above = (row - 1) * width + column;
      lengths[row * width + column] =
        word === hypothesis[column - 1]
          ? lengths[above - 1]! + 1
          : Math.max(lengths[above]!, lengths[row * width + column - 1]!);
    }
  }
  const positions: number[] = [];
  let row = reference.length;
  let column = hypothesis.length;
  while (row > 0 && column > 0) {
    if (reference[row - 1] === hypothesis[column - 1]) {
      row--;
      column--;
      positions.push(row);
    } else if (lengths[row * width + column - 1]! > lengths[(row - 1) * width + column]!) column--;
    else row--;
  }
  return positions;
}
