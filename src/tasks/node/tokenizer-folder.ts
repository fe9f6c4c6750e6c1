import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type TokenizerFileName,
  tokenizerFileNames,
  tokenizersFromFiles,
} from "../../tokenizers/files/folder.ts";
import { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";
import type { HubOptions } from "../../weights/node/hub/settings.ts";
import { findFolder, kindOf, readJsonFile } from "./shipped.ts";

/**
 * Opens a tokenizer.
 * @param place - a `tokenizer.json`, a folder with one or with the older files, the name of a shipped model, or a name
 * on the hub, from where no more than the tokenizer is downloaded
 * @param side - which one, where a model has one for each side. Default: that of what it reads
 * @throws QkvError "file" where there is none, or it is damaged
 */
export async function openTokenizer(
  place: string,
  side: "source" | "target" = "source",
  hub: HubOptions = {},
): Promise<Tokenizer> {
  if ((await kindOf(place)) === "file") return await fromFile(place);
  const folder = await findFolder(place, hub, "tokenizer");
  const own = join(folder, `${side}_tokenizer.json`);
  if ((await kindOf(own)) === "file") return await fromFile(own);
  const files = new Map<TokenizerFileName, Uint8Array>();
  for (const name of tokenizerFileNames) {
    const path = join(folder, name);
    if ((await kindOf(path)) !== "file") continue;
    try {
      files.set(name, await readFile(path));
    } catch (error) {
      throw fileError(path, "cannot read", error);
    }
  }
  if (files.size === 0) {
    throw new QkvError(
      "file",
      `${folder}: holds no tokenizer; name a folder with tokenizer.json, or that file`,
    );
  }
  return tokenizersFromFiles(files, await modelTypeOf(folder))[side];
}

/** What model the folder holds, if it holds one: older files do not say what stands around a text. */
async function modelTypeOf(folder: string): Promise<string | undefined> {
  const path = join(folder, "config.json");
  if ((await kindOf(path)) !== "file") return undefined;
  const { model_type: type } = ((await readJsonFile(path)) ?? {}) as { model_type?: unknown };
  return typeof type === "string" ? type : undefined;
}

async function fromFile(path: string): Promise<Tokenizer> {
  const json = await readJsonFile(path);
  try {
    return Tokenizer.fromJson(json);
  } catch (error) {
    if (!(error instanceof QkvError)) throw error;
    throw new QkvError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}
