import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { DeviceArray } from "../../runtime/device.ts";
import { QkvError } from "../../util/errors.ts";
import {
  createTemporaryFolder,
  removeLeftovers,
  replaceFolderAtomically,
} from "../../util/node/atomic-file.ts";
import { openCheckpoint } from "../../weights/node/checkpoint.ts";
import { readFloat32Tensors, writeSafetensors } from "../../weights/node/safetensors-file.ts";
import type { StoredTensor } from "../../weights/stored-tensor.ts";
import type { LearnedArrays } from "../learner.ts";

/** Where a training stands besides its arrays: together they are all that going on needs. */
export const trainingStateSchema = z.object({
  step: z.int().nonnegative(),
  /** The batch that comes next. */
  position: z.object({ epoch: z.int().nonnegative(), batch: z.int().nonnegative() }),
  /** The best validation so far, and by which metric it is the best. */
  best: z.object({ step: z.int(), value: z.number(), metric: z.string().optional() }).nullable(),
  /** Validations since then. */
  validationsSinceBest: z.int().nonnegative(),
  /** Target tokens learned from so far. */
  tokens: z.number(),
  /** Seconds of training so far, pauses left out. */
  seconds: z.number(),
  /** What the log's next record has added up so far. */
  window: z.object({ loss: z.number(), count: z.number(), seconds: z.number() }).optional(),
  engine: z.string(),
  threads: z.int(),
  /** Tells the recipe, so that a changed one is noticed. */
  recipe: z.string(),
});
export type TrainingState = z.infer<typeof trainingStateSchema>;

type Arrays = ReadonlyMap<string, DeviceArray>;

const folderOf = (directory: string, step: number): string => join(directory, "checkpoints", `step-${step}`);

const files = {
  parameters: "model.safetensors",
  states: "optimizer.safetensors",
  averages: "ema.safetensors",
} as const satisfies Record<keyof LearnedArrays, string>;

async function stored(arrays: Arrays): Promise<Map<string, StoredTensor>> {
  const tensors = new Map<string, StoredTensor>();
  for (const [address, array] of arrays) {
    tensors.set(address, { dtype: "F32", shape: array.shape, data: await array.read() });
  }
  return tensors;
}

/** Writes `checkpoints/step-N`: parameters, optimizer and state, as a whole or not at all. */
export async function saveCheckpoint(
  directory: string,
  learned: LearnedArrays,
  state: TrainingState,
): Promise<string> {
  const final = folderOf(directory, state.step);
  const temporary = await createTemporaryFolder(final);
  for (const [kind, arrays] of Object.entries(learned) as [keyof LearnedArrays, Arrays][]) {
    await writeSafetensors(join(temporary, files[kind]), await stored(arrays));
  }
  await writeFile(join(temporary, "state.json"), `${JSON.stringify(state, null, 2)}\n`);
  await replaceFolderAtomically(temporary, final);
  return final;
}

/** The steps of the checkpoints in a run's folder, the latest last; what a killed run left there is cleared. */
export async function listCheckpoints(directory: string): Promise<number[]> {
  await removeLeftovers(join(directory, "checkpoints"));
  return await listCheckpointSteps(directory);
}

/** The same for somebody who only looks. */
export async function listCheckpointSteps(directory: string): Promise<number[]> {
  const folder = join(directory, "checkpoints");
  const names = await readdir(folder).catch(() => [] as string[]);
  return names
    .map((name) => /^step-(\d+)$/.exec(name)?.[1])
    .filter((step) => step !== undefined)
    .map(Number)
    .sort((left, right) => left - right);
}

/**
 * Removes all checkpoints but the last `keep` regular ones and the very last. One that an interruption left is of no
 * use after the next, and must not take the place of one that will be averaged.
 */
export async function pruneCheckpoints(
  directory: string,
  keep: number,
  isRegular: (step: number) => boolean,
): Promise<void> {
  const steps = await listCheckpoints(directory);
  const kept = new Set([...steps.filter(isRegular).slice(-keep), ...steps.slice(-1)]);
  for (const step of steps) {
    if (!kept.has(step)) await rm(folderOf(directory, step), { recursive: true, force: true });
  }
}

/** Fills a learner's arrays from a checkpoint and returns its state. */
export async function loadCheckpoint(
  directory: string,
  step: number,
  learned: LearnedArrays,
): Promise<TrainingState> {
  const folder = folderOf(directory, step);
  for (const [kind, arrays] of Object.entries(learned) as [keyof LearnedArrays, Arrays][]) {
    await fill(join(folder, files[kind]), arrays);
  }
  const path = join(folder, "state.json");
  const parsed = trainingStateSchema.safeParse(JSON.parse(await readFile(path, "utf8")));
  if (!parsed.success)
    throw new QkvError("file", `${path}: is no training state; ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

async function fill(path: string, arrays: Arrays): Promise<void> {
  const { tensors } = await openCheckpoint(path);
  const missing = [...arrays.keys()].find((name) => !tensors.has(name));
  if (missing !== undefined) {
    throw new QkvError(
      "file",
      `${path}: must hold ${missing}, which the recipe's training needs; got ${tensors.size} other tensors; ` +
        "go on with the optimizer and the model that the run began with, or begin a new run",
    );
  }
  const values = await readFloat32Tensors(tensors, [...arrays.keys()]);
  for (const [name, array] of arrays) await array.write(values.get(name)!.data);
}

/** The mean of the parameters of several checkpoints, or of their moving averages, in double precision. */
export async function averageParameters(
  directory: string,
  steps: readonly number[],
  of: "parameters" | "averages" = "parameters",
): Promise<Map<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }>> {
  const sums = new Map<string, { shape: readonly number[]; sum: Float64Array }>();
  for (const step of steps) {
    const { tensors } = await openCheckpoint(join(folderOf(directory, step), files[of]));
    for (const [name, { shape, data }] of await readFloat32Tensors(tensors)) {
      const entry = sums.get(name) ?? { shape, sum: new Float64Array(data.length) };
      sums.set(name, entry);
      data.forEach((value, index) => {
        entry.sum[index]! += value;
      });
    }
  }
  return new Map(
    [...sums].map(([name, { shape, sum }]) => [
      name,
      { shape, data: Float32Array.from(sum, (value) => value / steps.length) },
    ]),
  );
}

export async function makeRunFolder(directory: string): Promise<void> {
  await mkdir(join(directory, "checkpoints"), { recursive: true });
}
