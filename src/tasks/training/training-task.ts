import type { DataRecord, FieldTypes } from "../../data/record-fields.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type {
  ForwardOutputs,
  Head,
  HostInput,
  HostInputs,
  InputName,
  Mode,
  Model,
} from "../../models/family.ts";
import { completeInputs } from "../../models/inputs.ts";
import type { Device } from "../../runtime/device.ts";
import type { ModelTokenizers } from "../../tokenizers/files/folder.ts";
import type { EncodeOptions } from "../../tokenizers/tokenizer.ts";
import type { Objective } from "../../training/learner.ts";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import type { ModelTaskName } from "../../training/model-tasks.ts";
import type { ModelBatch } from "../../training/objectives/model-objective.ts";
import type { TaskModel } from "../task.ts";

/** A record of a data file, with the fields that the task asked for. */
export type TrainingRecord = DataRecord;

/** What is kept of a record: lists of numbers by the names of the task's columns. */
export type Example = Readonly<Record<string, ArrayLike<number>>>;

/** Examples by number, wherever they lie. */
export interface ExampleStore {
  readonly length: number;
  lengthOf(column: string, index: number): number;
  values(column: string, index: number): ArrayLike<number>;
}

/** The numbers that a column holds: ids from 0, labels (-100 too), or numbers with a fraction. */
export type ColumnKind = "ids" | "labels" | "floats";

/** What examples and batches depend on. */
export interface TaskContext<Name extends ModelTaskName = ModelTaskName> {
  readonly recipe: ModelRecipe<Name>;
  readonly model: Model;
  readonly tokenizers: ModelTokenizers;
  /** The longest text that the model reads, in tokens; Infinity where nothing limits it. */
  readonly longest: number;
  /** Where the model will lie, for messages. */
  readonly folder: string;
}

/** What is drawn anew for a batch depends on the seed and the epoch, and on nothing else. */
export interface Draw {
  readonly seed: number;
  readonly epoch: number;
}

/** Examples as a training reads them. */
export interface TrainingSet {
  /** How many there are. */
  readonly length: number;
  /** The tokens that an example takes in a batch: the longer of both sides, where there are two. */
  width(index: number): number;
  batch(indices: ArrayLike<number>, draw: Draw): ModelBatch;
}

/** What is measured on held-out data besides the loss, by name. */
export type Metrics = Readonly<Record<string, number>>;

/** A text that shows what a model has learned so far. */
export interface Sample {
  readonly source: string;
  readonly target: string;
  readonly got: string;
}

/** Data that a model is measured on. */
export interface HeldOut {
  readonly set: TrainingSet;
  readonly store: ExampleStore;
  readonly records: readonly TrainingRecord[];
  /** The number of each example's record. */
  readonly recordOf: readonly number[];
}

/** The scores that a model gave for an example: rows of `width` numbers, one for each token or one for the text. */
export interface Logits {
  readonly data: Float32Array;
  readonly width: number;
}

/** Metrics that are counted while the loss is computed: told the scores of each example, in no particular order. */
export interface Tally {
  visit(index: number, logits: Logits): void;
  /** @param loss - the mean loss of what counts */
  finish(loss: number): Metrics;
}

/** Metrics of what a model writes or answers, as its users would have it do so. */
export interface Trial {
  run(): Promise<{ readonly metrics: Metrics; readonly samples?: readonly Sample[] }>;
  dispose(): Promise<void>;
}

/** The option that cuts a text to what the model reads, and to what the recipe wants. */
export function truncatedTo({ longest }: TaskContext, wanted: number | undefined): EncodeOptions {
  const maxLength = Math.min(longest, wanted ?? longest);
  return Number.isFinite(maxLength) ? { truncation: { maxLength, side: "right" } } : {};
}

/** Inputs that are as long as the longest of them, each row filled up at its end. */
export function padRows(
  rows: readonly ArrayLike<number>[],
  padding: number,
  multiple = 1,
  kind: "whole" | "fraction" = "whole",
): HostInput {
  const longest = rows.reduce((most, { length }) => Math.max(most, length), 1);
  const width = Math.ceil(longest / multiple) * multiple;
  const data = new (kind === "whole" ? Int32Array : Float32Array)(rows.length * width).fill(padding);
  rows.forEach((row, index) => {
    data.set(row, index * width);
  });
  return { data, shape: [rows.length, width] };
}

/** 1 where a row has a token, 0 where it is filled up. */
export function maskOf(rows: readonly ArrayLike<number>[], width: number): HostInput {
  const data = new Int32Array(rows.length * width);
  rows.forEach(({ length }, index) => {
    data.fill(1, index * width, index * width + length);
  });
  return { data, shape: [rows.length, width] };
}

/**
 * A text's inputs from its tokens: ids and mask, and token types where the model has them.
 * @param typeIds - row by row; default 0
 * @param width - the least length of a row
 */
export function textRows(
  { model, recipe }: TaskContext,
  rows: readonly ArrayLike<number>[],
  typeIds?: readonly ArrayLike<number>[],
  width = 1,
): HostInputs {
  const multiple = Math.max(recipe.training.pad_to_multiple_of, width);
  const inputIds = padRows(rows, model.config.padTokenId ?? 0, multiple);
  const hasTypes = (model.inputs.tokenTypeIds?.below ?? 0) > 1;
  return {
    inputIds,
    attentionMask: maskOf(rows, inputIds.shape[1]!),
    ...(hasTypes && typeIds !== undefined && { tokenTypeIds: padRows(typeIds, 0, multiple) }),
  };
}

/** A batch from what Hugging Face's model is given. @param count - the things that the loss sums over */
export function modelBatch(
  model: Model,
  inputs: { [Name in InputName]?: HostInput },
  count: number,
): ModelBatch {
  return { inputs: completeInputs(model, inputs), count };
}

/** Rows of a column. */
export function rowsOf(store: ExampleStore, column: string, indices: ArrayLike<number>): ArrayLike<number>[] {
  return Array.from(indices, (index) => store.values(column, index));
}

/** What a model can be trained for: how records become examples, and examples batches; what is measured. */
export interface TrainingTask<Name extends ModelTaskName> {
  /** What the model gives beyond its hidden states. */
  head(recipe: ModelRecipe<Name>): Head;
  /** A small model for the task, where a recipe names none: what its config.json would say. */
  readonly newModel: Readonly<Record<string, unknown>>;
  /** The fields that a record must have, and what they are. */
  fields(recipe: ModelRecipe<Name>): FieldTypes;
  /** What the fields are called in files, where a recipe maps none: of several names the first that a file has. */
  readonly usualColumns?: Readonly<Record<string, readonly string[]>>;
  /** What is kept of each example. */
  readonly columns: Readonly<Record<string, ColumnKind>>;
  /** The names of labels in a record, where labels are found in the data. */
  labelsIn?(record: TrainingRecord, recipe: ModelRecipe<Name>): readonly string[];
  /**
   * The examples of a record: none where nothing of it can be used, several where it is long.
   * @throws QkvError "data" with the record's place where fields contradict each other
   */
  encode(record: TrainingRecord, context: TaskContext<Name>): Iterable<Example>;
  /** @param purpose - what is measured is read once, from beginning to end; default: training */
  open(store: ExampleStore, context: TaskContext<Name>, purpose?: "training" | "validation"): TrainingSet;
  /** The names of the metrics besides the loss. */
  metrics(recipe: ModelRecipe<Name>): readonly string[];
  /** The model's scores that they are counted from, where they need those of all examples. */
  scores?(outputs: ForwardOutputs): Tensor | undefined;
  tally?(heldOut: HeldOut, context: TaskContext<Name>): Tally;
  /** Those that the task itself is run for. @param opened - the model in training, with its parameters of the moment */
  trial?(
    device: Device,
    opened: TaskModel,
    heldOut: HeldOut,
    context: TaskContext<Name>,
  ): Promise<Trial | undefined>;
  /** What is learned; default: the loss of the model's head. */
  objective?(context: TaskContext<Name>, mode: Mode): Objective<unknown, ModelBatch>;
}
