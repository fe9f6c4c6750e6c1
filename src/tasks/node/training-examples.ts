import { join } from "node:path";
import { prepareTokens } from "../../data/node/prepare-tokens.ts";
import { openTokenStore } from "../../data/node/token-store.ts";
import type { Device } from "../../runtime/device.ts";
import type { ModelTaskName } from "../../training/model-tasks.ts";
import type { RunEvent } from "../../training/run-events.ts";
import { Evaluator } from "../training/evaluator.ts";
import { ExampleList } from "../training/example-list.ts";
import type { AnyTask } from "../training/table.ts";
import type {
  ColumnKind,
  ExampleStore,
  HeldOut,
  TaskContext,
  TrainingRecord,
} from "../training/training-task.ts";
import { fingerprintOfTokenizers, type ModelStart } from "./model-start.ts";
import type { Split, TrainingData } from "./training-data.ts";

/** What examples are made of, and whom to tell. */
export interface ExampleSource {
  readonly task: AnyTask;
  readonly data: TrainingData<ModelTaskName>;
  readonly context: TaskContext;
  onEvent(event: RunEvent): void;
}

/** The training's examples, tokenized once and kept in the run's folder. */
export async function trainingExamples(
  { task, data, context, onEvent }: ExampleSource,
  { directory, signal }: { readonly directory: string; readonly signal: AbortSignal },
): Promise<ExampleStore> {
  const { recipe, model, longest } = context;
  let place = "";
  const prepared = await prepareTokens({
    folder: join(directory, "data", "train"),
    inputs: data.filesOf("train").files,
    settings: [
      ...[recipe.task, recipe.data, recipe.objective, recipe.training.seed],
      ...[fingerprintOfTokenizers(context.tokenizers), longest],
      ...[model.config.labels ?? null, model.config.eosTokenId ?? null],
    ],
    columns: mapValues(task.columns, (kind) => columnSpec(kind, context)),
    async *examples() {
      const encode = (record: TrainingRecord) => {
        place = record.where;
        return task.encode(record, context);
      };
      for await (const { examples } of data.examples("train", encode)) yield* examples;
    },
    placeOf: () => place,
    onProgress: (done) => onEvent({ type: "preparing", what: "tokenizing train", done }),
    signal,
  });
  const reused = prepared.reused ? ", as they were prepared before" : "";
  onEvent({ type: "message", text: `train: ${counted(prepared.length, "example")}${reused}` });
  return openTokenStore(prepared.folder);
}

function columnSpec(kind: ColumnKind, { model, tokenizers }: TaskContext) {
  if (kind === "floats") return { type: "float32" as const };
  const bound = Math.max(model.config.vocabSize, tokenizers.source.vocabSize, 1 << 16);
  return kind === "labels" ? { bound, least: -100 } : { bound };
}

function mapValues<From, To>(
  table: Readonly<Record<string, From>>,
  map: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [name, map(value)]));
}

/** What measures a model on a part of the data; nothing where there is no such part. */
export async function evaluatorOf(
  { task, data, context, onEvent }: ExampleSource,
  split: Split,
  device: Device,
  start: ModelStart,
): Promise<Evaluator<ModelTaskName> | undefined> {
  const { files, isHeldOut } = data.filesOf(split);
  if (files.length === 0) return undefined;
  const heldOut = await heldOutExamples(split, task, data, context);
  const { length } = heldOut.records;
  if (length === 0 && isHeldOut) {
    onEvent({ type: "message", text: `${split}: none, since there are too few records to hold some out` });
    return undefined;
  }
  onEvent({ type: "message", text: `${split}: ${counted(length, "record")}` });
  const opened = {
    folder: context.folder,
    model: start.model,
    config: start.config,
    generationConfig: start.generationConfig ?? {},
    tokenizers: start.tokenizers,
  };
  return await Evaluator.create(device, task, context, heldOut, opened);
}

async function heldOutExamples(
  split: Split,
  task: AnyTask,
  data: TrainingData<ModelTaskName>,
  context: TaskContext,
): Promise<HeldOut> {
  const store = new ExampleList(task.columns);
  const records: TrainingRecord[] = [];
  const recordOf: number[] = [];
  const encode = (record: TrainingRecord) => task.encode(record, context);
  for await (const { record, examples } of data.examples(split, encode)) {
    for (const example of examples) {
      store.add(example);
      recordOf.push(records.length);
    }
    records.push(record);
  }
  return { set: task.open(store, context, "validation"), store, records, recordOf };
}

const counted = (count: number, what: string): string =>
  `${count.toLocaleString("en-US")} ${what}${count === 1 ? "" : "s"}`;
