import { countRight } from "../../metrics/classification.ts";
import { scoreEntities } from "../../metrics/entity-score.ts";
import { ignoredLabel } from "../../nn/losses.ts";
import type { Encoding } from "../../tokenizers/encoding.ts";
import { QkvError } from "../../util/errors.ts";
import { largestPlace } from "../probabilities.ts";
import type { ReadText } from "./altered-texts.ts";
import { labelObjective } from "./class-weights.ts";
import { labelledTexts } from "./labelled-texts.ts";
import { labelId } from "./labels.ts";
import { smallBert } from "./small-models.ts";
import {
  type Example,
  type HeldOut,
  modelBatch,
  padRows,
  type Tally,
  type TaskContext,
  type TrainingRecord,
  type TrainingTask,
  truncatedTo,
} from "./training-task.ts";

type Context = TaskContext<"token-classification">;

/**
 * Labels of words. A sentence is its words with one blank between; a word's label stands at its first piece (or at
 * each), and the others do not count. A sentence that is longer than the model reads becomes several examples.
 */
export const taggingTraining: TrainingTask<"token-classification"> = {
  head: () => "token-classification",
  newModel: smallBert,
  columns: { ids: "ids", typeIds: "ids", labels: "labels", words: "labels" },

  fields: ({ objective }) => ({ tokens: "strings", tags: objective.scheme === "IOB1" ? "iob1" : "strings" }),

  usualColumns: {
    tokens: ["tokens", "token", "words"],
    tags: ["tags", "tag", "ner_tags", "ner"],
  },

  labelsIn: ({ fields }) => fields.tags as string[],

  encode(record: TrainingRecord, context: Context) {
    const { tokens: words, tags } = record.fields as { tokens: string[]; tags: string[] };
    if (words.length !== tags.length) {
      throw new QkvError(
        "data",
        `${record.where}: each word needs one tag; got ${words.length} words and ${tags.length} tags`,
      );
    }
    const labels = tags.map((tag) => labelId(context.model.config.labels ?? [], tag, record.where));
    const starts: number[] = [];
    let text = "";
    for (const word of words) {
      if (text !== "") text += " ";
      starts.push(text.length);
      text += word;
    }
    const { max_length, label_all_tokens } = context.recipe.objective;
    const encoding = context.tokenizers.source.encode(text, truncatedTo(context, max_length));
    let next = 0;
    return [encoding, ...encoding.overflowing].flatMap((window): Example[] => {
      const aligned = alignLabels(window, starts, labels, next, label_all_tokens);
      next = aligned.next;
      // The middle of a word that is longer than a window teaches nothing.
      if (aligned.labels.every((label) => label === ignoredLabel)) return [];
      return [{ ids: window.ids, typeIds: window.typeIds, labels: aligned.labels, words: aligned.words }];
    });
  },

  objective: labelObjective,

  open(store, context: Context, purpose = "training") {
    checkMetric(context);
    return labelledTexts(store, context, purpose, (indices, texts, rows) => {
      const labels = texts.map((text, row) =>
        labelsAsRead(text, store.values("labels", indices[row]!), context.recipe.objective.label_all_tokens),
      );
      const count = labels.reduce(
        (sum, row) => sum + Array.from(row).filter((id) => id !== ignoredLabel).length,
        0,
      );
      const { pad_to_multiple_of } = context.recipe.training;
      return modelBatch(
        context.model,
        { ...rows, labels: padRows(labels, ignoredLabel, pad_to_multiple_of) },
        count,
      );
    });
  },

  metrics: () => [...entityMetrics, "accuracy"],
  scores: ({ logits }) => logits,
  tally({ store, records, recordOf }: HeldOut, { model }: Context): Tally {
    const names = model.config.labels ?? [];
    const predicted = records.map(({ fields }) =>
      new Array<string>((fields.tags as string[]).length).fill("O"),
    );
    return {
      visit(index, { data, width }) {
        Array.from(store.values("words", index)).forEach((word, place) => {
          if (word === ignoredLabel) return;
          const scores = data.subarray(place * width, (place + 1) * width);
          predicted[recordOf[index]!]![word] = names[largestPlace(scores)]!;
        });
      },
      finish() {
        const expected = records.map(({ fields }) => fields.tags as string[]);
        if (!names.every(marksEntity)) {
          const tags = expected.flat();
          return { accuracy: countRight(tags, predicted.flat()) / tags.length };
        }
        const { micro, accuracy } = scoreEntities(expected, predicted);
        return { f1: micro.f1, precision: micro.precision, recall: micro.recall, accuracy };
      },
    };
  },
};

/** Of entities, which are counted where all tags mark them; of others, such as parts of speech, accuracy is measured. */
const entityMetrics = ["f1", "precision", "recall"];

/** Whether a tag is `O`, or a prefix as IOB2 and IOBES have them, alone or before a type. */
const marksEntity = (tag: string): boolean => /^(O|[BIES]([-_].*)?)$/.test(tag);

/** @throws QkvError "config" where the best model is to be told by entities and not all tags mark them */
function checkMetric({ recipe, model }: Context): void {
  const { metric_for_best_model: metric } = recipe.training;
  const names = model.config.labels ?? [];
  const other = names.find((name) => !marksEntity(name));
  if (!entityMetrics.includes(metric) || other === undefined) return;
  throw new QkvError(
    "config",
    `recipe: training.metric_for_best_model: ${metric} is counted for tags that are O or begin with B-, I-, E- or S-; ` +
      `got "${other}"; take accuracy, or write the tags so`,
  );
}

/** The labels of tokens that may be parts of those that were kept: all parts have the label, or the first alone. */
function labelsAsRead({ places }: ReadText, labels: ArrayLike<number>, labelAll: boolean): ArrayLike<number> {
  if (places === undefined) return labels;
  return Array.from(places, (place, part) =>
    labelAll || places[part - 1] !== place ? labels[place]! : ignoredLabel,
  );
}

/**
 * The label of each token, and the number of the word whose first token it is (-100: of none).
 * @param starts - where each word begins in the text
 * @param next - the first word that had no token yet
 */
function alignLabels(
  { offsets, specialTokensMask }: Encoding,
  starts: readonly number[],
  labels: readonly number[],
  next: number,
  labelAll: boolean,
): { labels: number[]; words: number[]; next: number } {
  let following = next;
  const words: number[] = [];
  const own = offsets.map(([start, end], place) => {
    words.push(ignoredLabel);
    if (specialTokensMask[place] === 1 || end === start) return ignoredLabel;
    // A token may begin with the blank before its word; its last character is the word's in any case.
    let isFirst = false;
    while (following < starts.length && starts[following]! < end) {
      following++;
      isFirst = true;
    }
    const word = following - 1;
    if (isFirst) words[place] = word;
    return word >= 0 && (isFirst || labelAll) ? labels[word]! : ignoredLabel;
  });
  return { labels: own, words, next: following };
}
