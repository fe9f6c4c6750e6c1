import { mkdir, rm, stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { z } from "zod";
import { listCheckpoints } from "../../training/node/checkpoint.ts";
import { parseRecipe, type Recipe } from "../../training/recipe.ts";
import { QkvError } from "../../util/errors.ts";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { digestOfFile } from "../../util/node/file-digest.ts";
import { fileError } from "../../util/node/file-error.ts";
import { kindOf, readJsonFile } from "./shipped.ts";

/** The folder, within a run's, of text that was made for it: generated, or divided into training and validation. */
export const textFolderOf = (directory: string): string => join(directory, "text");

/** Tells the two files that a run's text was divided from, by their digests. */
const dividedFromSchema = z.object({ source: z.string(), target: z.string() });
export type DividedFrom = z.infer<typeof dividedFromSchema>;

const runSchema = z.object({ data_folder: z.string(), divided_from: dividedFromSchema.optional() });

/** How a run stands before it is started or goes on. */
export interface RunFolderState {
  /** Whether there is a checkpoint to go on from. */
  readonly continues: boolean;
  /** The steps that the last checkpoint has made. */
  readonly step: number;
  /** What the run was started with, where it was. */
  readonly recipe: Recipe | undefined;
  readonly dataFolder: string | undefined;
  readonly dividedFrom: DividedFrom | undefined;
}

/**
 * Looks at the folder of a run.
 * @throws QkvError "option" where it holds a run or a model and `resume` is not asked for
 */
export async function inspectRunFolder(directory: string, resume: boolean): Promise<RunFolderState> {
  if ((await kindOf(directory)) === "file") {
    throw new QkvError("file", `${directory}: a run needs a folder; got a file; choose another name`);
  }
  const step = (await listCheckpoints(directory)).at(-1);
  const continues = step !== undefined;
  const recipePath = join(directory, "recipe.json");
  if (!resume && (continues || (await holdsSomething(directory)))) {
    // A model without its checkpoints is a run that is over: going on would begin anew and overwrite it.
    const isRun = continues || ((await kindOf(recipePath)) !== undefined && !(await holdsModel(directory)));
    throw new QkvError(
      "option",
      `${directory}: already holds ${isRun ? "a run" : "a model"}; ` +
        `${isRun ? "go on with it by --resume, or " : ""}choose another folder`,
    );
  }
  const recipe = (await kindOf(recipePath)) && parseRecipe(await readJsonFile(recipePath), recipePath);
  const run = await readRun(directory);
  return {
    continues,
    step: step ?? 0,
    recipe: recipe || undefined,
    dataFolder: run && resolve(directory, run.data_folder),
    dividedFrom: run?.divided_from,
  };
}

const holdsModel = async (directory: string): Promise<boolean> =>
  (await kindOf(join(directory, "model.safetensors"))) !== undefined;

async function holdsSomething(directory: string): Promise<boolean> {
  if (await holdsModel(directory)) return true;
  const log = await stat(join(directory, "log.jsonl")).catch(() => undefined);
  return log !== undefined && log.size > 0;
}

async function readRun(directory: string): Promise<z.infer<typeof runSchema> | undefined> {
  const path = join(directory, "run.json");
  if ((await kindOf(path)) === undefined) return undefined;
  const parsed = runSchema.safeParse(await readJsonFile(path));
  return parsed.data;
}

/** Makes the folder of a run, empty where there is none. */
export async function createRunFolder(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true }).catch((error: unknown) => {
    throw fileError(directory, "cannot make the run's folder", error);
  });
}

/**
 * Writes down what `--resume` needs to go on by itself. Where the run begins, what an attempt that did not get far has
 * left is cleared away.
 * @param dividedFrom - where the text was divided just now
 */
export async function prepareRunFolder(
  directory: string,
  {
    continues,
    recipe,
    dataFolder,
    dividedFrom,
  }: { continues: boolean; recipe: Recipe; dataFolder: string; dividedFrom?: DividedFrom },
): Promise<void> {
  try {
    if (!continues) {
      await rm(join(directory, "start"), { recursive: true, force: true });
      await rm(join(directory, "log.jsonl"), { force: true });
    }
  } catch (error) {
    throw fileError(directory, "cannot clear the run's folder", error);
  }
  // Text that lies in the run's folder moves with it; other data stay where they are.
  const inside = relative(directory, dataFolder);
  const kept = inside.startsWith("..") || isAbsolute(inside) ? resolve(dataFolder) : inside;
  await writeFileAtomically(join(directory, "recipe.json"), `${JSON.stringify(recipe, null, 2)}\n`);
  const divided_from = dividedFrom ?? (await readRun(directory))?.divided_from;
  await writeFileAtomically(
    join(directory, "run.json"),
    `${JSON.stringify({ data_folder: kept, divided_from }, null, 2)}\n`,
  );
}

/**
 * Refuses to go on to a step that is passed.
 * @throws QkvError "option"
 */
export function checkStepsLeft(directory: string, step: number, { training }: Recipe): void {
  const { max_steps: last } = training;
  if (typeof last !== "number" || last >= step) return;
  throw new QkvError(
    "option",
    `${directory}: has already made ${step} steps; max_steps must be more; got ${last}; ask for more with --max-steps`,
  );
}

/**
 * Refuses to go on with another model or vocabulary than the run's own.
 * @throws QkvError "option" with the first key that differs
 */
export function checkSameModel(directory: string, before: Recipe, now: Recipe): void {
  for (const section of ["model", "tokenizer"] as const) {
    const [old, changed] = [before[section], now[section]] as Record<string, unknown>[];
    const keys = new Set([...Object.keys(old!), ...Object.keys(changed!)]);
    const key = [...keys].find((name) => JSON.stringify(old![name]) !== JSON.stringify(changed![name]));
    if (key === undefined) continue;
    throw new QkvError(
      "option",
      `${directory}: a run goes on with the model that it began with; got ${section}.${key} ` +
        `${String(changed![key])} instead of ${String(old![key])}; with --resume alone the run takes its own recipe`,
    );
  }
}

/**
 * Refuses files other than those that the run's text was divided from, or any where it was generated.
 * @param dividedFrom - unknown for runs of old
 * @throws QkvError "option"
 */
export async function checkSameText(
  directory: string,
  recipe: Recipe,
  dividedFrom: DividedFrom | undefined,
  files: { readonly source: string; readonly target: string },
): Promise<void> {
  if (recipe.task === "translation" && recipe.data.generate !== undefined) throw otherData(directory);
  if (dividedFrom === undefined) return;
  const now = await digestsOf(files);
  if (now.source !== dividedFrom.source || now.target !== dividedFrom.target) throw otherData(directory);
}

/** Tells two files that text is divided from. */
export async function digestsOf({
  source,
  target,
}: {
  readonly source: string;
  readonly target: string;
}): Promise<DividedFrom> {
  return { source: await digestOfFile(source), target: await digestOfFile(target) };
}

export function otherData(directory: string): QkvError {
  return new QkvError(
    "option",
    `${directory}: a run goes on with the data that it began with; leave --source and --target out, or choose ` +
      "another folder",
  );
}
