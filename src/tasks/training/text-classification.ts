import type { FieldTypes } from "../../data/record-fields.ts";
import { scoreClassification } from "../../metrics/classification.ts";
import { pearsonCorrelation, spearmanCorrelation } from "../../metrics/correlation.ts";
import type { HostInputs } from "../../models/family.ts";
import { ignoredLabel } from "../../nn/losses.ts";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import type { ModelBatch } from "../../training/objectives/model-objective.ts";
import { largestPlace } from "../probabilities.ts";
import { labelObjective } from "./class-weights.ts";
import { labelledTexts } from "./labelled-texts.ts";
import { labelId } from "./labels.ts";
import { smallBert } from "./small-models.ts";
import {
  type ExampleStore,
  type HeldOut,
  type Metrics,
  modelBatch,
  padRows,
  rowsOf,
  type Tally,
  type TaskContext,
  type TrainingRecord,
  type TrainingTask,
  truncatedTo,
} from "./training-task.ts";

type Recipe = ModelRecipe<"text-classification">;
type Context = TaskContext<"text-classification">;

const labelTypes = {
  single_label_classification: "label",
  multi_label_classification: "labels",
  regression: "number",
} as const;

/** Labels of one text, or of two that are read together: one of several, any number of them, or a number. */
export const classificationTraining: TrainingTask<"text-classification"> = {
  head: () => "sequence-classification",
  newModel: smallBert,
  columns: { ids: "ids", typeIds: "ids", words: "labels", labels: "floats" },

  fields: ({ objective, data }: Recipe): FieldTypes => ({
    text: "text",
    ...("text_pair" in data.columns && { text_pair: "text" }),
    label: labelTypes[objective.problem_type],
  }),

  usualColumns: { text: ["text", "sentence", "content"], label: ["label", "labels", "class"] },

  labelsIn: ({ fields: { label } }, { objective }: Recipe) =>
    objective.problem_type === "regression" ? [] : [label as string | string[]].flat(),

  encode(record: TrainingRecord, context: Context) {
    const { recipe, tokenizers } = context;
    const { text, text_pair: pair } = record.fields as { text: string; text_pair?: string };
    const { ids, typeIds, wordIds } = tokenizers.source.encode(text, {
      ...(pair !== undefined && { pair }),
      ...truncatedTo(context, recipe.objective.max_length),
    });
    // The number of the word that begins with a token.
    const words = wordIds.map((word, place) =>
      word === wordIds[place - 1] ? ignoredLabel : (word ?? ignoredLabel),
    );
    return ids.length === 0 ? [] : [{ ids, typeIds, words, labels: labelsOf(record, context) }];
  },

  objective: labelObjective,

  open: (store, context: Context, purpose = "training") =>
    labelledTexts(store, context, purpose, (indices, _texts, rows) =>
      classificationBatch(store, context, indices, rows),
    ),
  metrics: ({ objective }) => scores[objective.problem_type].names,
  scores: ({ logits }) => logits,
  tally({ store }: HeldOut, { recipe }: Context): Tally {
    const expected: number[][] = [];
    const predicted: number[][] = [];
    return {
      visit(index, { data }) {
        expected.push(Array.from(store.values("labels", index)));
        predicted.push(Array.from(data));
      },
      finish: () => scores[recipe.objective.problem_type].of(expected, predicted),
    };
  },
};

function classificationBatch(
  store: ExampleStore,
  context: Context,
  indices: ArrayLike<number>,
  rows: HostInputs,
): ModelBatch {
  const spec = context.model.inputs.labels!;
  const isWhole = spec.dtype === "int32";
  const { data, shape } = padRows(rowsOf(store, "labels", indices), 0, 1, isWhole ? "whole" : "fraction");
  const labels = { data, shape: spec.dims.length === 1 ? [indices.length] : shape };
  return modelBatch(context.model, { ...rows, labels }, isWhole ? indices.length : data.length);
}

type Numbers = readonly (readonly number[])[];

/** What is measured: labels as they are, and the model's numbers, text by text. */
const scores: {
  readonly [Type in Recipe["objective"]["problem_type"]]: {
    readonly names: readonly string[];
    of(expected: Numbers, predicted: Numbers): Metrics;
  };
} = {
  single_label_classification: {
    names: ["accuracy", "macro_f1", "matthews_correlation"],
    of(expected, predicted) {
      const score = scoreClassification(
        expected.map(([label]) => label!),
        predicted.map(largestPlace),
      );
      return {
        accuracy: score.accuracy,
        macro_f1: score.macro.f1,
        matthews_correlation: score.matthewsCorrelation,
      };
    },
  },
  multi_label_classification: {
    names: ["micro_f1", "exact_match"],
    of(expected, predicted) {
      let [right, given, wanted, whole] = [0, 0, 0, 0];
      expected.forEach((labels, text) => {
        const chosen = predicted[text]!.map((score) => (score > 0 ? 1 : 0));
        labels.forEach((label, id) => {
          right += label * chosen[id]!;
          given += chosen[id]!;
          wanted += label;
        });
        if (labels.every((label, id) => label === chosen[id])) whole++;
      });
      return { micro_f1: (2 * right) / Math.max(1, given + wanted), exact_match: whole / expected.length };
    },
  },
  regression: {
    names: ["pearson", "spearman"],
    of(expected, predicted) {
      const [wanted, got] = [expected.map(([label]) => label!), predicted.map(([score]) => score!)];
      // Of one number, or of numbers that are all the same, there is no correlation.
      const varies = (numbers: readonly number[]) => numbers.some((number) => number !== numbers[0]);
      if (!varies(wanted) || !varies(got)) return {};
      return { pearson: pearsonCorrelation(wanted, got), spearman: spearmanCorrelation(wanted, got) };
    },
  },
};

/** What the model is to say: a label's id, 0 or 1 for each label, or a number. */
function labelsOf({ where, fields: { label } }: TrainingRecord, { recipe, model }: Context): number[] {
  const names = model.config.labels ?? [];
  switch (recipe.objective.problem_type) {
    case "regression":
      return [label as number];
    case "single_label_classification":
      return [labelId(names, label as string, where)];
    case "multi_label_classification": {
      const own = new Set((label as string[]).map((name) => labelId(names, name, where)));
      return names.map((_, id) => (own.has(id) ? 1 : 0));
    }
  }
}
