import { dirname, join, resolve } from "node:path";
import { modelTaskNames } from "../../training/model-tasks.ts";
import { overrideRecipe, parseRecipe, type Recipe } from "../../training/recipe.ts";
import { didYouMean, QkvError, refuseUnknownOptions } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";
import {
  checkSameModel,
  checkSameText,
  checkStepsLeft,
  inspectRunFolder,
  otherData,
  type RunFolderState,
  textFolderOf,
} from "./run-folder.ts";
import { findRecipe, kindOf } from "./shipped.ts";

/** What to train, from what, and where to put it. */
export interface TrainOptions {
  /** The run's folder; it becomes a model folder. */
  readonly out: string;
  /** A shipped recipe's name, a recipe's file or folder, or its JSON. */
  readonly recipe?: string | object;
  /** Instead of a recipe: text files, one sentence a line, line N of one the translation of line N of the other. */
  readonly source?: string;
  readonly target?: string;
  /** Default: some pairs of source and target are held out. */
  readonly validationSource?: string;
  readonly validationTarget?: string;
  /** Instead of a recipe: what to train for, such as "text-classification", with files of records. */
  readonly task?: string;
  readonly train?: string | readonly string[];
  readonly validation?: string | readonly string[];
  /** With `task`: the model folder to go on from. Default: a new small model. */
  readonly model?: string;
  /** The folder of the recipe's data. Default: `data/NAME` for a shipped recipe, else where the recipe lies. */
  readonly data?: string;
  /** Goes on with the run in `out`, if there is one. By itself it needs no recipe: the run knows its own. */
  readonly resume?: boolean;
  /** Recipe keys with other values: `{ learning_rate: 0.001 }`, or `["learning_rate=0.001"]`. */
  readonly set?: Readonly<Record<string, unknown>> | readonly string[];
  /** The same as `set: { max_steps }`. */
  readonly maxSteps?: number;
  /** The same as `set: { seed }`. */
  readonly seed?: number;
  /** Threads of the engine; default: one a core, at most eight. */
  readonly threads?: number;
}

/** A training that is known to be possible, as far as that can be known without reading the data. */
export interface TrainingPlan {
  readonly recipe: Recipe;
  readonly directory: string;
  /** What the recipe's file names are relative to. */
  readonly dataFolder: string;
  /** Whether there is a checkpoint to go on from. */
  readonly continues: boolean;
  /** Files that are to be divided into training and validation first. */
  readonly divided?: { readonly source: string; readonly target: string };
}

const optionNames = [
  "out",
  "recipe",
  "source",
  "target",
  "validationSource",
  "validationTarget",
  "task",
  "train",
  "validation",
  "model",
  "data",
  "resume",
  "set",
  "maxSteps",
  "seed",
  "threads",
] as const satisfies readonly (keyof TrainOptions)[];

/** The files that text is divided into. */
export const dividedFiles = {
  train_source: "train.source",
  train_target: "train.target",
  validation_source: "validation.source",
  validation_target: "validation.target",
} as const;

/** Where a recipe comes from, and with it the data. */
interface Origin {
  readonly json: unknown;
  /** Names it in messages. */
  readonly where: string;
  readonly dataFolder: string;
  readonly divided?: TrainingPlan["divided"];
}

/**
 * Finds the recipe, puts the options over it, and checks what can be checked at once.
 * @throws QkvError for unknown options and recipe keys, missing files, and a folder that holds a run already
 */
export async function planTraining(options: TrainOptions): Promise<TrainingPlan> {
  refuseUnknownOptions("train", options, optionNames);
  if (typeof options.out !== "string" || options.out === "") {
    throw new QkvError(
      "option",
      "train: out must name the folder of the run; got nothing; name it with --out FOLDER",
    );
  }
  const directory = options.out;
  const known = await inspectRunFolder(directory, options.resume === true);
  const { continues } = known;
  const origin = await originOf(options, known);
  const recipe = parseRecipe(overrideRecipe(origin.json, assignmentsOf(options)), origin.where);
  if (continues && known.recipe !== undefined) checkSameModel(directory, known.recipe, recipe);
  if (continues) checkStepsLeft(directory, known.step, recipe);
  const ownText = resolve(textFolderOf(directory));
  const generates = recipe.data.generate !== undefined;
  const isOwnText = origin.divided !== undefined || generates || origin.dataFolder === ownText;
  if (generates && options.data !== undefined) {
    throw new QkvError(
      "option",
      `${origin.where}: makes its own data; leave the data folder out (in an experiment, give the question "data": null)`,
    );
  }
  const dataFolder = isOwnText ? ownText : origin.dataFolder;
  if (origin.divided !== undefined) await checkFiles(Object.values(origin.divided));
  if (!isOwnText) await checkDataFiles(recipe, dataFolder, options);
  return {
    recipe,
    directory,
    dataFolder,
    continues,
    ...(origin.divided !== undefined && { divided: origin.divided }),
  };
}

async function originOf(options: TrainOptions, run: RunFolderState): Promise<Origin> {
  const { source, target, data } = options;
  if (options.task !== undefined) return fromTask(options, options.task);
  const idle = (["train", "validation", "model"] as const).find((name) => options[name] !== undefined);
  if (idle !== undefined) {
    throw new QkvError(
      "option",
      `train: ${idle} goes with a task; got none; name what to train for: --task text-classification`,
    );
  }
  if (options.recipe !== undefined && (source !== undefined || target !== undefined)) {
    throw new QkvError("option", "train: takes a recipe, or source and target; got both; leave one out");
  }
  if (typeof options.recipe === "object") {
    return { json: options.recipe, where: "recipe", dataFolder: resolve(data ?? ".") };
  }
  if (options.recipe !== undefined) {
    const { name, path, json } = await findRecipe(options.recipe);
    const folder = data ?? (name === undefined ? dirname(path) : join("data", name));
    return { json, where: name === undefined ? path : `recipe ${name}`, dataFolder: resolve(folder) };
  }
  if (source === undefined && target === undefined) {
    // Where a run was killed before its first checkpoint, it begins anew by its own recipe.
    const isRun = run.continues || (options.resume === true && run.dataFolder !== undefined);
    if (isRun && run.recipe !== undefined) {
      const where = join(options.out, "recipe.json");
      return { json: run.recipe, where, dataFolder: resolve(data ?? run.dataFolder ?? ".") };
    }
    if (options.resume === true && !isRun) {
      throw new QkvError(
        "option",
        `${options.out}: holds no run to go on with; check the folder, or begin one with a recipe, --task, or ` +
          "--source and --target",
      );
    }
    throw new QkvError(
      "option",
      "train: needs a recipe, a task with its files, or a source and a target file; got none of them; " +
        'for a first look, train the recipe "toy", which makes its own data',
    );
  }
  if (!run.continues || run.recipe === undefined) return fromFiles(options);
  return await fromFilesAgain(options, run.recipe, run);
}

/** A recipe of nothing but a task and its files. */
function fromTask(options: TrainOptions, task: string): Origin {
  const other = (["recipe", "source", "target"] as const).find((name) => options[name] !== undefined);
  if (other !== undefined) {
    throw new QkvError("option", `train: takes a task with its files, or ${other}; got both; leave one out`);
  }
  if (task === "translation") {
    throw new QkvError(
      "option",
      "train: a translator is trained from source and target, two files of lines; got the task translation; leave " +
        "--task out: --source FILE --target FILE",
    );
  }
  if (!(modelTaskNames as readonly string[]).includes(task)) {
    const known = modelTaskNames.join(", ");
    throw new QkvError(
      "option",
      `train: the task must be one of ${known}; got "${task}"${didYouMean(task, modelTaskNames)}`,
    );
  }
  const { train, validation, model } = options;
  if (train === undefined) {
    throw new QkvError(
      "option",
      `train: the task ${task} needs a file to train on; got none; name it with --train FILE`,
    );
  }
  // Without a file of its own, validation is one record in twenty.
  const heldOut = validation === undefined ? { validation_split: 0.05 } : { validation };
  const json = { task, data: { train, ...heldOut }, ...(model !== undefined && { model: { from: model } }) };
  return { json, where: "train", dataFolder: resolve(options.data ?? ".") };
}

function fromFiles(options: TrainOptions): Origin {
  const { source, target } = requireBoth(options);
  const { validationSource: validation_source, validationTarget: validation_target } = options;
  const dataFolder = resolve(options.data ?? ".");
  const where = "training files";
  if (validation_source === undefined) {
    const divided = { source: resolve(dataFolder, source), target: resolve(dataFolder, target) };
    return { json: { data: dividedFiles }, where, dataFolder, divided };
  }
  const data = { train_source: source, train_target: target, validation_source, validation_target };
  return { json: { data }, where, dataFolder };
}

/** The same for a run that goes on: its own recipe holds, and text that was divided for it lies in its folder. */
async function fromFilesAgain(
  options: TrainOptions,
  recipe: Recipe,
  { dataFolder: known = resolve("."), dividedFrom }: RunFolderState,
): Promise<Origin> {
  const { source, target } = requireBoth(options);
  const where = join(options.out, "recipe.json");
  if (known === resolve(textFolderOf(options.out))) {
    const path = (file: string) => resolve(options.data ?? ".", file);
    const files = { source: path(source), target: path(target) };
    if (options.validationSource !== undefined) throw otherData(options.out);
    await checkSameText(options.out, recipe, dividedFrom, files);
    return { json: recipe, where, dataFolder: known };
  }
  const place = (file: string) => {
    const path = resolve(options.data ?? ".", file);
    return path === resolve(known, file) ? file : path;
  };
  const { validationSource, validationTarget } = options;
  const data = {
    ...recipe.data,
    train_source: place(source),
    train_target: place(target),
    ...(validationSource !== undefined && { validation_source: place(validationSource) }),
    ...(validationTarget !== undefined && { validation_target: place(validationTarget) }),
  };
  return { json: { ...recipe, data }, where, dataFolder: known };
}

function requireBoth({ source, target, validationSource, validationTarget }: TrainOptions) {
  if (source === undefined || target === undefined) {
    const [got, missing] = source === undefined ? ["target", "source"] : ["source", "target"];
    throw new QkvError(
      "option",
      `train: needs a source and a target file; got only the ${got}; add the ${missing} (--${missing} FILE)`,
    );
  }
  if ((validationSource === undefined) !== (validationTarget === undefined)) {
    throw new QkvError(
      "option",
      "train: validation needs a source and a target file; got only one of them; add the other, or leave both out",
    );
  }
  return { source, target };
}

function assignmentsOf({ set = [], maxSteps, seed }: TrainOptions): string[] {
  const given = Array.isArray(set)
    ? (set as readonly string[])
    : Object.entries(set).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return [
    ...given,
    ...(maxSteps === undefined ? [] : [`training.max_steps=${maxSteps}`]),
    ...(seed === undefined ? [] : [`training.seed=${seed}`]),
  ];
}

async function checkFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const kind = await kindOf(path);
    if (kind === "file") continue;
    const code = kind === "folder" ? "EISDIR" : "ENOENT";
    throw fileError(path, "cannot read", Object.assign(new Error(code), { code }));
  }
}

/** The files that a recipe trains and validates on. */
function dataFilesOf(recipe: Recipe): string[] {
  if (recipe.task !== "translation") return [...recipe.data.train, ...(recipe.data.validation ?? [])];
  const { train_source, train_target, validation_source, validation_target } = recipe.data;
  return [train_source, train_target, validation_source, validation_target].filter(
    (file) => file !== undefined,
  );
}

/** Looks whether the recipe's files are there, so that the way to the data can be told where they are not. */
async function checkDataFiles(
  recipe: Recipe,
  dataFolder: string,
  { recipe: asked }: TrainOptions,
): Promise<void> {
  const files = dataFilesOf(recipe);
  const paths = files.map((file) => resolve(dataFolder, file));
  if (typeof asked !== "string") return await checkFiles(paths);
  const missing: string[] = [];
  for (const [index, path] of paths.entries()) {
    if ((await kindOf(path)) === undefined) missing.push(files[index]!);
  }
  if (missing.length === 0) return await checkFiles(paths);
  const readme = join(dirname((await findRecipe(asked)).path), "README.md");
  const advice =
    (await kindOf(readme)) === undefined ? "" : `; where the data come from is told in ${readme}`;
  throw new QkvError(
    "file",
    `${dataFolder}: must hold the data of the recipe ${asked}; ${missing.join(", ")} ` +
      `${missing.length === 1 ? "is" : "are"} missing; name the data's folder with --data${advice}`,
  );
}
