import { isSurrogatePair } from "../aligned-text.ts";
import { type Pattern, regexPattern } from "../patterns.ts";
import type { PreTokenizerStep } from "./pre-tokenizer.ts";

/** What becomes of the matches of a pattern that a text is cut at. */
export type SplitBehavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

/** All behaviors, for reading. */
export const splitBehaviors: readonly SplitBehavior[] = [
  "Removed",
  "Isolated",
  "MergedWithPrevious",
  "MergedWithNext",
  "Contiguous",
];

/** Cuts a text at the matches of a pattern, or with `invert` at what lies between them. */
export function splitStep(pattern: Pattern, behavior: SplitBehavior, invert = false): PreTokenizerStep {
  const cut = (text: string) => behaviorRules[behavior](findParts(pattern, text, invert));
  const { expression } = pattern;
  if (expression === undefined || behavior !== (invert ? "Removed" : "Isolated")) return { kind: "cut", cut };
  return {
    kind: "cut",
    cut,
    quick: (text) => matchesThatCover(expression, text, invert) ?? slices(text, cut(text)),
  };
}

/** A part of a text that is a match or lies between two. */
interface Part {
  start: number;
  readonly end: number;
  readonly isMatch: boolean;
}

function findParts(pattern: Pattern, text: string, invert: boolean): Part[] {
  const parts: Part[] = [];
  let done = 0;
  const matches = pattern.find(text);
  for (let index = 0; index < matches.length; index += 2) {
    const start = matches[index]!;
    const end = matches[index + 1]!;
    if (start > done) parts.push({ start: done, end: start, isMatch: invert });
    parts.push({ start, end, isMatch: !invert });
    done = end;
  }
  if (done < text.length) parts.push({ start: done, end: text.length, isMatch: invert });
  return parts;
}

/** The words, as a flat list of start and end, for each behavior. */
const behaviorRules: { readonly [Behavior in SplitBehavior]: (parts: readonly Part[]) => number[] } = {
  Removed: (parts) => flatten(parts.filter((part) => !part.isMatch)),
  Isolated: flatten,
  Contiguous: (parts) => joinNeighbours(parts, (part, before) => part.isMatch === before.isMatch),
  MergedWithPrevious: (parts) => joinNeighbours(parts, (part, before) => part.isMatch && !before.isMatch),
  MergedWithNext: (parts) => {
    const result: Part[] = [];
    let after: Part | undefined;
    for (const part of parts.toReversed()) {
      const next = result.at(-1);
      if (part.isMatch && after?.isMatch === false && next !== undefined) next.start = part.start;
      else result.push({ ...part });
      after = part;
    }
    return flatten(result.reverse());
  },
};

function joinNeighbours(parts: readonly Part[], joins: (part: Part, before: Part) => boolean): number[] {
  const ranges: number[] = [];
  parts.forEach((part, index) => {
    const before = parts[index - 1];
    if (before !== undefined && joins(part, before)) ranges[ranges.length - 1] = part.end;
    else ranges.push(part.start, part.end);
  });
  return ranges;
}

function flatten(parts: readonly Part[]): number[] {
  return parts.flatMap(({ start, end }) => [start, end]);
}

/** The matches, if they cover the whole text or need not. */
function matchesThatCover(expression: RegExp, text: string, needNot: boolean): string[] | undefined {
  const matches = text.match(expression) ?? [];
  if (needNot) return matches;
  let covered = 0;
  for (const match of matches) covered += match.length;
  return covered === text.length ? matches : undefined;
}

function slices(text: string, ranges: readonly number[]): string[] {
  const words: string[] = [];
  for (let index = 0; index < ranges.length; index += 2)
    words.push(text.slice(ranges[index], ranges[index + 1]));
  return words;
}

const punctuation = "[\\p{P}!-\\/:-@\\[-`\\{-~]";

/** Cuts at punctuation: Unicode's and all signs of ASCII. */
export function punctuationStep(behavior: SplitBehavior): PreTokenizerStep {
  return splitStep(regexPattern(new RegExp(punctuation, "gu")), behavior);
}

/** BERT's words: between white space, each punctuation mark a word of its own. */
export const bertWordsStep: PreTokenizerStep = splitStep(
  regexPattern(new RegExp(`[^\\p{White_Space}\\p{P}!-\\/:-@\\[-\`\\{-~]+|${punctuation}`, "gu")),
  "Removed",
  true,
);

/** Cuts numbers out, or with `individually` each digit. */
export function digitsStep(individually: boolean): PreTokenizerStep {
  return splitStep(regexPattern(/\p{N}/gu), individually ? "Isolated" : "Contiguous");
}

/** Cuts into pieces of so many characters; the last may be shorter. */
export function fixedLengthStep(length: number): PreTokenizerStep {
  return {
    kind: "cut",
    cut: (text) => {
      const ranges: number[] = [];
      let start = 0;
      let count = 0;
      for (let index = 0; index < text.length; ) {
        index += isSurrogatePair(text, index) ? 2 : 1;
        count++;
        if (count === length || index === text.length) {
          ranges.push(start, index);
          start = index;
          count = 0;
        }
      }
      return ranges;
    },
  };
}
