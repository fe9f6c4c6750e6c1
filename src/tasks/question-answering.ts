import { z } from "zod";
import type { Encoding } from "../tokenizers/encoding.ts";
import { QkvError } from "../util/errors.ts";
import { answerWindows } from "./answer-windows.ts";
import { ForwardPass } from "./forward-pass.ts";
import { softmax } from "./probabilities.ts";
import { longestInput, readTaskOptions, type TaskDefinition } from "./task.ts";

const where = "question-answering";
const schema = z.object({
  /** How many answers to tell. */
  topK: z.int().positive().default(1),
  /** The longest answer, in tokens. */
  maxAnswerLen: z.int().positive().default(15),
  /** How many tokens of a long context two windows share; default: 128, or half of what a window holds. */
  docStride: z.int().nonnegative().optional(),
  /** Whether "there is no answer" is one of the answers, told by an empty text. */
  handleImpossibleAnswer: z.boolean().default(false),
});
export type QuestionAnsweringOptions = z.input<typeof schema>;

/** A question and the text in which the answer stands. */
export interface Question {
  readonly question: string;
  readonly context: string;
}

export interface Answer {
  /** Empty where the text has no answer. */
  readonly answer: string;
  /** The probability of its start times that of its end. */
  readonly score: number;
  /** In UTF-16 units of the context. */
  readonly start: number;
  readonly end: number;
}

/** Finds answers in texts. A long text is read in windows that overlap, so nothing is left out. */
export const questionAnswering: TaskDefinition = {
  head: "question-answering",
  async open(device, opened) {
    const { source } = opened.tokenizers;
    const limit = longestInput(opened);
    const pass = await ForwardPass.create(device, opened, ["startLogits", "endLogits"]);
    return {
      async run(inputs, given, controls) {
        const options = readTaskOptions(where, schema, given);
        const questions = inputs.map(checkQuestion);
        const windows = questions.flatMap((question, index) =>
          answerWindows(source, question, { limit, stride: options.docStride ?? 128, where }).map(
            (encoding) => ({
              index,
              encoding,
            }),
          ),
        );
        const spans = questions.map((): Span[] => []);
        // A text has no answer only as far as all of its windows have none.
        const none = questions.map(() => 1);
        const encodings = windows.map(({ encoding }) => encoding);
        await pass.run(encodings, controls, (window, { startLogits, endLogits }) => {
          const { index, encoding } = windows[window]!;
          const found = spansOf(encoding, startLogits.data, endLogits.data, options);
          spans[index]!.push(...found.spans);
          none[index] = Math.min(none[index]!, found.none);
        });
        return questions.map(({ context }, index) => {
          if (options.handleImpossibleAnswer) spans[index]!.push({ start: 0, end: 0, score: none[index]! });
          const ranked = spans[index]!.sort(
            (left, right) => right.score - left.score || left.start - right.start,
          );
          const kept: Answer[] = [];
          for (const { start, end, score } of ranked) {
            if (kept.length === options.topK) break;
            // Windows that overlap find the same answer twice.
            if (kept.some((other) => other.start === start && other.end === end)) continue;
            kept.push({ answer: context.slice(start, end), score, start, end });
          }
          return kept;
        });
      },
      dispose: () => pass.dispose(),
    };
  },
};

interface Span {
  readonly start: number;
  readonly end: number;
  readonly score: number;
}

/**
 * The likeliest spans of a window, made whole words, and the probability that it has no answer. Probabilities are among
 * the context's tokens and the first one, which stands for "no answer".
 */
function spansOf(
  encoding: Encoding,
  startLogits: Float32Array,
  endLogits: Float32Array,
  { topK, maxAnswerLen }: z.output<typeof schema>,
): { readonly spans: Span[]; readonly none: number } {
  const { sequenceIds, offsets } = encoding;
  const places = [...sequenceIds.keys()].filter((place) => sequenceIds[place] === 1);
  const amongContext = (logits: Float32Array) =>
    softmax([logits[0]!, ...places.map((place) => logits[place]!)]);
  const starts = amongContext(startLogits);
  const ends = amongContext(endLogits);
  const best: { first: number; last: number; score: number }[] = [];
  for (let first = 0; first < places.length; first++) {
    for (let last = first; last < Math.min(first + maxAnswerLen, places.length); last++) {
      const score = starts[first + 1]! * ends[last + 1]!;
      if (best.length === topK && score <= best.at(-1)!.score) continue;
      const rank = best.findIndex((other) => other.score < score);
      best.splice(rank === -1 ? best.length : rank, 0, { first, last, score });
      if (best.length > topK) best.pop();
    }
  }
  const spans = best.map(({ first, last, score }) => ({
    start: offsets[edgeOfWord(encoding, places[first]!, -1)]![0],
    end: offsets[edgeOfWord(encoding, places[last]!, 1)]![1],
    score,
  }));
  return { spans, none: starts[0]! * ends[0]! };
}

/** The first or last token of the word that a token belongs to. */
function edgeOfWord({ wordIds, sequenceIds }: Encoding, place: number, step: 1 | -1): number {
  let edge = place;
  const word = wordIds[place];
  if (word === null) return edge;
  while (wordIds[edge + step] === word && sequenceIds[edge + step] === sequenceIds[place]) edge += step;
  return edge;
}

function checkQuestion(input: unknown, index: number): Question {
  const { question, context } = (input ?? {}) as Record<string, unknown>;
  if (typeof question === "string" && typeof context === "string" && context.trim() !== "") {
    return { question, context };
  }
  throw new QkvError(
    "data",
    `${where}: input ${index + 1} must have a question and a context that is not empty; got ${JSON.stringify(input)?.slice(0, 80)}`,
  );
}
