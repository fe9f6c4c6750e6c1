import { join } from "node:path";
import { listParameters } from "../../nn/parameters.ts";
import type { Device } from "../../runtime/device.ts";
import { startOfPositions, whyNoPositions } from "../../training/initial-positions.ts";
import type { Objective } from "../../training/learner.ts";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import type { ModelTaskName } from "../../training/model-tasks.ts";
import {
  type NextBatch,
  type RunParts,
  type RunRecipe,
  runTraining,
} from "../../training/node/training-run.ts";
import { distillationObjective } from "../../training/objectives/distillation.ts";
import { type ModelBatch, modelObjective } from "../../training/objectives/model-objective.ts";
import { learnerOptionsOf } from "../../training/optimization-choices.ts";
import type { RunEvent, RunOutcome } from "../../training/run-events.ts";
import type { Brake } from "../../util/brake.ts";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { longestInput } from "../task.ts";
import { ExampleList } from "../training/example-list.ts";
import { checkGeneration } from "../training/generation-choices.ts";
import { sortLabels } from "../training/labels.ts";
import { measuresOf } from "../training/measures.ts";
import { type AnyTask, taskOf } from "../training/table.ts";
import { framesOf } from "../training/text-blocks.ts";
import { batchesOf } from "../training/training-batches.ts";
import type { TaskContext } from "../training/training-task.ts";
import { adaptStart, writeAdaptedModel } from "./adapted-start.ts";
import { initializeFromTeacher, openTeacher } from "./distillation-teacher.ts";
import {
  createModelStart,
  loadBase,
  type ModelStart,
  readModelStart,
  writeStartedModel,
} from "./model-start.ts";
import { type ModelFolders, modelFoldersOf } from "./recipe-models.ts";
import { kindOf } from "./shipped.ts";
import { TrainingData, textsOf } from "./training-data.ts";
import { evaluatorOf, trainingExamples } from "./training-examples.ts";

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

/**
 * Trains a model of a family, new or from a checkpoint, by a recipe. What is wrong with the recipe or does not fit
 * together is found before the training text is read through, and the validation data before the training data.
 */
export async function trainModel(options: TrainModelOptions): Promise<RunOutcome> {
  const { recipe: asked, directory, device, onEvent } = options;
  const task = taskOf(asked);
  const data = new TrainingData(asked, task, options);
  checkMeasures(asked, data);
  checkGeneration(asked);
  const folders = await modelFoldersOf(options);
  const started = await startOf(options, task, data, folders);
  const adapted = await adaptStart(device, asked, started, async () => folders.from);
  const start = adapted?.start ?? started;
  const context = contextOf(asked, start, directory);
  checkTextLengths(context);
  checkPositions(asked, start);
  // Without examples: only whether model, tokenizer and objective go together.
  task.open(new ExampleList(task.columns), context);
  const teacher =
    folders.teacher === undefined
      ? undefined
      : await openTeacher(device, folders.teacher, task.head(asked), start);
  const taught: Objective<unknown, ModelBatch> =
    teacher === undefined
      ? (task.objective?.(context, "training") ?? modelObjective(start.model))
      : distillationObjective(start.model, teacher, teacherChoices(asked));
  const objective = { ...taught, fixed: new Map([...(taught.fixed ?? []), ...(adapted?.fixed ?? [])]) };
  // Refuses frozen parameters that there are not.
  learnerOptionsOf(asked.training, objective, asked.training.seed);
  const source = { task, data, context, onEvent };
  const evaluator = await evaluatorOf(source, "validation", device, start);
  try {
    const set = task.open(await trainingExamples(source, options), context);
    const batches = batchesOf(set, asked);
    const recipe = withSteps(asked, batches.perEpoch);
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
        const { model, training } = recipe;
        const positions = startOfPositions(model.initial_positions, start.model.parameters, training.seed);
        for (const [address, values] of positions) await parameters.get(address)!.write(values);
        if (folders.from !== undefined) {
          sayWhatIsNew(onEvent, folders.from, await loadBase(folders.from, started.model, parameters));
        }
        if (teacher !== undefined && (recipe.teacher?.initialize ?? folders.from === undefined)) {
          const taken = await initializeFromTeacher(parameters, teacher, addresses);
          onEvent({ type: "message", text: taken });
        }
      },
      validate: async (parameters) => await evaluator?.measure(parameters),
      writeModel: async (folder, parameters) => {
        // What is given, such as a teacher, is no part of the model.
        const own = new Map(addresses.map((address) => [address, parameters.get(address)!]));
        if (adapted === undefined) await writeStartedModel(folder, start, own, recipe.training.save_dtype);
        else await writeAdaptedModel(folder, adapted, own, recipe.training.save_dtype);
      },
      onEvent,
      signal: options.signal,
      ...(options.brake !== undefined && { brake: options.brake }),
    };
    return await runTraining(parts, options.resume);
  } finally {
    await evaluator?.dispose();
  }
}

/** @throws QkvError "config" for a metric that is not measured */
function checkMeasures(recipe: ModelRecipe, data: TrainingData<ModelTaskName>): void {
  const { metric_for_best_model: metric, early_stopping_patience: patience } = recipe.training;
  const known = measuresOf(recipe);
  if (!known.includes(metric)) {
    throw new QkvError(
      "config",
      `recipe: training.metric_for_best_model must be one of ${known.join(", ")}; got "${metric}"${didYouMean(metric, known)}`,
    );
  }
  if (data.filesOf("validation").files.length > 0) return;
  const idle =
    metric !== "loss" ? "metric_for_best_model" : patience !== null ? "early_stopping_patience" : undefined;
  if (idle === undefined) return;
  throw new QkvError(
    "config",
    `recipe: training.${idle} needs validation data; got none; give a file (data.validation, --validation) or hold ` +
      "records out: --set validation_split=0.1",
  );
}

/** @throws QkvError "config" where positions are to begin in some way and the model learns none of that kind */
function checkPositions({ model: { initial_positions: way } }: ModelRecipe, { model }: ModelStart) {
  const why = whyNoPositions(way, model.parameters);
  if (why === undefined) return;
  throw new QkvError("config", `recipe: model.initial_positions: a ${model.modelType} model ${why}`);
}

/** @throws QkvError "config" for texts that are to be longer than the model reads, or too short for any token */
function checkTextLengths({ recipe, longest, tokenizers }: TaskContext): void {
  const { before, after } = framesOf(tokenizers.source);
  const least = before.length + after.length + 1;
  const lengths = ["max_length", "max_source_length", "max_target_length"];
  for (const [key, wanted] of Object.entries(recipe.objective)) {
    if (!lengths.includes(key) || typeof wanted !== "number") continue;
    if (wanted >= least && wanted <= longest) continue;
    const bounds = Number.isFinite(longest) ? `from ${least} to ${longest}` : `${least} or more`;
    throw new QkvError(
      "config",
      `recipe: objective.${key} must be ${bounds} tokens in this model, special ones included; got ${wanted}; ` +
        "leave it out for all that the model reads",
    );
  }
}

export function contextOf(
  recipe: ModelRecipe,
  { model, tokenizers }: ModelStart,
  folder: string,
): TaskContext {
  return { recipe, model, tokenizers, longest: longestInput({ model, tokenizers }), folder };
}

/** The model, its tokenizers and its labels: made by the recipe, or those of the run that goes on. */
async function startOf(
  options: TrainModelOptions,
  task: AnyTask,
  data: TrainingData<ModelTaskName>,
  folders: ModelFolders,
): Promise<ModelStart> {
  const { recipe, directory, onEvent } = options;
  const folder = join(directory, "start");
  const labelSmoothing = recipe.task === "text2text-generation" ? recipe.objective.label_smoothing_factor : 0;
  const reopen = () => readModelStart(folder, task.head(recipe), { labelSmoothing });
  if (options.resume && (await kindOf(join(folder, "config.json"))) !== undefined) {
    return await reopen();
  }
  const start = await createModelStart({
    recipe,
    head: task.head(recipe),
    newModel: task.newModel,
    labels: () => labelsOf(recipe, task, data),
    from: folders.from,
    teacher: folders.teacher,
    // A student reads as its teacher does.
    tokenizerFrom: folders.tokenizer ?? folders.from ?? folders.teacher,
    async *texts() {
      for await (const record of data.records("train")) yield* textsOf(record);
    },
    onProgress: (done, total) => onEvent({ type: "preparing", what: "learning pieces", done, total }),
  });
  await writeStartedModel(folder, start, new Map(), "float32");
  return await reopen();
}

async function labelsOf(recipe: ModelRecipe, task: AnyTask, data: TrainingData<ModelTaskName>) {
  if (task.labelsIn === undefined) return undefined;
  if ("labels" in recipe.objective && recipe.objective.labels !== undefined) return recipe.objective.labels;
  const found = new Set<string>();
  for await (const record of data.records("train")) {
    for (const label of task.labelsIn(record, recipe)) found.add(label);
  }
  const [only] = found;
  if (found.size === 1 && isOneOfSeveral(recipe)) {
    throw new QkvError(
      "data",
      `${data.filesOf("train").files.join(", ")}: all records have the label "${only}"; a classifier needs at least ` +
        `two labels; add records, or name all labels in objective.labels: --set labels='["${only}", "..."]'`,
    );
  }
  return found.size === 0 ? ["LABEL_0"] : sortLabels(found);
}

/** Whether each text has one of several labels. */
function isOneOfSeveral({ task, objective }: ModelRecipe): boolean {
  return (
    task === "text-classification" &&
    "problem_type" in objective &&
    objective.problem_type === "single_label_classification"
  );
}

/** The recipe with the number of steps that its epochs come to. */
function withSteps(recipe: ModelRecipe, perEpoch: number): ModelRecipe & RunRecipe {
  const { num_train_epochs: epochs, gradient_accumulation_steps: accumulation } = recipe.training;
  const max_steps = recipe.training.max_steps ?? Math.max(1, Math.ceil((epochs * perEpoch) / accumulation));
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
