import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { drawErrorBars, meanAndDeviation } from "../../training/error-bars.ts";
import {
  type Experiment,
  type Question,
  runsIn,
  type TrialResult,
  trialSchema,
  type Variant,
  withRuns,
} from "../../training/experiment.ts";
import type { Measured, RunEvent, RunOutcome } from "../../training/run-events.ts";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { findExperiment, kindOf, readJsonFile } from "./shipped.ts";
import type { TrainOptions } from "./training-plan.ts";

/** Where an experiment stands. */
export interface ExperimentProgress {
  readonly done: number;
  readonly total: number;
  readonly question: string;
  readonly variant: string;
  readonly seed: number;
}

export interface RunExperimentOptions {
  readonly experiment: Experiment;
  /** The folder of its results. Trainings that are done there are not done again. */
  readonly directory: string;
  readonly dataFolder: string;
  /** Instead of the recipe's, for a first look. */
  readonly maxSteps?: number;
  readonly signal: AbortSignal;
  /** Trains one variant to its end. */
  train(options: TrainOptions, onEvent: (event: RunEvent) => void): Promise<RunOutcome>;
  /** Measures what was trained on the test data of its recipe. */
  test(run: string): Promise<Measured>;
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
export async function runExperiment(options: RunExperimentOptions): Promise<readonly TrialResult[]> {
  const { experiment, directory } = options;
  await mkdir(directory, { recursive: true });
  const resultsFile = join(directory, "results.json");
  const results = await readResults(resultsFile);
  const trials = experiment.questions.flatMap((question) =>
    question.variants.flatMap((variant) => experiment.seeds.map((seed) => ({ question, variant, seed }))),
  );
  for (const [done, { question, variant, seed }] of trials.entries()) {
    options.onProgress({ done, total: trials.length, question: question.id, variant: variant.name, seed });
    if (results.some(isOf({ question, variant, seed }))) continue;
    // What is the same training under another name is done once.
    const twin = trials.find(
      (other) =>
        other.seed === seed &&
        isSame(choicesOf(other.question, other.variant), choicesOf(question, variant)) &&
        results.some(isOf(other)),
    );
    if (twin !== undefined) {
      results.push({ ...results.find(isOf(twin))!, question: question.id, variant: variant.name });
      continue;
    }
    if (options.signal.aborted)
      throw new QkvError("interrupted", "the experiment was stopped; it goes on from here");
    results.push(await runTrial(options, question, variant, seed));
    await writeFileAtomically(resultsFile, `${JSON.stringify(results, null, 1)}\n`);
  }
  await writeFileAtomically(resultsFile, `${JSON.stringify(results, null, 1)}\n`);
  for (const { id, question, variants, metric, split } of experiment.questions) {
    const rows = variants.map(({ name }) => ({
      name,
      values: results
        .filter((result) => result.question === id && result.variant === name)
        .map(({ measured }) => measured[metric]!),
    }));
    const unit = metric === "loss" ? "loss (nats), less is better" : metric;
    const svg = drawErrorBars(rows, { title: question, axis: `${split} ${unit}` });
    await writeFileAtomically(join(directory, `${id}.svg`), svg);
  }
  await writeFileAtomically(join(directory, "results.md"), tablesOf(experiment, results));
  return results;
}

/** Whether a result is that of a trial. */
const isOf =
  (trial: { readonly question: { id: string }; readonly variant: { name: string }; readonly seed: number }) =>
  (result: TrialResult): boolean =>
    result.question === trial.question.id &&
    result.variant === trial.variant.name &&
    result.seed === trial.seed;

/** Everything that a training depends on besides the seed. */
const choicesOf = ({ id, recipe, data, split }: Question, { set }: Variant) => ({
  ...(runsIn(set).length > 0 && { id }),
  recipe,
  data,
  split,
  set,
});
const isSame = (left: object, right: object): boolean => JSON.stringify(left) === JSON.stringify(right);

async function readResults(path: string): Promise<TrialResult[]> {
  if ((await kindOf(path)) === undefined) return [];
  const parsed = z.array(trialSchema).safeParse(await readJsonFile(path));
  if (parsed.success) return parsed.data;
  throw new QkvError("file", `${path}: holds no results of an experiment; choose another folder`);
}

async function runTrial(
  { directory, dataFolder, maxSteps, train, test }: RunExperimentOptions,
  { id, recipe, data, split, metric }: Question,
  variant: Variant,
  seed: number,
): Promise<TrialResult> {
  let parameters = 0;
  let trainingLoss: number | null = null;
  let kept: Measured | undefined;
  let seconds = 0;
  const folderOf = (name: string) => resolve(directory, "runs", `${id}-${fileName(name)}-seed-${seed}`);
  const out = folderOf(variant.name);
  const outcome = await train(
    {
      out,
      recipe,
      set: { ...withRuns(variant.set, folderOf), seed },
      data: join(dataFolder, data),
      resume: true,
      ...(maxSteps !== undefined && { maxSteps }),
    },
    (event) => {
      if (event.type === "start") parameters = event.parameters;
      if (event.type === "step") ({ loss: trainingLoss, seconds } = event);
      if (event.type === "validation" && (event.best || kept === undefined)) kept = event;
    },
  );
  if (outcome === "interrupted") {
    throw new QkvError("interrupted", "the experiment was stopped; the same command goes on");
  }
  const { loss, metrics } = split === "test" ? await test(out) : kept!;
  const measured = { loss, ...metrics };
  if (metric in measured) {
    return { question: id, variant: variant.name, seed, parameters, trainingLoss, measured, seconds };
  }
  const known = Object.keys(measured);
  throw new QkvError(
    "config",
    `experiment: metric must be one of ${known.join(", ")}; got "${metric}"${didYouMean(metric, known)}`,
  );
}

const fileName = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");

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
        ofTrials(({ measured }) => measured[metric]!, 3),
        ofTrials(({ seconds }) => seconds, 0),
      ];
      return `| ${cells.join(" | ")} |`;
    });
    const head = `| variant | parameters | training loss | ${split} ${metric} | seconds |\n|---|---|---|---|---|`;
    return `## ${question}\n\n${head}\n${rows.join("\n")}\n\n![${question}](${id}.svg)\n`;
  });
  return parts.join("\n");
}
