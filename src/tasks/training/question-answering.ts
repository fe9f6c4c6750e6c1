import { scoreAnswers } from "../../metrics/squad.ts";
import type { Encoding } from "../../tokenizers/encoding.ts";
import { QkvError } from "../../util/errors.ts";
import { answerWindows } from "../answer-windows.ts";
import { type Answer, questionAnswering } from "../question-answering.ts";
import { smallBert } from "./small-models.ts";
import {
  type Example,
  modelBatch,
  rowsOf,
  type TaskContext,
  type TrainingRecord,
  type TrainingTask,
  type Trial,
  textRows,
} from "./training-task.ts";

type Context = TaskContext<"question-answering">;

/**
 * The first and the last token of the answer in a text. A long text becomes several examples; one that does not hold
 * the whole answer points to its first token, which stands for "no answer here".
 * Source: Devlin et al., 2019, 4.2.
 */
export const answeringTraining: TrainingTask<"question-answering"> = {
  head: () => "question-answering",
  newModel: smallBert,
  columns: { ids: "ids", typeIds: "ids", places: "ids" },

  fields: ({ data, objective: { version_2_with_negative: mayLack } }) => ({
    question: "text",
    context: "text",
    answers: mayLack ? "stringsOrNone" : "strings",
    // Where it is not given, the first place at which the answer stands.
    ...("answer_start" in data.columns && {
      answer_start: mayLack ? ("numbersOrNone" as const) : ("numbers" as const),
    }),
  }),

  // In SQuAD's files the answers are an object of two lists.
  usualColumns: { answers: ["answers.text", "answers", "answer"] },

  encode(record: TrainingRecord, { recipe, tokenizers, longest }: Context) {
    const { question, context } = record.fields as { question: string; context: string };
    const { max_length, doc_stride } = recipe.objective;
    const answer = placeOfAnswer(record);
    if (answer === undefined && !recipe.objective.version_2_with_negative) {
      throw new QkvError("data", `${record.where}: the answer must not be empty; got ""`);
    }
    const limit = Math.min(longest, max_length ?? longest);
    const windows = answerWindows(
      tokenizers.source,
      { question, context },
      { limit, stride: doc_stride, where: record.where },
    );
    return windows.map((window): Example => {
      return { ids: window.ids, typeIds: window.typeIds, places: placesIn(window, answer) };
    });
  },

  open: (store, context) => ({
    length: store.length,
    width: (index) => store.lengthOf("ids", index),
    batch(indices) {
      const places = rowsOf(store, "places", indices);
      const shape = [indices.length];
      const inputs = {
        ...textRows(context, rowsOf(store, "ids", indices), rowsOf(store, "typeIds", indices)),
        startPositions: { data: Int32Array.from(places, (place) => place[0]!), shape },
        endPositions: { data: Int32Array.from(places, (place) => place[1]!), shape },
      };
      return modelBatch(context.model, inputs, indices.length);
    },
  }),

  metrics: () => ["exact_match", "f1"],
  async trial(device, opened, { records }, { recipe }: Context): Promise<Trial> {
    const task = await questionAnswering.open(device, opened, "question-answering");
    const questions = records.map(
      ({ fields }) => fields as { question: string; context: string; answers: string[] },
    );
    const {
      doc_stride: docStride,
      max_answer_length: maxAnswerLen,
      version_2_with_negative: handleImpossibleAnswer,
    } = recipe.objective;
    return {
      async run() {
        const asked = questions.map(({ question, context }) => ({ question, context }));
        const given = (await task.run(
          asked,
          { docStride, maxAnswerLen, handleImpossibleAnswer },
          {},
        )) as Answer[][];
        const answered = questions.map(({ answers }, index) => ({
          answers: answers.filter((answer) => answer !== ""),
          prediction: given[index]![0]?.answer ?? null,
        }));
        const { exactMatch, f1 } = scoreAnswers(answered);
        return { metrics: { exact_match: exactMatch, f1 } };
      },
      dispose: () => task.dispose(),
    };
  },
};

/** Where the first answer stands in the context, in UTF-16 units; undefined where there is none. */
function placeOfAnswer({ where, fields }: TrainingRecord): { start: number; end: number } | undefined {
  const { context, answers } = fields as { context: string; answers: string[] };
  const first = answers.findIndex((text) => text !== "");
  if (first < 0) return undefined;
  const answer = answers[first]!;
  const starts = fields.answer_start as number[] | undefined;
  const given = starts?.[first];
  if (starts !== undefined && given === undefined) {
    throw new QkvError(
      "data",
      `${where}: answer_start must have a number for each of the ${answers.length} answers; got ${starts.length}`,
    );
  }
  // Files count code points.
  const start = given === undefined ? context.indexOf(answer) : [...context].slice(0, given).join("").length;
  if (start >= 0 && context.startsWith(answer, start)) return { start, end: start + answer.length };
  const place = given === undefined ? "" : ` at character ${given}`;
  throw new QkvError(
    "data",
    `${where}: the context must hold the answer${place}; got ${JSON.stringify(answer)}`,
  );
}

/** The tokens at which an answer begins and ends in a window; 0 and 0 where it is not whole there. */
function placesIn({ offsets, sequenceIds }: Encoding, answer: ReturnType<typeof placeOfAnswer>): number[] {
  if (answer === undefined) return [0, 0];
  const { start, end } = answer;
  const isOfContext = (place: number) => sequenceIds[place] === 1;
  const first = offsets.findIndex(([, own], place) => isOfContext(place) && own > start);
  const last = offsets.findLastIndex(([own], place) => isOfContext(place) && own < end);
  const isWhole = first >= 0 && last >= first && offsets[first]![0] <= start && offsets[last]![1] >= end;
  return isWhole ? [first, last] : [0, 0];
}
