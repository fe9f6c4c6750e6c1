import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { chosenMetric, keepsMean } from "../../training/best-metric.ts";
import { drawErrorBars, meanAndDeviation } from "../../training/error-bars.ts";
import {
  type Experiment,
  type Question,
  runsIn,
  type TrialResult,
  trialName,
  trialSchema,
  type Variant,
  withRuns,
} from "../../training/experiment.ts";
import { readLog } from "../../training/node/run-log.ts";
import { parseRecipe } from "../../training/recipe.ts";
import type { Measured, RunEvent, RunOutcome } from "../../training/run-events.ts";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import type { TrainingCheck } from "./check-training.ts";
import { findExperiment, findRecipe, kindOf, readJsonFile } from "./shipped.ts";
import type { TrainOptions } from "./training-plan.ts";

/** Where an experiment stands. */
export interface ExperimentProgress {
  readonly done: number;
  readonly total: number;
  readonly question: string;
  readonly variant: string;
  readonly seed: number;
  /** How far its training is; undefined when it begins. */
  readonly training?: { readonly step: number; readonly maxSteps: number; readonly loss: number };
}

export interface RunExperimentOptions {
  readonly experiment: Experiment;
  /** The folder of its results. Trainings that are done there are not done again. */
  readonly directory: string;
  readonly dataFolder: string;
  /** Instead of the recipe's, for a first look. */
  readonly maxSteps?: number;
  /** How many are trained at a time; default: 1. */
  readonly jobs?: number;
  readonly signal: AbortSignal;
  /** Trains one variant to its end. */
  train(options: TrainOptions, onEvent: (event: RunEvent) => void): Promise<RunOutcome>;
  /** Checks a training without starting it. @returns the names of what is measured, the loss among them */
  check(options: TrainOptions, wanted: TrainingCheck): Promise<readonly string[]>;
  /** Measures the model that a run kept. */
  measure(run: string, split: Question["split"]): Promise<Measured>;
  onProgress(progress: ExperimentProgress): void;
}

/** Finds an experiment and its data. @param wanted - a shipped one's name, a file or folder, or its JSON */
export async function locateExperiment(
  wanted: string | object,
  data: string | undefined,
): Promise<{ readonly json: unknown; readonly where: string; readonly dataFolder: string }> {
  if (typeof wanted === "object")
    return { json: wanted, where: "experiment", dataFolder: resolve(data ?? ".") };
  const { name, path, json } = await findExperiment(wanted);
  const folder = data ?? (name === undefined ? dirname(path) : join("data", name));
  return { json, where: path, dataFolder: resolve(folder) };
}

/** Trains every variant with every seed, and writes tables and pictures of what came out. */
export async function runExperiment(given: RunExperimentOptions): Promise<readonly TrialResult[]> {
  const options: Plan = { ...given, recipes: await recipesOf(given.experiment) };
  const { experiment, directory, jobs = 1 } = options;
  await mkdir(directory, { recursive: true });
  const resultsFile = join(directory, "results.json");
  const trials = experiment.questions.flatMap((question) =>
    question.variants.flatMap((variant) => experiment.seeds.map((seed) => ({ question, variant, seed }))),
  );
  const known = await readResults(resultsFile);
  const results = new Map<Trial, TrialResult>();
  for (const trial of trials) {
    await checkTrial(options, trial);
    // What was measured with other choices is no result of these.
    const { choices } = nameOf(options, trial);
    const result = known.find((other) => isOf(other, trial) && other.choices === choices);
    if (result !== undefined) results.set(trial, result);
  }
  const done = () => trials.flatMap((trial) => results.get(trial) ?? []);
  let saved = Promise.resolve();
  const save = () => {
    // What was measured before stays until its trial is measured anew.
    const others = known.filter((result) => ![...results.keys()].some((trial) => isOf(result, trial)));
    const text = `${JSON.stringify([...others, ...done()], null, 1)}\n`;
    saved = saved.then(() => writeFileAtomically(resultsFile, text));
    return saved;
  };
  const missing = trials.filter((trial) => !results.has(trial));
  const needs = (trial: Trial, other: Trial) => waitsFor(options, trial, other);
  await inOrder(missing, jobs, needs, async (trial) => {
    const { question, variant, seed } = trial;
    const tell = (training?: ExperimentProgress["training"]) =>
      options.onProgress({
        ...{ done: results.size, total: trials.length },
        ...{ question: question.id, variant: variant.name, seed },
        ...(training !== undefined && { training }),
      });
    tell();
    if (options.signal.aborted)
      throw new QkvError("interrupted", "the experiment was stopped; it goes on from here");
    // What is the same training under another name is done once.
    const twin = trials.find((other) => results.has(other) && isSameTraining(options, other, trial));
    results.set(
      trial,
      twin === undefined
        ? await runTrial(options, trial, tell)
        : { ...results.get(twin)!, ...nameOf(options, trial) },
    );
    await save();
  });
  await save();
  for (const { id, question, variants, metric, split } of experiment.questions) {
    const rows = variants.map(({ name }) => ({
      name,
      values: done()
        .filter((result) => result.question === id && result.variant === name)
        .flatMap(({ measured }) => measured[metric] ?? []),
    }));
    const unit = metric === "loss" ? "loss (nats), less is better" : metric;
    const svg = drawErrorBars(rows, { title: question, axis: `${split} ${unit}` });
    await writeFileAtomically(join(directory, `${id}.svg`), svg);
  }
  await writeFileAtomically(join(directory, "results.md"), tablesOf(experiment, done()));
  return done();
}

/** What is asked, and what the recipes hold: a file may be another the next time. */
interface Plan extends RunExperimentOptions {
  readonly recipes: ReadonlyMap<Question["recipe"], unknown>;
}

async function recipesOf({ questions }: Experiment): Promise<Plan["recipes"]> {
  const recipes = new Map<Question["recipe"], unknown>();
  for (const { recipe } of questions) {
    const json = typeof recipe === "string" ? (await findRecipe(recipe)).json : recipe;
    // What only describes a recipe changes no training.
    recipes.set(recipe, { ...(json as object), name: undefined, description: undefined });
  }
  return recipes;
}

/** What tells a trial's result from others. */
function nameOf(plan: Plan, { question, variant, seed }: Trial) {
  const choices = digestOf([choicesOf(plan, question, variant.name), question.split]);
  return { question: question.id, variant: variant.name, seed, choices };
}

const digestOf = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);

/** Whether a result has a trial's name, whatever its choices were. */
const isOf = (result: TrialResult, { question, variant, seed }: Trial): boolean =>
  result.question === question.id && result.variant === variant.name && result.seed === seed;

/** Everything that a training depends on besides the seed. */
function choicesOf(plan: Plan, question: Question, name: string): object {
  const { set } = question.variants.find((variant) => variant.name === name)!;
  return {
    recipe: plan.recipes.get(question.recipe),
    // Without a folder of its own a recipe may have its data beside it.
    data: question.data ?? { besideRecipe: question.recipe },
    set: withRuns(set, (run) => digestOf(choicesOf(plan, question, run))),
    maxSteps: plan.maxSteps ?? null,
  };
}

/** Whether two trials are one training under two names, and nobody wants the run of either by its name. */
const isSameTraining = (plan: Plan, left: Trial, right: Trial): boolean =>
  left.seed === right.seed &&
  ![left, right].some(({ question, variant }) =>
    question.variants.some(({ set }) => runsIn(set).includes(variant.name)),
  ) &&
  nameOf(plan, left).choices === nameOf(plan, right).choices;

/** Whether a trial can begin only when another is over: it uses its run, or is the same training under another name. */
const waitsFor = (plan: Plan, trial: Trial, other: Trial): boolean =>
  isSameTraining(plan, trial, other) ||
  (trial.seed === other.seed &&
    trial.question.id === other.question.id &&
    runsIn(trial.variant.set).includes(other.variant.name));

/**
 * Does some things at a time, in their order as far as those that they need are over. When one fails no more are begun,
 * and the error is told when those that are under way have ended.
 * @param needs - whether an item must wait for another before it
 */
async function inOrder<Item>(
  items: readonly Item[],
  jobs: number,
  needs: (item: Item, other: Item) => boolean,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const running = new Map<Item, Promise<void>>();
  let failure: { readonly reason: unknown } | undefined;
  const isReady = (item: Item, index: number) =>
    ![...running.keys(), ...waiting.slice(0, index)].some((other) => needs(item, other));
  const begin = (item: Item) => {
    const end = work(item)
      .catch((reason: unknown) => {
        failure ??= { reason };
      })
      .finally(() => running.delete(item));
    running.set(item, end);
  };
  while (running.size > 0 || (waiting.length > 0 && failure === undefined)) {
    while (failure === undefined && running.size < jobs) {
      const ready = waiting.findIndex(isReady);
      if (ready < 0) break;
      begin(waiting.splice(ready, 1)[0] as Item);
    }
    await Promise.race(running.values());
  }
  if (failure !== undefined) throw failure.reason;
}

async function readResults(path: string): Promise<TrialResult[]> {
  if ((await kindOf(path)) === undefined) return [];
  const parsed = z.array(trialSchema).safeParse(await readJsonFile(path));
  if (parsed.success) return parsed.data;
  throw new QkvError("file", `${path}: holds no results of an experiment; choose another folder`);
}

/** One training of an experiment. */
interface Trial {
  readonly question: Question;
  readonly variant: Variant;
  readonly seed: number;
}

/**
 * The folder of a trial, or of another variant's with the same seed. Its name tells the choices, too: a training goes on
 * from what was trained with the same, never from a first look or from what a variant was before.
 */
function folderOf(plan: Plan, { question, seed }: Trial, variant: string): string {
  const choices = digestOf(choicesOf(plan, question, variant)).slice(0, 8);
  return resolve(plan.directory, "runs", `${trialName(question.id, variant)}-seed-${seed}-${choices}`);
}

function trainingOf(options: Plan, trial: Trial): TrainOptions {
  const { question, variant, seed } = trial;
  return {
    out: folderOf(options, trial, variant.name),
    recipe: question.recipe,
    set: { ...withRuns(variant.set, (name) => folderOf(options, trial, name)), seed },
    ...(question.data !== null && { data: join(options.dataFolder, question.data) }),
    resume: true,
    ...(options.maxSteps !== undefined && { maxSteps: options.maxSteps }),
  };
}

/** What is wrong with the last variant shall be found before the first is trained. */
async function checkTrial(options: Plan, trial: Trial): Promise<void> {
  const { id, metric, split } = trial.question;
  const later = runsIn(trial.variant.set).map((name) => folderOf(options, trial, name));
  const checked = options.check(trainingOf(options, trial), { split, later });
  const known = await checked.catch((error: unknown) => {
    if (!(error instanceof QkvError)) throw error;
    throw new QkvError(error.code, `questions.${id}: "${trial.variant.name}": ${error.message}`, {
      cause: error,
    });
  });
  if (known.includes(metric)) return;
  throw new QkvError(
    "config",
    `questions.${id}: metric must be one of ${known.join(", ")}; got "${metric}"${didYouMean(metric, known)}`,
  );
}

async function runTrial(
  options: Plan,
  trial: Trial,
  tell: (training: ExperimentProgress["training"]) => void,
): Promise<TrialResult> {
  let parameters = 0;
  let task: string | undefined;
  let maxSteps = 0;
  let trainingLoss: number | null = null;
  let seconds = 0;
  const training = trainingOf(options, trial);
  const outcome = await options.train(training, (event) => {
    if (event.type === "start") ({ parameters, task, maxSteps } = event);
    if (event.type === "step") {
      ({ loss: trainingLoss, seconds } = event);
      tell({ step: event.step, maxSteps, loss: event.loss });
    }
  });
  if (outcome === "interrupted") {
    throw new QkvError("interrupted", "the experiment was stopped; the same command goes on");
  }
  // No run of a translator can be measured by its recipe's data, so what its training measured counts.
  const { loss, metrics } =
    task === "translation"
      ? await measuredInTraining(training.out)
      : await options.measure(training.out, trial.question.split);
  // A training that was over before tells no steps.
  if (trainingLoss === null) {
    const last = (await readLog(training.out)).findLast((record) => record.type === "step");
    if (last !== undefined) ({ loss: trainingLoss, seconds } = last);
  }
  // What could not be computed, such as the correlation of what does not vary, is no result.
  const measured = Object.entries({ loss, ...metrics }).filter(([, value]) => Number.isFinite(value));
  return {
    ...nameOf(options, trial),
    parameters,
    trainingLoss,
    measured: Object.fromEntries(measured),
    seconds,
  };
}

/** What a run measured of the model that it kept. */
async function measuredInTraining(folder: string): Promise<Measured> {
  const validations = (await readLog(folder)).filter((record) => record.type === "validation");
  const best = validations.findLast((record) => record.best);
  const average = validations.findLast(({ of }) => of === "average");
  const recipePath = join(folder, "recipe.json");
  const recipe = parseRecipe(await readJsonFile(recipePath), recipePath);
  const isMean = keepsMean(recipe, chosenMetric(recipe, average), chosenMetric(recipe, best));
  const kept = isMean ? (average ?? best) : best;
  if (kept !== undefined) return kept;
  throw new QkvError("data", `${folder}: its training measured nothing; choose another folder (--out)`);
}

/** A table for each question, in Markdown. */
function tablesOf({ questions }: Experiment, results: readonly TrialResult[]): string {
  const parts = questions.map(({ id, question, variants, metric, split }) => {
    const rows = variants.map(({ name }) => {
      const own = results.filter((result) => result.question === id && result.variant === name);
      const ofTrials = (value: (result: TrialResult) => number | null, digits: number) => {
        const values = own.map(value).filter((number) => number !== null);
        if (values.length === 0) return "–";
        const { mean, deviation } = meanAndDeviation(values);
        return `${mean.toFixed(digits)} ± ${deviation.toFixed(digits)}`;
      };
      const cells = [
        name,
        own[0]!.parameters.toLocaleString("en-US"),
        ofTrials(({ trainingLoss }) => trainingLoss, 3),
        ofTrials(({ measured }) => measured[metric] ?? null, 3),
        ofTrials(({ seconds }) => seconds, 0),
      ];
      return `| ${cells.join(" | ")} |`;
    });
    const head = `| variant | parameters | training loss | ${split} ${metric} | seconds |\n|---|---|---|---|---|`;
    return `## ${question}\n\n${head}\n${rows.join("\n")}\n\n![${question}](${id}.svg)\n`;
  });
  return parts.join("\n");
}
