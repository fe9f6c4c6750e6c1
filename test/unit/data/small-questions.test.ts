import { expect, test } from "vitest";
import { smallQuestions } from "../../../src/data/small-questions.ts";

const records = (() => {
  const endless = smallQuestions(1);
  return Array.from({ length: 2000 }, () => endless.next().value);
})();

test("answers stand where it is said, as SQuAD counts", () => {
  for (const { context, answers, answer_start } of records) {
    const characters = [...context];
    answers.forEach((answer, index) => {
      expect(characters.slice(answer_start[index]).join("").startsWith(answer)).toBe(true);
    });
  }
});

test("no question tells its answer: the same question has others elsewhere", () => {
  const byQuestion = new Map<string, Set<string>>();
  for (const { question, answers } of records) {
    const own = byQuestion.get(question) ?? new Set();
    byQuestion.set(question, own.add(answers[0]!));
  }
  expect(Math.min(...[...byQuestion.values()].map((own) => own.size))).toBeGreaterThan(3);
});

test("none comes twice, and a seed gives the same", () => {
  expect(new Set(records.map((record) => JSON.stringify(record))).size).toBe(records.length);
  expect(smallQuestions(1).next().value).toEqual(records[0]);
  expect(smallQuestions(2).next().value).not.toEqual(records[0]);
  expect(records[0]).toMatchInlineSnapshot(`
    {
      "answer_start": [
        65,
      ],
      "answers": [
        "apples",
      ],
      "context": "Simon has been a farmer for years. Nothing pleases Ida more than apples. Nothing pleases Nils more than the piano. Ada has been a painter for years.",
      "question": "What does Ida like?",
    }
  `);
});
