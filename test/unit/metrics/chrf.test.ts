import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ChrfOptions, corpusChrf, sentenceChrf } from "../../../src/metrics/chrf.ts";

describe("corpusChrf", () => {
  it("is the F score of the mean precision and recall of character n-grams", () => {
    const score = corpusChrf(["abc"], [["abd e"]], { charOrder: 2 });
    expect(score.counts).toEqual([
      { hypothesis: 3, reference: 4, matches: 2 },
      { hypothesis: 2, reference: 3, matches: 1 },
    ]);
    const [precision, recall] = [(2 / 3 + 1 / 2) / 2, (2 / 4 + 1 / 3) / 2];
    expect(score.score).toBeCloseTo((100 * 5 * precision * recall) / (4 * precision + recall), 10);
  });

  it("prints itself and what was counted as sacreBLEU does", () => {
    const score = corpusChrf(["the cat"], [["the hat"]], { wordOrder: 2, whitespace: true });
    expect(score.signature).toBe("nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:yes|version:2.6.0");
    expect(score.text).toMatch(/^chrF2\+\+ = \d+\.\d\d$/);
    expect(corpusChrf(["a"], [["a"]], { beta: 3 }).text).toBe("chrF3 = 100.00");
  });

  it("parts one punctuation mark from a word, at its end before its start", () => {
    const words = { charOrder: 0, wordOrder: 1 };
    expect(corpusChrf(["(hi)"], [["(hi )"]], words).counts).toEqual([
      { hypothesis: 2, reference: 3, matches: 1 },
    ]);
    expect(corpusChrf(["!hi !"], [["! hi !"]], words).counts).toEqual([
      { hypothesis: 3, reference: 3, matches: 3 },
    ]);
  });

  it("counts code points", () => {
    expect(corpusChrf(["😀"], [["😁"]], { charOrder: 1 }).counts).toEqual([
      { hypothesis: 1, reference: 1, matches: 0 },
    ]);
  });

  it("takes the best reference of each segment", () => {
    const references = [
      ["abc", "xyz"],
      ["xyz", null],
    ];
    const score = corpusChrf(["xyz", "xyz"], references);
    expect(score.score).toBeCloseTo(100, 10);
    expect(score.signature).toMatch(/^nrefs:var\|/);
  });

  it("is 100 for a text against itself and 0 without a character in common", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (text) => {
        fc.pre(/[a-z]/.test(text));
        expect(sentenceChrf(text, [text]).score).toBeCloseTo(100, 9);
        expect(sentenceChrf("\u4e00\u4e8c", ["ab"]).score).toBe(0);
      }),
    );
  });

  it("refuses what does not fit", () => {
    const score = (options: unknown) => () => corpusChrf(["a"], [["a"]], options as ChrfOptions);
    expect(score({ wordorder: 2 })).toThrow('got "wordorder" (did you mean "wordOrder"?)');
    expect(score({ charOrder: 0 })).toThrow("charOrder or wordOrder is at least 1; got 0 for both");
    expect(score({ charOrder: 2.5 })).toThrow("charOrder is a whole number of at least 0; got 2.5");
    expect(score({ beta: Number.NaN })).toThrow("beta is a number of at least 0");
    expect(() => corpusChrf(["a", "b"], [["a", "b", "c"]])).toThrow(
      "got 2 hypotheses and 3 in the references",
    );
    // @ts-expect-error one text
    expect(() => sentenceChrf("a", "a")).toThrow("put it into a list");
  });
});
