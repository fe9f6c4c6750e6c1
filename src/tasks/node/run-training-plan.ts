import { join } from "node:path";
import { divideParallelFiles } from "../../data/node/divide-files.ts";
import { writeGeneratedCorpus, writeGeneratedRecords } from "../../data/node/write-generated.ts";
import type { Device } from "../../runtime/device.ts";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import { RunJournal } from "../../training/node/run-journal.ts";
import { lockRunFolder } from "../../training/node/run-lock.ts";
import type { RunEvent, RunOutcome } from "../../training/run-events.ts";
import type { TranslationRecipe } from "../../training/translation-recipe.ts";
import type { Brake } from "../../util/brake.ts";
import { QkvError } from "../../util/errors.ts";
import { createRunFolder, digestsOf, prepareRunFolder } from "./run-folder.ts";
import { kindOf } from "./shipped.ts";
import { trainModel } from "./train-model.ts";
import { trainTranslation } from "./train-translation.ts";
import { dividedFiles, type TrainingPlan } from "./training-plan.ts";

/** What a training is run with. */
export interface TrainingContext {
  readonly device: Device;
  /** Asks it to save and leave. */
  readonly signal: AbortSignal;
  /** Lets it stand still between two steps. */
  readonly brake?: Brake;
  onEvent(event: RunEvent): void;
}

/** Runs a planned training and keeps a journal of it. */
export async function runTrainingPlan(plan: TrainingPlan, context: TrainingContext): Promise<RunOutcome> {
  await createRunFolder(plan.directory);
  const release = await lockRunFolder(plan.directory);
  try {
    return await trainWithJournal(plan, context);
  } finally {
    await release();
  }
}

async function trainWithJournal(plan: TrainingPlan, context: TrainingContext): Promise<RunOutcome> {
  const { device } = context;
  const journal = new RunJournal(plan.directory, plan.continues);
  journal.add({
    type: "session",
    engine: device.description,
    threads: device.threads,
    process: process.pid,
    continues: plan.continues,
  });
  const onEvent = (event: RunEvent) => {
    journal.hear(event);
    context.onEvent(event);
  };
  try {
    const outcome = await trainByPlan(plan, { ...context, onEvent });
    journal.add({ type: "end", outcome });
    return outcome;
  } catch (error) {
    const isInterrupted = error instanceof QkvError && error.code === "interrupted";
    const text = error instanceof Error ? error.message : String(error);
    try {
      journal.add(isInterrupted ? { type: "end", outcome: "interrupted" } : { type: "failure", text });
    } catch {
      // The first failure, of a full disk perhaps, is the one to tell.
    }
    throw error;
  }
}

/** Makes the text that a plan needs, writes down how the run goes on, and trains. */
async function trainByPlan(plan: TrainingPlan, context: TrainingContext): Promise<RunOutcome> {
  const { directory, dataFolder, continues } = plan;
  const run = { ...context, directory, dataFolder, resume: continues };
  if (plan.recipe.task === "translation") {
    await prepareText(plan, plan.recipe, context);
    const recipe =
      plan.divided === undefined ? plan.recipe : await withValidationThatIsThere(plan, plan.recipe);
    const dividedFrom = plan.divided && (await digestsOf(plan.divided));
    await prepareRunFolder(directory, {
      continues,
      recipe,
      dataFolder,
      ...(dividedFrom !== undefined && { dividedFrom }),
    });
    return await trainTranslation({ ...run, recipe });
  }
  await prepareRecords(plan, plan.recipe, context);
  await prepareRunFolder(directory, { continues, recipe: plan.recipe, dataFolder });
  return await trainModel({ ...run, recipe: plan.recipe });
}

async function prepareRecords(
  { dataFolder, continues }: TrainingPlan,
  { data }: ModelRecipe,
  { onEvent }: TrainingContext,
): Promise<void> {
  const [train, validation, test] = [data.train, data.validation, data.test].map((files) => files?.[0]);
  if (data.generate === undefined) return;
  if (continues && (await kindOf(join(dataFolder, train!))) !== undefined) return;
  const counts = await writeGeneratedRecords(data.generate, dataFolder, {
    train: train!,
    ...(validation !== undefined && { validation }),
    ...(test !== undefined && { test }),
  });
  const text = `Made data (${data.generate}): ${counts.train} records to train on, ${counts.validation} to validate on.`;
  onEvent({ type: "message", text });
}

async function prepareText(
  { dataFolder, continues, divided }: TrainingPlan,
  recipe: TranslationRecipe,
  { onEvent, signal }: TrainingContext,
): Promise<void> {
  const say = (text: string) => onEvent({ type: "message", text });
  const { generate } = recipe.data;
  const isThere = (await kindOf(join(dataFolder, recipe.data.train_source))) !== undefined;
  if (continues && isThere) {
    return;
  }
  if (generate !== undefined) {
    const counts = await writeGeneratedCorpus(generate, dataFolder, recipe.data);
    say(`Made data (${generate}): ${counts.train} pairs to train on, ${counts.validation} to validate on.`);
  } else if (divided !== undefined) {
    const { heldOut, pairs } = await divideParallelFiles({
      sourceFile: divided.source,
      targetFile: divided.target,
      folder: dataFolder,
      names: dividedFiles,
      seed: recipe.training.seed,
      onProgress: (done, total) => onEvent({ type: "preparing", what: "dividing the text", done, total }),
      signal,
    });
    say(
      heldOut === 0
        ? `All ${pairs} pairs are for training: too few to hold some out for validation.`
        : `Held out ${heldOut} of ${pairs} pairs for validation; none of their sources is trained on.`,
    );
  }
}

/** The recipe of divided text, without validation where the text was too short for that. */
async function withValidationThatIsThere(
  { dataFolder }: TrainingPlan,
  recipe: TranslationRecipe,
): Promise<TranslationRecipe> {
  if ((await kindOf(join(dataFolder, dividedFiles.validation_source))) !== undefined) return recipe;
  const { validation_source, validation_target, ...data } = recipe.data;
  return { ...recipe, data };
}
