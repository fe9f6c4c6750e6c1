import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countNgramMatches } from "../../../src/metrics/ngram-matches.ts";

describe("countNgramMatches", () => {
  it("clips a repeated word to the reference that has it most often", () => {
    const hypothesis = "the the the the the the the".split(" ");
    const references = ["the cat is on the mat", "there is a cat on the mat"].map((text) => text.split(" "));
    expect(countNgramMatches(hypothesis, references, 2)).toEqual([2, 0]);
  });

  it("agrees with counting n-grams as texts", () => {
    const words = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 });
    fc.assert(
      fc.property(words, fc.array(words, { minLength: 1, maxLength: 3 }), (hypothesis, references) => {
        expect(countNgramMatches(hypothesis, references, 4)).toEqual(
          [1, 2, 3, 4].map((order) => countPlainly(hypothesis, references, order)),
        );
      }),
    );
  });
});

function countPlainly(hypothesis: string[], references: string[][], order: number): number {
  const inReferences = references.map((reference) => countNgrams(reference, order));
  let matches = 0;
  for (const [ngram, count] of countNgrams(hypothesis, order)) {
    matches += Math.min(count, Math.max(...inReferences.map((counts) => counts.get(ngram) ?? 0)));
  }
  return matches;
}

function countNgrams(words: string[], order: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let start = 0; start + order <= words.length; start++) {
    const ngram = words.slice(start, start + order).join(" ");
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}
