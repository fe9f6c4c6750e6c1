/** The models that a recipe names: what it goes on from, whose vocabulary it takes, and who teaches. */
import { resolve } from "node:path";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import { findModel, kindOf } from "./shipped.ts";

/** Their folders, found. */
export interface ModelFolders {
  readonly from: string | undefined;
  readonly tokenizer: string | undefined;
  readonly teacher: string | undefined;
}

/**
 * @param options - the folder of the data, which names may be relative to; whether a run goes on; and folders that are
 *   not looked for, since they are yet to come
 * @throws QkvError "file" where there is no such model, here or on the hub
 */
export async function modelFoldersOf({
  recipe,
  dataFolder,
  resume,
  later = [],
}: {
  readonly recipe: ModelRecipe;
  readonly dataFolder: string;
  readonly resume: boolean;
  readonly later?: readonly string[];
}): Promise<ModelFolders> {
  const isToCome = (name: string) => later.some((folder) => name === folder || name.startsWith(`${folder}/`));
  const place = async (name: string | undefined, isNeeded = true) =>
    name === undefined || !isNeeded || isToCome(name) ? undefined : await folderOf(name, dataFolder);
  // A run that goes on has all of its model, but for the weights under its adapters.
  const begins = !resume || recipe.training.peft !== null;
  return {
    from: await place(recipe.model.from, begins),
    tokenizer: await place(recipe.tokenizer.from, begins),
    teacher: await place(recipe.teacher?.from),
  };
}

/** A folder that a recipe names: relative to the data, to where the command runs, or a shipped model's name. */
async function folderOf(name: string, dataFolder: string): Promise<string> {
  const beside = resolve(dataFolder, name);
  return (await kindOf(beside)) === "folder" ? beside : await findModel(name);
}
