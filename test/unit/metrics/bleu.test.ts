import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BleuOptions, corpusBleu, sentenceBleu } from "../../../src/metrics/bleu.ts";

describe("corpusBleu", () => {
  it("is the brevity penalty times the geometric mean of the precisions", () => {
    const score = corpusBleu(["a b c d e"], [["a b c d f g"]]);
    expect(score.counts).toEqual([4, 3, 2, 1]);
    expect(score.totals).toEqual([5, 4, 3, 2]);
    expect(score.precisions).toEqual([80, 75, (100 * 2) / 3, 50]);
    expect(score.brevityPenalty).toBeCloseTo(Math.exp(1 - 6 / 5), 12);
    expect(score.score).toBeCloseTo(100 * Math.exp(1 - 6 / 5) * (0.8 * 0.75 * (2 / 3) * 0.5) ** (1 / 4), 10);
    expect([score.hypothesisLength, score.referenceLength]).toEqual([5, 6]);
  });

  it("prints itself and what was counted as sacreBLEU does", () => {
    const score = corpusBleu(["a b c d", "x"], [["a b c e", "x"]], {
      lowercase: true,
      smoothMethod: "floor",
    });
    expect(score.signature).toBe("nrefs:1|case:lc|eff:no|tok:13a|smooth:floor[0.10]|version:2.6.0");
    expect(score.text).toMatchInlineSnapshot(
      `"BLEU = 40.41 80.0/66.7/50.0/10.0 (BP = 1.000 ratio = 1.000 hyp_len = 5 ref_len = 5)"`,
    );
  });

  it("takes for each segment the references it has", () => {
    const references = [
      ["a b", "c d"],
      [null, "e f"],
    ];
    const score = corpusBleu(["a b", "e f"], references, { maxNgramOrder: 2 });
    expect(score.score).toBeCloseTo(100, 10);
    expect(score.signature).toMatch(/^nrefs:var\|/);
  });

  it("smoothes orders without a match, but is 0 where nothing matches", () => {
    const of = (options: BleuOptions) => corpusBleu(["a x b y"], [["a b c d"]], options).precisions;
    expect(of({ smoothMethod: "none" })).toEqual([50, 0, 0, 0]);
    expect(of({ smoothMethod: "exp" })).toEqual([50, 100 / 6, 100 / 8, 100 / 8]);
    expect(of({ smoothMethod: "floor", smoothValue: 0.5 })).toEqual([50, 50 / 3, 25, 50]);
    expect(of({ smoothMethod: "add-k" })).toEqual([50, 25, 100 / 3, 50]);
    expect(corpusBleu(["x y"], [["a b"]]).score).toBe(0);
  });

  it("is 100 for the references themselves, never above, and the same in any order of segments", () => {
    const segment = fc.array(fc.constantFrom("the", "cat", "sat", "mat.", "😀", "Straße,"), { maxLength: 9 });
    const pairs = fc.array(fc.tuple(segment, segment), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(pairs, (drawn) => {
        const texts = drawn.map((pair) => pair.map((words) => words.join(" ")));
        const [hypotheses, references] = [texts.map(([text]) => text!), texts.map(([, text]) => text!)];
        const forward = corpusBleu(hypotheses, [references]);
        const backward = corpusBleu([...hypotheses].reverse(), [[...references].reverse()]);
        expect(backward).toEqual(forward);
        expect(forward.score).toBeGreaterThanOrEqual(0);
        expect(forward.score).toBeLessThan(100.000001);
        const itself = corpusBleu([...references, "a b c d"], [[...references, "a b c d"]]);
        expect(itself.score).toBeCloseTo(100, 9);
      }),
    );
  });

  it("refuses unequal numbers of segments with both figures", () => {
    expect(() => corpusBleu(["a", "b"], [["a"]])).toThrow(
      "corpusBleu: hypotheses and references have the same number of segments; " +
        "got 2 hypotheses and 1 in the references",
    );
    expect(() => corpusBleu(["a"], [["a"], []])).toThrow("got 1 hypotheses and 0 in reference 2");
  });

  it("refuses a corpus without segments, references, or a reference for a segment", () => {
    expect(() => corpusBleu([], [[]])).toThrow("needs at least one segment");
    expect(() => corpusBleu(["a"], [])).toThrow("needs at least one stream of references");
    expect(() => corpusBleu(["a", "b"], [["a", null]])).toThrow("segment 2 has no reference");
    // @ts-expect-error a list of segments where a list of streams belongs
    expect(() => corpusBleu(["a"], ["a"])).toThrow("each reference is a list of segments; got string");
    // @ts-expect-error no text
    expect(() => corpusBleu(["a", undefined], [["a", "b"]])).toThrow("the hypothesis of segment 2 is a text");
  });

  it("refuses what it does not know, with the nearest name", () => {
    const score = (options: unknown) => () => corpusBleu(["a"], [["a"]], options as BleuOptions);
    expect(score({ tokenize: "13b" })).toThrow('got "13b" (did you mean "13a"?)');
    expect(score({ smoothMethod: "flor" })).toThrow('(did you mean "floor"?)');
    expect(score({ lowerCase: true })).toThrow('got "lowerCase" (did you mean "lowercase"?)');
    expect(score({ lowercase: "no" })).toThrow('lowercase is true or false; got "no"');
    expect(score({ maxNgramOrder: 0 })).toThrow("maxNgramOrder is a whole number of at least 1; got 0");
    expect(score({ smoothMethod: "floor", smoothValue: -1 })).toThrow(
      "smoothValue is a number of at least 0",
    );
    expect(score({ smoothValue: 0.1 })).toThrow("smoothValue goes with smoothMethod floor or add-k");
  });
});

describe("sentenceBleu", () => {
  it("goes by the orders that the sentence is long enough for", () => {
    expect(sentenceBleu("good morning", ["good morning"]).score).toBeCloseTo(100, 10);
    expect(sentenceBleu("good morning", ["good morning"], { effectiveOrder: false }).score).toBe(0);
    expect(sentenceBleu("good morning", ["good morning", "hi"]).signature).toMatch(
      /^nrefs:2\|case:mixed\|eff:yes/,
    );
  });

  it("takes the nearest reference length, the shorter of two", () => {
    expect(sentenceBleu("a b c d e f", ["a b c d e f g h", "a b c d"]).referenceLength).toBe(4);
    expect(sentenceBleu("a b c d e f", ["a b c d e f g", "a b"]).referenceLength).toBe(7);
  });

  it("refuses a text where a list of references belongs", () => {
    // @ts-expect-error one text
    expect(() => sentenceBleu("a", "a")).toThrow("put it into a list");
  });
});
