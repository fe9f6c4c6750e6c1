import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { errorCode, fileError } from "../../util/node/file-error.ts";
import type { HubOptions } from "../../weights/node/hub/settings.ts";
import { fromHub, type ModelPart } from "./hub-models.ts";

/** The package's folder, seen from src/tasks/node and dist/tasks/node alike. */
const packageFolder = fileURLToPath(new URL("../../../", import.meta.url));
const recipesFolder = join(packageFolder, "recipes");

const modelsFolder = join(packageFolder, "models");

/** The shipped model that is used where none is named. */
export const defaultModel = "tatoeba-en-de";

/** The shipped models that tasks use where none is named. */
const defaultModels: Readonly<Record<string, string>> = {
  translation: defaultModel,
  "text-generation": "shakespeare-gpt",
};

/** The shipped model of a task, where there is one. @param task - such as "translation_en_to_de" */
export function defaultModelOf(task: string): string | undefined {
  return defaultModels[task.replace(/_.*$/, "")];
}

/** A recipe's JSON as it is in its file, not yet checked. */
export interface RecipeFile {
  /** Of a shipped recipe its name. */
  readonly name: string | undefined;
  readonly path: string;
  readonly json: unknown;
}

/** The shipped recipes, by name. */
export async function listShippedRecipes(): Promise<RecipeFile[]> {
  return await Promise.all(
    (await shippedNames("recipe.json")).map((name) => readShipped(name, "recipe.json")),
  );
}

/** The shipped experiments, by name. */
export async function listShippedExperiments(): Promise<RecipeFile[]> {
  const file = "experiment.json";
  return await Promise.all((await shippedNames(file)).map((name) => readShipped(name, file)));
}

/** The folders of recipes that have such a file. */
async function shippedNames(file: string): Promise<string[]> {
  const names = (await readdir(recipesFolder)).sort();
  const kinds = await Promise.all(names.map((name) => kindOf(join(recipesFolder, name, file))));
  return names.filter((_, index) => kinds[index] === "file");
}

async function readShipped(name: string, file: string): Promise<RecipeFile> {
  const path = join(recipesFolder, name, file);
  return { name, path, json: await readJsonFile(path) };
}

/**
 * Finds a recipe: the name of a shipped one, a folder with a `recipe.json`, or a file.
 * @throws QkvError "file" where there is none, with the nearest shipped name
 */
export async function findRecipe(recipe: string): Promise<RecipeFile> {
  return await findDescription(recipe, "recipe");
}

/** Finds an experiment: the name of a shipped one, a folder with an `experiment.json`, or a file. */
export async function findExperiment(experiment: string): Promise<RecipeFile> {
  return await findDescription(experiment, "experiment");
}

async function findDescription(wanted: string, kind: "recipe" | "experiment"): Promise<RecipeFile> {
  const file = `${kind}.json`;
  const names = await shippedNames(file);
  if (names.includes(wanted)) return await readShipped(wanted, file);
  const found = await kindOf(wanted);
  if (found === undefined) {
    throw new QkvError(
      "file",
      `${kind}: must be one of ${names.join(", ")}, or a file or folder; got "${wanted}"${didYouMean(wanted, names)}`,
    );
  }
  const path = found === "folder" ? join(wanted, file) : wanted;
  return { name: undefined, path, json: await readJsonFile(path) };
}

/** A JSON file's content. @throws QkvError "file" where it cannot be read or is not JSON */
export async function readJsonFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw fileError(path, "cannot read", error);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new QkvError("file", `${path}: is not valid JSON (${(error as Error).message})`, { cause: error });
  }
}

/**
 * A folder by its path, by its name among the shipped models, or by its name on the hub, from where it is downloaded.
 * @param part - what of it is needed
 * @throws QkvError "file" where there is no such folder and no such model, "network" where it does not come whole
 */
export async function findFolder(
  model: string,
  hub: HubOptions = {},
  part: ModelPart = "model",
): Promise<string> {
  const kind = await kindOf(model);
  if (kind === "folder") return model;
  if (kind === "file") {
    const wayOut = isModelFile(model) ? `; name its folder, "${dirname(model)}"` : "";
    throw new QkvError("file", `${model}: a model is a folder; got a file${wayOut}`);
  }
  if ((await shippedModels()).includes(model)) return join(modelsFolder, model);
  if (Object.values(defaultModels).includes(model)) throw notShipped(model);
  return await fromHub(model, part, await missingFolder(model), hub);
}

/** The beginning of the sentence that there is no such folder, with the nearest name of a shipped model. */
export async function missingFolder(model: string): Promise<string> {
  return `model: there is no folder "${model}"${didYouMean(model, await shippedModels())}`;
}

async function shippedModels(): Promise<string[]> {
  return await readdir(modelsFolder).catch(() => []);
}

/**
 * The folder of a model.
 * @param model - a folder, the name of a shipped model, or a name on the hub
 * @throws QkvError "file" where there is no such folder, or it holds no model
 */
export async function findModel(model: string = defaultModel, hub: HubOptions = {}): Promise<string> {
  const folder = await findFolder(model, hub);
  if ((await kindOf(join(folder, "config.json"))) !== undefined) return folder;
  if (folder === join(modelsFolder, model)) throw notShipped(model);
  if (await holdsTraining(folder)) {
    throw new QkvError(
      "file",
      `${folder}: the training there has not written a model yet (the first comes with the first validation); ` +
        `go on with qkv train --out ${folder} --resume`,
    );
  }
  throw new QkvError(
    "file",
    `${folder}: is no model folder, since it holds no config.json; name the folder that a training wrote`,
  );
}

/** Whether a training was begun in a folder; recipes lie in folders too, but without a `run.json`. */
async function holdsTraining(folder: string): Promise<boolean> {
  const kinds = await Promise.all(["checkpoints", "run.json"].map((name) => kindOf(join(folder, name))));
  return kinds.some((kind) => kind !== undefined);
}

function notShipped(model: string): QkvError {
  return new QkvError(
    "file",
    `${join(modelsFolder, model)}: the shipped model is not there; this copy of qkv came without it; ` +
      "name a model of your own",
  );
}

const isModelFile = (path: string): boolean => /[\\/](model\.safetensors|config\.json)$/.test(path);

/** What lies at a path, if anything does. */
export async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  try {
    return (await stat(path)).isDirectory() ? "folder" : "file";
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) return undefined;
    throw fileError(path, "cannot read", error);
  }
}
