import { describe, expect, it } from "vitest";
import { corpusBleu } from "../../../src/metrics/bleu.ts";
import { type MosesTokenization, tokenizeMoses } from "../../../src/metrics/moses-tokenizer.ts";

const tokens = (text: string, language: MosesTokenization) => tokenizeMoses(text, language).join(" ");

describe("Moses-like tokens", () => {
  it.each([
    ["A man, with a hat.", "A man , with a hat ."],
    ["a saturated-green lawn - there", "a saturated-green lawn - there"],
    ["5,300 or 5, or a,b,c,1,d", "5,300 or 5 , or a , b , c , 1 , d"],
    ["it costs 5,", "it costs 5 ,"],
    ['("What?!")', '( " What ? ! " )'],
    ["3.5% of $10.50", "3.5 % of $ 10.50"],
    ["Wait...what.. no....", "Wait ... what .. no ...."],
    ["a\u00a0b\tc\u0001d", "a b cd"],
    ["", ""],
    [" . ", "."],
    ["naïve Straße 東京, e\u0301", "naïve Straße 東京 , e \u0301"],
  ])("of both languages: %s", (text, expected) => {
    expect(tokens(text, "moses-en")).toBe(expected);
    expect(tokens(text, "moses-de")).toBe(expected);
  });

  it.each([
    ["don't I've o'clock", "don 't I 've o 'clock"],
    ["the 1990's and dogs' tails", "the 1990 's and dogs ' tails"],
    ["he said 'yes' twice", "he said ' yes ' twice"],
    ["'quoted'", "'quoted'"],
    ["He said 'stop.'", "He said ' stop . '"],
    ["Mr. Smith met Dr. No. They left.", "Mr. Smith met Dr. No . They left ."],
    ["See No. 5 and No. Five", "See No. 5 and No . Five"],
    ["The U.S. Army at 5 p.m. Today", "The U.S. Army at 5 p.m. Today"],
    ["It ended. Then it began.", "It ended . Then it began ."],
    ["an approx. value", "an approx. value"],
    ["in 1990. Then", "in 1990 . Then"],
  ])("of English: %s", (text, expected) => {
    expect(tokens(text, "moses-en")).toBe(expected);
  });

  it.each([
    ["Wie geht's? 'Gut'", "Wie geht ' s ? ' Gut '"],
    ["Am 3. Oktober um ca. 100. Dann", "Am 3. Oktober um ca. 100 . Dann"],
    ["z.B. Hunde usw. Ende.", "z.B. Hunde usw. Ende ."],
    ["Im XIV. Jahrhundert", "Im XIV. Jahrhundert"],
    ["Er geht. Sie bleibt.", "Er geht . Sie bleibt ."],
  ])("of German: %s", (text, expected) => {
    expect(tokens(text, "moses-de")).toBe(expected);
  });

  it("changes nothing in what is tokenized already, but for apostrophes", () => {
    for (const text of ["A man , 5,300 ( with ) a saturated-green hat .", "Mr. Smith said ... no !"]) {
      expect(tokens(text, "moses-en")).toBe(text);
    }
  });

  it("gives BLEU a signature of its own", () => {
    const score = corpusBleu(["Ein grün-weißer Hut, 2. Reihe."], [["Ein grün-weißer Hut, 2. Platz."]], {
      tokenize: "moses-de",
      lowercase: true,
    });
    expect(score.totals).toEqual([7, 6, 5, 4]);
    expect(score.counts).toEqual([6, 4, 3, 2]);
    expect(score.signature).toBe("nrefs:1|case:lc|eff:no|tok:moses-de|smooth:exp|version:qkv-moses-1");
  });
});
