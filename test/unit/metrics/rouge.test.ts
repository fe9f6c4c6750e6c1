import { describe, expect, it } from "vitest";
import { porterStem } from "../../../src/metrics/porter-stemmer.ts";
import { corpusRouge, type RougeOptions, sentenceRouge } from "../../../src/metrics/rouge.ts";

describe("sentenceRouge", () => {
  it("gives the scores of Lin's paper", () => {
    const reference = ["police killed the gunman"];
    const of = (hypothesis: string) => sentenceRouge(hypothesis, reference);
    expect(of("police kill the gunman").rougeL?.fmeasure).toBe(0.75);
    expect(of("the gunman kill police").rougeL?.fmeasure).toBe(0.5);
    expect(of("police kill the gunman").rouge2?.fmeasure).toBe(of("the gunman kill police").rouge2?.fmeasure);
  });

  it("takes the union of common subsequences over lines for rougeLsum", () => {
    const scores = sentenceRouge("w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", ["w1 w2 w3 w4 w5"]);
    expect(scores.rougeLsum).toMatchObject({ precision: 4 / 10, recall: 4 / 5 });
    expect(scores.rougeLsum?.fmeasure).toBeCloseTo((2 * 0.4 * 0.8) / 1.2, 12);
  });

  it("compares stems where asked", () => {
    const texts = ["a runner runs", ["the runners ran"]] as const;
    expect(sentenceRouge(...texts).rouge1?.fmeasure).toBe(0);
    expect(sentenceRouge(...texts, { useStemmer: true }).rouge1?.precision).toBeCloseTo(1 / 3, 12);
  });

  it("takes the best reference for each type", () => {
    const scores = sentenceRouge("a b", ["b a", "a c", "a b"], { types: ["rouge1", "rouge2"] });
    expect(Object.keys(scores)).toEqual(["rouge1", "rouge2"]);
    expect(scores.rouge2?.fmeasure).toBe(1);
  });

  it("refuses what it does not know", () => {
    const score = (options: unknown) => () => sentenceRouge("a", ["a"], options as RougeOptions);
    expect(score({ types: ["rouge-1"] })).toThrow('got "rouge-1" (did you mean "rouge1"?)');
    expect(score({ stemmer: true })).toThrow("the options are types, useStemmer");
    expect(() => sentenceRouge("a", [])).toThrow("at least one reference");
  });
});

describe("corpusRouge", () => {
  it("is the mean over texts", () => {
    const scores = corpusRouge(["a b", "x"], [["a b", "y"]], { types: ["rouge1"] });
    expect(scores).toEqual({ rouge1: { precision: 0.5, recall: 0.5, fmeasure: 0.5 } });
    expect(() => corpusRouge(["a"], [["a", "b"]])).toThrow("got 1 hypotheses and 2 in the references");
  });
});

describe("porterStem", () => {
  it("gives the examples of the paper", () => {
    const stems = {
      caresses: "caress",
      agreed: "agre",
      hopping: "hop",
      filing: "file",
      conflated: "conflat",
      happy: "happi",
      relational: "relat",
      vietnamization: "vietnam",
      electrical: "electr",
      adoption: "adopt",
      controll: "control",
      roll: "roll",
    };
    for (const [word, stem] of Object.entries(stems)) expect(porterStem(word), word).toBe(stem);
  });

  it("knows the extensions of NLTK", () => {
    const stems = {
      skies: "sky",
      dying: "die",
      dies: "die",
      flies: "fli",
      spied: "spi",
      died: "die",
      enjoy: "enjoy",
    };
    for (const [word, stem] of Object.entries(stems)) expect(porterStem(word), word).toBe(stem);
  });
});
