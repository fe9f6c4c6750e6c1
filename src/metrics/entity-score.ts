import { QkvError } from "../util/errors.ts";
import { type Entity, type EntityOptions, extractEntities } from "./entities.ts";
import { requireKnownOptions } from "./options.ts";
import {
  type LabelCounts,
  macroAverage,
  microAverage,
  type Rates,
  ratesOf,
  requireZeroDivision,
  weightedAverage,
  type ZeroDivision,
} from "./precision-recall.ts";
import { compareCodePoints } from "./text.ts";

/** How tagging is scored. */
export interface EntityScoreOptions extends EntityOptions {
  /**
   * What precision is for a type that was never predicted, and recall for one that never occurs. Default 0.
   */
  readonly zeroDivision?: ZeroDivision | undefined;
}

/** The rates of one type of entities. */
export interface EntityTypeRates extends Rates {
  readonly type: string;
}

/** Words by whether their tag is right; a wrong tag other than `O` is a false positive. */
export interface TagCounts {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
}

/** What a tagger got right. */
export interface EntityScore {
  /** The share of words with the right tag, 0 to 1; not-a-number where there is no word. */
  readonly accuracy: number;
  readonly tagCounts: TagCounts;
  readonly expectedEntities: number;
  readonly predictedEntities: number;
  /** All types on either side, by name. */
  readonly perType: readonly EntityTypeRates[];
  readonly micro: Rates;
  /** Not-a-number where there is no entity on either side. */
  readonly macro: Rates;
  readonly weighted: Rates;
}

/**
 * Precision, recall and F1 of tagged entities: an entity is right if its words and its type are. Equal to
 * seqeval.
 *
 * @param expected - the right tags of every sentence
 * @param predicted - the predicted tags of every sentence
 * @throws QkvError "data" for unequal numbers of sentences or tags, or a tag that the scheme does not have
 */
export function scoreEntities(
  expected: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
  options: EntityScoreOptions = {},
): EntityScore {
  requireKnownOptions("scoreEntities", options, ["scheme", "suffix", "zeroDivision"]);
  const zeroDivision = requireZeroDivision("scoreEntities", options.zeroDivision ?? 0);
  requireAlignment(expected, predicted);
  const { scheme, suffix } = options;
  const extract = (sentence: readonly string[], index: number): Entity[] =>
    extractEntities(sentence, { scheme, suffix }, `scoreEntities, sentence ${index + 1}`);
  const counts = countTypes(expected.map(extract), predicted.map(extract));
  const types = [...counts.keys()].sort(compareCodePoints);
  const ofTypes = types.map((type) => counts.get(type)!);
  const tags = countTags(expected.flat(), predicted.flat());
  const { expected: expectedEntities, predicted: predictedEntities } = sumEntities(ofTypes);
  return {
    ...tags,
    expectedEntities,
    predictedEntities,
    perType: ofTypes.map((count, index) => ({ type: types[index]!, ...ratesOf(count, zeroDivision) })),
    micro: microAverage(ofTypes, zeroDivision),
    macro: macroAverage(ofTypes, zeroDivision),
    weighted: weightedAverage(ofTypes, zeroDivision),
  };
}

function requireAlignment(
  expected: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
): void {
  if (expected.length !== predicted.length) {
    const rule = "scoreEntities: right and predicted tags have the same number of sentences";
    throw new QkvError("data", `${rule}; got ${expected.length} and ${predicted.length}`);
  }
  for (const [index, sentence] of expected.entries()) {
    const { length } = predicted[index]!;
    if (sentence.length === length) continue;
    const rule = `scoreEntities, sentence ${index + 1}: every word has a right and a predicted tag`;
    throw new QkvError("data", `${rule}; got ${sentence.length} and ${length} tags`);
  }
}

function countTypes(
  expected: readonly (readonly Entity[])[],
  predicted: readonly (readonly Entity[])[],
): Map<string, LabelCounts> {
  const counts = new Map<string, { matched: number; predicted: number; expected: number }>();
  const countOf = (type: string) => {
    const count = counts.get(type) ?? { matched: 0, predicted: 0, expected: 0 };
    counts.set(type, count);
    return count;
  };
  for (const [index, sentence] of expected.entries()) {
    const right = new Set(sentence.map(entityKey));
    for (const entity of sentence) countOf(entity.type).expected++;
    for (const entity of predicted[index]!) {
      const count = countOf(entity.type);
      count.predicted++;
      if (right.has(entityKey(entity))) count.matched++;
    }
  }
  return counts;
}

function entityKey({ type, start, end }: Entity): string {
  return `${start} ${end} ${type}`;
}

function sumEntities(counts: readonly LabelCounts[]): { expected: number; predicted: number } {
  return {
    expected: counts.reduce((sum, count) => sum + count.expected, 0),
    predicted: counts.reduce((sum, count) => sum + count.predicted, 0),
  };
}

function countTags(
  expected: readonly string[],
  predicted: readonly string[],
): { accuracy: number; tagCounts: TagCounts } {
  let [truePositives, falsePositives, falseNegatives, trueNegatives] = [0, 0, 0, 0];
  for (const [index, right] of expected.entries()) {
    const tag = predicted[index]!;
    if (tag === right) {
      if (tag === "O") trueNegatives++;
      else truePositives++;
    } else if (tag === "O") falseNegatives++;
    else falsePositives++;
  }
  return {
    accuracy: (truePositives + trueNegatives) / expected.length,
    tagCounts: { truePositives, falsePositives, falseNegatives, trueNegatives },
  };
}
