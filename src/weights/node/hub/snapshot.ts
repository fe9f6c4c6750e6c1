/** A model of a hub as a folder: found in the cache or brought there. */
import { join } from "node:path";
import { QkvError } from "../../../util/errors.ts";
import { type HubName, isCommit } from "../../hub-name.ts";
import { indexFile, noWeights, shardsOf, singleFile } from "../checkpoint.ts";
import { CachedModel, type WantedFiles } from "./cache.ts";
import { HubClient, type HubFile } from "./client.ts";
import { downloadBlob } from "./download-blob.ts";
import type { HubOptions, HubSettings } from "./settings.ts";

/** Files that are downloaded at the same time. */
const downloadsAtOnce = 4;

/** A model at a commit: a folder, or what is needed to fill it. */
export interface LocatedSnapshot {
  readonly commit: string;
  /** Brings what is missing, and returns the folder. */
  fetch(): Promise<string>;
}

/**
 * Finds out which commit a revision means. A commit that is in the cache, whole, needs no server; neither does
 * anything where a hub cannot be reached and the cache has what the revision meant the last time, which is told.
 * @throws QkvError where there is no such model or revision, or it is neither in the cache nor can the hub be asked
 */
export async function locateSnapshot(
  name: HubName,
  wanted: WantedFiles,
  settings: HubSettings,
  options: Pick<HubOptions, "signal" | "onProgress" | "onNotice"> = {},
): Promise<LocatedSnapshot> {
  const cached = new CachedModel(settings.cacheFolder, name.repository);
  const known = await cached.commitOf(name);
  const there = (commit: string): LocatedSnapshot => ({
    commit,
    fetch: async () => cached.snapshot(commit),
  });
  if (known !== undefined && isCommit(name.revision) && (await cached.isComplete(known, wanted))) {
    return there(known);
  }
  const isUsable = known !== undefined && (await cached.isUsable(known, wanted));
  if (settings.isOffline) {
    if (isUsable) return there(known);
    throw notCached(name, settings);
  }

  const { onNotice = (notice) => process.emitWarning(notice), signal } = options;
  const client = new HubClient(name, settings, signal);
  let commit: string;
  try {
    commit = await client.resolveCommit();
  } catch (error) {
    if (!(isUsable && error instanceof QkvError && error.code === "network")) throw error;
    onNotice(`${error.message}; ${name.repository} comes from the cache`);
    return there(known);
  }
  return {
    commit,
    async fetch() {
      if (!(await cached.isComplete(commit, wanted))) {
        await fetchFiles(client, cached, commit, wanted, { ...options, onNotice });
      }
      if (commit !== known) await cached.setCommit(name.revision, commit);
      return cached.snapshot(commit);
    },
  };
}

function notCached({ repository, revision }: HubName, { cacheFolder }: HubSettings): QkvError {
  return new QkvError(
    "file",
    `${repository}: is not in the cache ${cacheFolder} with all files at "${revision}", and work is offline; ` +
      "download it first (qkv download), or leave HF_HUB_OFFLINE and --offline out",
  );
}

async function fetchFiles(
  client: HubClient,
  cached: CachedModel,
  commit: string,
  wanted: WantedFiles,
  options: FetchOptions,
): Promise<void> {
  const { repository } = client.name;
  const listed = await client.listFiles(commit);
  const weights = wanted.weights ? weightsOf(repository, listed) : [];
  await cached.prepare(commit);
  const files = [...wanted.files, ...weights];
  await fetchTogether(client, cached, commit, chosen(files, listed), options);
  if (weights.includes(indexFile)) {
    const shards = await shardsOf(join(cached.snapshot(commit), indexFile));
    const lost = shards.find((shard) => !listed.has(shard));
    if (lost !== undefined) {
      throw new QkvError(
        "file",
        `${repository}: the files that ${indexFile} names must be there; got none named ${lost}; ` +
          "tell its authors, or take another revision",
      );
    }
    await fetchTogether(client, cached, commit, chosen(shards, listed), options);
  }
  for (const file of wanted.files) if (!listed.has(file)) await cached.markAbsent(commit, file);
}

function chosen(names: readonly string[], listed: ReadonlyMap<string, HubFile>): HubFile[] {
  return names.flatMap((name) => listed.get(name) ?? []);
}

/** The file with a repository's weights, or the index of several. @throws QkvError where it has none that can be read */
function weightsOf(repository: string, listed: ReadonlyMap<string, HubFile>): string[] {
  if (!listed.has("config.json")) {
    throw new QkvError("file", `${repository}: is no model that qkv can open, since it holds no config.json`);
  }
  const weights = [singleFile, indexFile].find((name) => listed.has(name));
  if (weights === undefined) throw noWeights(repository, [...listed.keys()]);
  return [weights];
}

type FetchOptions = Pick<HubOptions, "signal" | "onProgress"> & Required<Pick<HubOptions, "onNotice">>;

/** Downloads files, some at the same time. The first that fails stops the others, whose parts are kept. */
async function fetchTogether(
  client: HubClient,
  cached: CachedModel,
  commit: string,
  files: readonly HubFile[],
  { signal, onProgress, onNotice }: FetchOptions,
): Promise<void> {
  // The same content under several names is one blob.
  const missing = new Map<string, HubFile[]>();
  for (const file of files) {
    if (await cached.has(commit, file.name)) continue;
    missing.set(file.hash, [...(missing.get(file.hash) ?? []), file]);
  }
  const failed = new AbortController();
  const stop = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const queue = [...missing.values()];
  const totalBytes = queue.reduce((sum, [file]) => sum + file!.bytes, 0);
  let bytes = 0;
  const onBytes = (more: number) => {
    bytes += more;
    onProgress?.({ model: client.name.repository, bytes, totalBytes });
  };
  const work = async () => {
    for (let same = queue.shift(); same !== undefined; same = queue.shift()) {
      if (stop.aborted) return;
      const [file] = same as [HubFile];
      const path = cached.blob(file.hash);
      await downloadBlob(file, { client, revision: commit, path, signal: stop, onBytes, onNotice });
      for (const { name, hash } of same) await cached.addToSnapshot(commit, name, hash);
    }
  };
  let failure: unknown;
  const workers = Array.from({ length: downloadsAtOnce }, async () => {
    await work().catch((error: unknown) => {
      failure ??= error;
      failed.abort(error);
    });
  });
  await Promise.all(workers);
  if (failure !== undefined) throw failure;
  client.throwIfStopped();
}
