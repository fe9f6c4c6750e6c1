import { describe, expect, it } from "vitest";
import { bitsPerByte, perplexity } from "../../../src/metrics/perplexity.ts";

const logs = (...probabilities: number[]) => probabilities.map(Math.log);

describe("perplexity", () => {
  it("of a uniform choice is the number of choices", () => {
    const found = perplexity([logs(1 / 7, 1 / 7), logs(1 / 7)]);
    expect(found.perplexity).toBeCloseTo(7, 12);
    expect(found.loss).toBeCloseTo(Math.log(7), 12);
    expect(found.tokens).toBe(3);
  });

  it("counts tokens, not texts", () => {
    expect(perplexity([logs(1, 1, 1), logs(1 / 16)]).perplexity).toBeCloseTo(2, 12);
    expect(perplexity([[0], []]).perplexity).toBe(1);
    expect(perplexity([[Number.NEGATIVE_INFINITY]]).perplexity).toBe(Number.POSITIVE_INFINITY);
  });

  it("refuses what is no log-probability", () => {
    expect(() => perplexity([[-1], [0.5]])).toThrow("text 2: a log-probability is 0 at most; got 0.5");
    expect(() => perplexity([[Number.NaN]])).toThrow("got NaN");
    expect(() => perplexity([[]])).toThrow("needs at least one token");
  });
});

describe("bits per byte", () => {
  it("spreads the bits of the tokens over the bytes of UTF-8", () => {
    // 3 + 2 + 5 bits over "ab", "ä" and "": 4 bytes
    const found = bitsPerByte([logs(1 / 8), logs(1 / 4), logs(1 / 32)], ["ab", "ä", ""]);
    expect(found.bitsPerByte).toBeCloseTo(10 / 4, 12);
    expect(found).toMatchObject({ bytes: 4, tokens: 3 });
  });

  it("does not depend on how a text is cut", () => {
    const whole = bitsPerByte([logs(1 / 64)], ["abc"]).bitsPerByte;
    expect(bitsPerByte([logs(1 / 4, 1 / 16)], ["abc"]).bitsPerByte).toBeCloseTo(whole, 12);
  });

  it("refuses what makes no sense", () => {
    expect(() => bitsPerByte([[-1]], ["a", "b"])).toThrow("got 2 texts and 1 lists");
    expect(() => bitsPerByte([[-1]], [""])).toThrow("needs at least one byte");
  });
});
