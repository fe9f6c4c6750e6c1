/** Reads the folder of a run for people who look at it; nothing in it is changed. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { listCheckpointSteps } from "../../training/node/checkpoint.ts";
import { journalName } from "../../training/node/run-journal.ts";
import { logName } from "../../training/node/run-log.ts";
import { QkvError } from "../../util/errors.ts";
import { errorCode, fileError } from "../../util/node/file-error.ts";
import { readSafetensorsHeader } from "../../weights/node/safetensors-file.ts";
import { parseJournal, parseLog } from "../records.ts";
import { asObject, type DataSize, type ModelSize, type StoredRun, type StoredState } from "../stored-run.ts";

/**
 * What a run's folder tells. Lines of its log that cannot be read are left out and listed under `problems`.
 * @throws QkvError "file" where there is no such folder, or it is no run's
 */
export async function readRun(folder: string): Promise<StoredRun> {
  await checkFolder(folder);
  const logText = await readText(join(folder, logName));
  if (logText === undefined && (await readText(join(folder, "recipe.json"))) === undefined) {
    throw new QkvError(
      "file",
      `${folder}: is no run's folder, since it holds neither ${logName} nor recipe.json; ` +
        "name the folder that qkv train wrote to (--out)",
    );
  }
  const log = parseLog(logText ?? "", join(folder, logName));
  const journal = parseJournal((await readText(join(folder, journalName))) ?? "", join(folder, journalName));
  return {
    folder,
    name: basename(resolve(folder)),
    ...(await readUnmeasured(folder)),
    records: log.records,
    journal: journal.records,
    problems: [...log.problems, ...journal.problems],
    isAlive: isAlive(journal.records),
  };
}

/** What a run's folder tells besides what was measured and what happened. */
export async function readUnmeasured(
  folder: string,
): Promise<Pick<StoredRun, "recipe" | "state" | "data" | "model">> {
  return {
    recipe: await readJson(join(folder, "recipe.json")),
    state: await readState(folder),
    data: await readDataSizes(join(folder, "data")),
    model: await readModelSize(join(folder, "model.safetensors")),
  };
}

/**
 * The same for what is made of measurements.
 * @throws QkvError "data" where nothing has been measured yet
 */
export async function readMeasuredRun(folder: string): Promise<StoredRun> {
  const run = await readRun(folder);
  if (run.records.length > 0) return run;
  const got = run.problems.length > 0 ? `${run.problems.length} lines that cannot be read` : "nothing";
  throw new QkvError(
    "data",
    `${join(folder, logName)}: must hold what was measured; got ${got}; train for logging_steps steps first`,
  );
}

async function checkFolder(folder: string): Promise<void> {
  try {
    if ((await stat(folder)).isDirectory()) return;
  } catch (error) {
    throw fileError(folder, "cannot read", error);
  }
  throw new QkvError("file", `${folder}: a run is a folder; got a file; name the folder`);
}

/** Whether the process of the last session still runs. */
export function isAlive(journal: StoredRun["journal"]): boolean {
  const session = journal.findLast(({ type }) => type === "session");
  if (session?.type !== "session") return false;
  try {
    process.kill(session.process, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

async function readState(folder: string): Promise<StoredState | undefined> {
  const last = (await listCheckpointSteps(folder)).at(-1);
  if (last === undefined) return undefined;
  const state = await readJson(join(folder, "checkpoints", `step-${last}`, "state.json"));
  if (typeof state !== "object" || state === null) return undefined;
  const { engine, threads } = state as Readonly<Record<string, unknown>>;
  return typeof engine === "string" && typeof threads === "number" ? { engine, threads } : undefined;
}

/** What each part of the data holds, by its header: what preparing it found, or else how much it came to. */
async function readDataSizes(folder: string): Promise<DataSize[]> {
  const names = (await readdir(folder).catch(() => [] as string[])).sort();
  const sizes: DataSize[] = [];
  for (const name of names) {
    const header = await readJson(join(folder, name, "header.json")).catch(() => undefined);
    const { report, examples, columns } = asObject(header);
    const found = numbersIn(report).filter(([what]) => !what.startsWith("max"));
    const columnSizes = Object.entries(asObject(columns)).flatMap(([column, value]) =>
      numbersIn({ [`numbers in ${column}`]: asObject(value).numbers }),
    );
    const counts = found.length > 0 ? found : [...numbersIn({ examples }), ...columnSizes];
    if (counts.length > 0) sizes.push({ name, counts });
  }
  return sizes;
}

function numbersIn(value: unknown): [name: string, value: number][] {
  return Object.entries(asObject(value)).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  );
}

async function readModelSize(path: string): Promise<ModelSize | undefined> {
  try {
    const { tensors } = await readSafetensorsHeader(path);
    const all = [...tensors.values()];
    return {
      tensors: all.length,
      dtypes: [...new Set(all.map(({ dtype }) => dtype))],
      numbers: all.reduce((sum, { shape }) => sum + shape.reduce((left, right) => left * right, 1), 0),
      bytes: all.reduce((sum, { byteLength }) => sum + byteLength, 0),
    };
  } catch {
    // No model yet, or one in several files: its size is left out.
    return undefined;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw fileError(path, "cannot read", error);
  }
}

async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new QkvError("file", `${path}: is not valid JSON (${(error as Error).message})`, { cause: error });
  }
}
