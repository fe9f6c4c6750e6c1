import fc from "fast-check";
import { expect, test } from "vitest";
import { largestPlaces } from "../../../src/generation/sampling.ts";
import { stopStringCheck } from "../../../src/generation/stop-strings.ts";

test("the largest scores are found as sorting would find them", () => {
  const score = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constant(Number.NEGATIVE_INFINITY));
  fc.assert(
    fc.property(fc.array(score, { maxLength: 90 }), fc.integer({ min: 1, max: 90 }), (scores, count) => {
      const sorted = [...scores.keys()]
        .filter((place) => scores[place] !== Number.NEGATIVE_INFINITY)
        .sort((left, right) => scores[right]! - scores[left]!);
      expect(largestPlaces(scores, count)).toEqual(sorted.slice(0, count));
    }),
  );
});

test("a stop string is found wherever the borders of tokens lie", () => {
  const pieces = ["a", "ab", "b", "bc", "c", "", "ü"];
  const decode = (tokens: readonly number[]) => tokens.map((token) => pieces[token]).join("");
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 12 }),
      fc.constantFrom("ab", "bca", "cc", "abab"),
      (tokens, stop) => {
        const check = stopStringCheck([stop, "ü"], decode);
        const first = tokens.findIndex((_, index) => check(tokens.slice(0, index + 1)));
        const expected = tokens.findIndex((_, index) => decode(tokens.slice(0, index + 1)).includes(stop));
        expect(first).toBe(expected);
      },
    ),
  );
});
