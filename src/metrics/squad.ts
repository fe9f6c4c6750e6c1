import { QkvError } from "../util/errors.ts";
import { splitWhitespace } from "./text.ts";

/** A question with its right answers and the answer that was given. */
export interface AnsweredQuestion {
  /** Any of them is right. None = the text has no answer, and it is right to give none: an empty text, or `null`. */
  readonly answers: readonly string[];
  /** Left out or `null` = not answered, which counts as 0 where there is an answer. */
  readonly prediction?: string | null | undefined;
}

/** Exact match and F1 of one answer, each 0 to 1. */
export interface AnswerScore {
  readonly exactMatch: 0 | 1;
  readonly f1: number;
}

/** Exact match and F1 over all questions, each 0 to 100, with the scores of every question. */
export interface SquadScore {
  readonly exactMatch: number;
  readonly f1: number;
  readonly questions: readonly AnswerScore[];
}

/**
 * Exact match and F1 of extractive question answering: for every question the best over its right answers, in
 * percent over all questions. Answers are compared after `normalizeAnswer`; F1 is that of the words they
 * share. Equal to the SQuAD v1.1 evaluation script, and where a text has no answer, to that of v2.0.
 *
 * @throws QkvError "data" for no questions
 *
 * Source: Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text"; Rajpurkar et al. 2018,
 * "Know What You Don't Know: Unanswerable Questions for SQuAD".
 */
export function scoreAnswers(questions: readonly AnsweredQuestion[]): SquadScore {
  if (questions.length === 0)
    throw new QkvError("data", "scoreAnswers: needs at least one question; got none");
  const scores = questions.map(scoreQuestion);
  const percent = (sum: number) => (100 * sum) / questions.length;
  return {
    exactMatch: percent(scores.reduce((sum, { exactMatch }) => sum + exactMatch, 0)),
    f1: percent(scores.reduce((sum, { f1 }) => sum + f1, 0)),
    questions: scores,
  };
}

/**
 * An answer as it is compared: lower-case, without ASCII punctuation, without the words a, an, the, and with
 * single spaces. Letters and numbers of every script and `_` belong to words, combining marks do not.
 */
export function normalizeAnswer(answer: string): string {
  const words = answer
    .toLowerCase()
    .replace(/[!-/:-@[-`{-~]/g, "")
    .replace(/(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu, " ");
  return splitWhitespace(words).join(" ");
}

function scoreQuestion({ answers, prediction }: AnsweredQuestion): AnswerScore {
  if (answers.length === 0) {
    const isRight = normalizeAnswer(prediction ?? "") === "";
    return { exactMatch: isRight ? 1 : 0, f1: isRight ? 1 : 0 };
  }
  if (prediction === undefined || prediction === null) return { exactMatch: 0, f1: 0 };
  const given = normalizeAnswer(prediction);
  const right = answers.map(normalizeAnswer);
  return {
    exactMatch: right.includes(given) ? 1 : 0,
    f1: Math.max(...right.map((answer) => wordF1(given, answer))),
  };
}

/** F1 of the words that two normalised answers share, each as often as in both; 0 where they share none. */
function wordF1(given: string, right: string): number {
  const givenWords = splitWhitespace(given);
  const rightWords = splitWhitespace(right);
  const left = new Map<string, number>();
  for (const word of rightWords) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of givenWords) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    shared++;
  }
  if (shared === 0) return 0;
  const precision = shared / givenWords.length;
  const recall = shared / rightWords.length;
  return (2 * precision * recall) / (precision + recall);
}
