import { join } from "node:path";
import { prepareTokens } from "../../data/node/prepare-tokens.ts";
import { openTokenStore } from "../../data/node/token-store.ts";
import { listParameters } from "../../nn/parameters.ts";
import type { Device } from "../../runtime/device.ts";
import type { Objective } from "../../training/learner.ts";
import type { ModelRecipe, ModelTaskName } from "../../training/model-recipe.ts";
import {
  type NextBatch,
  type RunParts,
  type RunRecipe,
  runTraining,
} from "../../training/node/training-run.ts";
import { distillationObjective } from "../../training/objectives/distillation.ts";
import { type ModelBatch, modelObjective } from "../../training/objectives/model-objective.ts";
import type { RunEvent, RunOutcome } from "../../training/run-events.ts";
import type { Brake } from "../../util/brake.ts";
import { QkvError } from "../../util/errors.ts";
import { longestInput } from "../task.ts";
import { Evaluator } from "../training/evaluator.ts";
import { ExampleList } from "../training/example-list.ts";
import { sortLabels } from "../training/labels.ts";
import { trainingTasks } from "../training/table.ts";
import { batchesOf } from "../training/training-batches.ts";
import type {
  ColumnKind,
  Example,
  ExampleStore,
  HeldOut,
  TaskContext,
  TrainingRecord,
  TrainingTask,
} from "../training/training-task.ts";
import { initializeFromTeacher, openTeacher } from "./distillation-teacher.ts";
import {
  createModelStart,
  fingerprintOfTokenizers,
  loadBase,
  type ModelStart,
  readModelStart,
  writeStartedModel,
} from "./model-start.ts";
import { findModel, kindOf } from "./shipped.ts";
import { type Split, TrainingData, textsOf } from "./training-data.ts";

export interface TrainModelOptions {
  readonly recipe: ModelRecipe;
  /** The run's folder. */
  readonly directory: string;
  /** The folder that the recipe's data files are relative to. */
  readonly dataFolder: string;
  readonly resume: boolean;
  readonly device: Device;
  readonly signal: AbortSignal;
  readonly brake?: Brake;
  onEvent(event: RunEvent): void;
}

type AnyTask = TrainingTask<ModelTaskName>;

/** Trains a model of a family, new or from a checkpoint, by a recipe. */
export async function trainModel(options: TrainModelOptions): Promise<RunOutcome> {
  const { recipe: asked, directory, device, onEvent } = options;
  const task = taskOf(asked);
  const data = new TrainingData(asked, task.fields(asked), options);
  const start = await startOf(options, task, data);
  const context = contextOf(asked, start, directory);
  const set = task.open(await trainingStore(options, task, data, context), context);
  const batches = batchesOf(set, asked);
  const recipe = withSteps(asked, batches.perEpoch);
  const teacher =
    recipe.teacher && (await openTeacher(device, recipe.teacher.from, task.head, options.dataFolder));
  const ownObjective = task.objective?.(context, "training") ?? modelObjective(start.model);
  const objective: Objective<unknown, ModelBatch> =
    teacher === undefined
      ? ownObjective
      : distillationObjective(start.model, teacher, teacherChoices(recipe));
  const evaluator = await evaluatorOf(options, "validation", task, data, context, start);
  const addresses = [...listParameters(start.model.parameters).keys()];

  const parts: RunParts<unknown, ModelBatch> = {
    directory,
    recipe,
    device,
    objective,
    *batchesFrom(position): Generator<NextBatch<ModelBatch>> {
      for (const { position: at, next, rows } of batches.from(position)) {
        const draw = { seed: recipe.training.seed, epoch: at.epoch };
        yield { batch: set.batch(rows, draw), position: at, next };
      }
    },
    async initialize(parameters) {
      if (recipe.model.from !== undefined) {
        const from = await folderOf(recipe.model.from, options.dataFolder);
        sayWhatIsNew(onEvent, from, await loadBase(from, start.model, parameters));
      }
      if (teacher !== undefined && recipe.teacher?.initialize) {
        const taken = await initializeFromTeacher(parameters, teacher, addresses);
        onEvent({ type: "message", text: taken });
      }
    },
    validate: async (parameters) => await evaluator?.measure(parameters),
    writeModel: async (folder, parameters) => {
      // What is given, such as a teacher, is no part of the model.
      const own = new Map(addresses.map((address) => [address, parameters.get(address)!]));
      await writeStartedModel(folder, start, own, recipe.training.save_dtype);
    },
    onEvent,
    signal: options.signal,
    ...(options.brake !== undefined && { brake: options.brake }),
  };
  try {
    return await runTraining(parts, options.resume);
  } finally {
    await evaluator?.dispose();
  }
}

/** The table's types are those of one task each; here it is whichever the recipe names. */
export function taskOf(recipe: ModelRecipe): AnyTask {
  return trainingTasks[recipe.task] as unknown as AnyTask;
}

export function contextOf(
  recipe: ModelRecipe,
  { model, tokenizers }: ModelStart,
  folder: string,
): TaskContext {
  return { recipe, model, tokenizers, longest: longestInput({ model, tokenizers }), folder };
}

/** A folder that a recipe names: relative to the data, to where the command runs, or a shipped model's name. */
async function folderOf(name: string, dataFolder: string): Promise<string> {
  const beside = join(dataFolder, name);
  return (await kindOf(beside)) === "folder" ? beside : await findModel(name);
}

/** The model, its tokenizers and its labels: made by the recipe, or those of the run that goes on. */
async function startOf(
  options: TrainModelOptions,
  task: AnyTask,
  data: TrainingData<ModelTaskName>,
): Promise<ModelStart> {
  const { recipe, directory, dataFolder, onEvent } = options;
  const folder = join(directory, "start");
  if (options.resume && (await kindOf(join(folder, "config.json"))) !== undefined) {
    return await readModelStart(folder, task.head);
  }
  const place = async (name: string | undefined) =>
    name === undefined ? undefined : await folderOf(name, dataFolder);
  const start = await createModelStart({
    recipe,
    head: task.head,
    newModel: task.newModel,
    labels: await labelsOf(recipe, task, data),
    from: await place(recipe.model.from),
    tokenizerFrom: await place(recipe.tokenizer.from),
    async *lines() {
      for await (const record of data.records("train")) yield* textsOf(record);
    },
    onProgress: (done, total) => onEvent({ type: "preparing", what: "learning pieces", done, total }),
  });
  await writeStartedModel(folder, start, new Map(), "float32");
  return await readModelStart(folder, task.head);
}

async function labelsOf(recipe: ModelRecipe, task: AnyTask, data: TrainingData<ModelTaskName>) {
  if (task.labelsIn === undefined) return undefined;
  if ("labels" in recipe.objective && recipe.objective.labels !== undefined) return recipe.objective.labels;
  const found = new Set<string>();
  for await (const record of data.records("train")) {
    for (const label of task.labelsIn(record, recipe)) found.add(label);
  }
  return found.size === 0 ? ["LABEL_0"] : sortLabels(found);
}

/** The training's examples, tokenized once and kept. */
async function trainingStore(
  { recipe, directory, onEvent, signal }: TrainModelOptions,
  task: AnyTask,
  data: TrainingData<ModelTaskName>,
  context: TaskContext,
): Promise<ExampleStore> {
  const { data: choices, objective, task: name } = recipe;
  let place = "";
  const prepared = await prepareTokens({
    folder: join(directory, "data", "train"),
    inputs: data.filesOf("train").files,
    settings: [name, choices, objective, recipe.training.seed, fingerprintOfTokenizers(context.tokenizers)],
    columns: mapValues(task.columns, (kind) => columnSpec(kind, context)),
    async *examples() {
      for await (const record of data.records("train", { report: true })) {
        place = record.where;
        yield* task.encode(record, context);
      }
    },
    placeOf: () => place,
    onProgress: (done) => onEvent({ type: "preparing", what: "tokenizing train", done, total: done }),
    signal,
  });
  onEvent({
    type: "message",
    text: `train: ${prepared.length.toLocaleString("en-US")} examples${prepared.reused ? ", as they were prepared before" : ""}`,
  });
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
  { device, onEvent, directory }: Pick<TrainModelOptions, "device" | "onEvent" | "directory">,
  split: Split,
  task: AnyTask,
  data: TrainingData<ModelTaskName>,
  context: TaskContext,
  start: ModelStart,
): Promise<Evaluator<ModelTaskName> | undefined> {
  if (data.filesOf(split).files.length === 0) return undefined;
  const heldOut = await heldOutOf(split, task, data, context);
  const { length } = heldOut.records;
  onEvent({ type: "message", text: `${split}: ${length.toLocaleString("en-US")} records` });
  const opened = {
    folder: directory,
    model: start.model,
    config: start.config,
    generationConfig: start.generationConfig ?? {},
    tokenizers: start.tokenizers,
  };
  return await Evaluator.create(device, task, context, heldOut, opened);
}

async function heldOutOf(
  split: Split,
  task: AnyTask,
  data: TrainingData<ModelTaskName>,
  context: TaskContext,
): Promise<HeldOut> {
  const store = new ExampleList(task.columns);
  const records: TrainingRecord[] = [];
  const recordOf: number[] = [];
  for await (const record of data.records(split, { report: true })) {
    for (const example of task.encode(record, context) as Iterable<Example>) {
      store.add(example);
      recordOf.push(records.length);
    }
    records.push(record);
  }
  return { set: task.open(store, context, "validation"), store, records, recordOf };
}

/** The recipe with the number of steps that its epochs come to. */
function withSteps(recipe: ModelRecipe, perEpoch: number | undefined): ModelRecipe & RunRecipe {
  const { num_train_epochs: epochs, gradient_accumulation_steps: accumulation } = recipe.training;
  if (recipe.training.max_steps === null && perEpoch === undefined) {
    throw new QkvError("config", `recipe ${recipe.name}: windows have no epochs; give training.max_steps`);
  }
  const max_steps = recipe.training.max_steps ?? Math.max(1, Math.ceil((epochs * perEpoch!) / accumulation));
  return { ...recipe, training: { ...recipe.training, max_steps } };
}

function teacherChoices({ teacher }: ModelRecipe) {
  const { temperature, alpha_ce, alpha_task, alpha_cos } = teacher!;
  return { temperature, alphaSoft: alpha_ce, alphaTask: alpha_task, alphaCosine: alpha_cos };
}

function sayWhatIsNew(
  onEvent: TrainModelOptions["onEvent"],
  from: string,
  { absent, unused }: { readonly absent: readonly string[]; readonly unused: readonly string[] },
): void {
  const parts = [
    ...(absent.length > 0 ? [`it has no ${absent.join(", ")}: these begin at random`] : []),
    ...(unused.length > 0 ? [`not used: ${unused.join(", ")}`] : []),
  ];
  onEvent({ type: "message", text: `Began from ${from}${parts.length > 0 ? `; ${parts.join("; ")}` : ""}.` });
}
