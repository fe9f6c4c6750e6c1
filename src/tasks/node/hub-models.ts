/** Models that are named as on a hub: which of their files are needed, and where these lie on the disk. */
import { tokenizerFileNames } from "../../tokenizers/files/folder.ts";
import { QkvError } from "../../util/errors.ts";
import { parseHubName, readHubName } from "../../weights/hub-name.ts";
import type { WantedFiles } from "../../weights/node/hub/cache.ts";
import { type HubOptions, hubOptionNames, hubSettings } from "../../weights/node/hub/settings.ts";
import { type LocatedSnapshot, locateSnapshot } from "../../weights/node/hub/snapshot.ts";

/** What of a model is needed. */
export type ModelPart = "model" | "tokenizer";

const tokenizerFiles = [...tokenizerFileNames, "source_tokenizer.json", "target_tokenizer.json"];

const wantedFiles: { readonly [Part in ModelPart]: WantedFiles } = {
  model: { files: ["config.json", "generation_config.json", ...tokenizerFiles], weights: true },
  tokenizer: { files: tokenizerFiles, weights: false },
};

/**
 * Brings a model into the cache, unless it is there, and returns its folder. What qkv cannot use is left out, such as
 * weights in other formats.
 * @param model - `organisation/name`, maybe with `@` and a revision
 * @throws QkvError where there is no such model, it may not be read, or it does not come whole
 */
export async function downloadModel(model: string, options: HubOptions = {}): Promise<string> {
  return await (await locate(model, "model", options)).fetch();
}

/**
 * The folder of what is no folder here, but may be a model's name on the hub.
 * @param missing - the beginning of the sentence that there is no such folder
 */
export async function fromHub(
  model: string,
  part: ModelPart,
  missing: string,
  options: HubOptions,
): Promise<string> {
  if (parseHubName(model) === undefined) throw new QkvError("file", `${missing}; check the path`);
  let located: LocatedSnapshot;
  try {
    located = await locate(model, part, options);
  } catch (cause) {
    if (!(cause instanceof QkvError) || cause.code === "interrupted" || cause.code === "option") throw cause;
    // Whoever mistyped a path and whoever meant a model of the hub are both told what they can do.
    const asName = `as a name on the hub${cause.code === "network" ? " it could not be looked up" : ""}`;
    throw new QkvError("file", `${missing}; check the path (${asName}: ${cause.message})`, { cause });
  }
  return await located.fetch();
}

async function locate(model: string, part: ModelPart, options: HubOptions): Promise<LocatedSnapshot> {
  const name = readHubName(model, options.revision);
  return await locateSnapshot(name, wantedFiles[part], await hubSettings(options), options);
}

/** Divides options into those of the hub and the others. */
export function splitHubOptions<Options extends HubOptions>(
  options: Options,
): { hub: HubOptions; others: Omit<Options, keyof HubOptions> } {
  const isOfHub = ([name]: [string, unknown]) => (hubOptionNames as readonly string[]).includes(name);
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return {
    hub: Object.fromEntries(entries.filter(isOfHub)),
    others: Object.fromEntries(entries.filter((entry) => !isOfHub(entry))) as Omit<Options, keyof HubOptions>,
  };
}
