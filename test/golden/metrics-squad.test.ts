import { describe, expect, it } from "vitest";
import { type AnsweredQuestion, normalizeAnswer, scoreAnswers } from "../../src/metrics/squad.ts";
import { hasShared, needsShared } from "../shared.ts";
import { differences, readMetricJson } from "./metrics-goldens.ts";

interface Expected {
  readonly exact_match: number;
  readonly f1: number;
  readonly entries: {
    readonly id: string;
    readonly exact_match: number;
    readonly f1: number;
    readonly normalized_prediction?: string;
    readonly normalized_answers: string[];
  }[];
}

describe.skipIf(!hasShared)(`exact match and F1 equal the SQuAD v1.1 script${needsShared}`, () => {
  it.each([
    ["questions", "squad/inputs.json", "squad/expected.json"],
    ["hand-written cases", "squad/cases.inputs.json", "squad/cases.expected.json"],
  ])("on %s", (_, inputs, outputs) => {
    const { questions } = readMetricJson<{ questions: AnsweredQuestion[] }>(inputs);
    const { entries, exact_match, f1 } = readMetricJson<Expected>(outputs);
    const score = scoreAnswers(questions);
    const found = entries.flatMap((entry, index) => {
      const { answers, prediction } = questions[index]!;
      const single = score.questions[index]!;
      const actual = {
        exact_match: single.exactMatch,
        f1: single.f1,
        normalized_prediction: typeof prediction === "string" ? normalizeAnswer(prediction) : undefined,
        normalized_answers: answers.map(normalizeAnswer),
      };
      const { id, ...golden } = entry;
      return differences(actual, golden, id);
    });
    const totals = { exact_match: score.exactMatch, f1: score.f1 };
    expect([...found, ...differences(totals, { exact_match, f1 }, "all")]).toEqual([]);
    expect(entries.length).toBe(questions.length);
  });
});
