import { describe, expect, it } from "vitest";
import { normalizeAnswer, scoreAnswers } from "../../../src/metrics/squad.ts";

describe("normalizeAnswer", () => {
  it("drops case, ASCII punctuation, articles and spare space", () => {
    expect(normalizeAnswer("The  Denver\u00a0Broncos!")).toBe("denver broncos");
    expect(normalizeAnswer("“An” apple a day")).toBe("“ ” apple day");
  });

  it("takes letters and numbers of every script for parts of words, but not combining marks", () => {
    expect(normalizeAnswer("thé ça a的 a²")).toBe("thé ça a的 a²");
    expect(normalizeAnswer("a\u0301 b")).toBe("\u0301 b");
  });
});

describe("scoreAnswers", () => {
  it("takes the best right answer and counts no answer as 0", () => {
    const score = scoreAnswers([
      { answers: ["Denver", "Denver Broncos"], prediction: "the Broncos" },
      { answers: ["1999"], prediction: "1999." },
      { answers: ["x"] },
      { answers: ["x"], prediction: null },
    ]);
    expect(score.questions).toEqual([
      { exactMatch: 0, f1: 2 / 3 },
      { exactMatch: 1, f1: 1 },
      { exactMatch: 0, f1: 0 },
      { exactMatch: 0, f1: 0 },
    ]);
    expect(score.exactMatch).toBe(25);
    expect(score.f1).toBeCloseTo((100 * (2 / 3 + 1)) / 4, 10);
  });

  it("refuses what cannot be scored", () => {
    expect(() => scoreAnswers([])).toThrow("at least one question");
  });

  it("counts it right to give no answer where there is none", () => {
    const none = (prediction?: string | null) => scoreAnswers([{ answers: [], prediction }]);
    for (const prediction of ["", null, undefined]) {
      expect([none(prediction).exactMatch, none(prediction).f1]).toEqual([100, 100]);
    }
    expect([none("Oslo").exactMatch, none("Oslo").f1]).toEqual([0, 0]);
    expect(scoreAnswers([{ answers: ["Oslo"], prediction: "" }]).f1).toBe(0);
  });
});
