/**
 * The cache that all tools for the hub share, in its standard layout:
 *
 *     models--ORGANISATION--NAME/
 *       blobs/HASH                     the content of files
 *       refs/main                      the commit that a branch or tag meant when it was asked last
 *       snapshots/COMMIT/config.json   a link to ../../blobs/HASH; a copy where there are no links
 *       .no_exist/COMMIT/vocab.txt     empty: the repository has no such file
 */
import {
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { threadId } from "node:worker_threads";
import { writeFileAtomically } from "../../../util/node/atomic-file.ts";
import { errorCode, fileError } from "../../../util/node/file-error.ts";
import { type HubName, isCommit } from "../../hub-name.ts";
import { indexFile, shardsOf, singleFile } from "../checkpoint.ts";

/** The files of a model that somebody needs. */
export interface WantedFiles {
  /** Those that are taken where the repository has them. */
  readonly files: readonly string[];
  /** Whether the weights are needed too. */
  readonly weights: boolean;
}

let count = 0;

/** What the cache has of one model. */
export class CachedModel {
  readonly folder: string;

  constructor(cacheFolder: string, repository: string) {
    this.folder = join(cacheFolder, `models--${repository.replaceAll("/", "--")}`);
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  blob(hash: string): string {
    return join(this.folder, "blobs", hash);
  }

  /** The commit of a revision as it was when it was asked last; undefined where it never was. */
  async commitOf({ revision }: HubName): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const path = join(this.folder, "refs", revision);
    const text = await readFile(path, "utf8").catch((cause: unknown) => {
      if (["ENOENT", "ENOTDIR", "EISDIR"].includes(errorCode(cause) ?? "")) return "";
      throw fileError(path, "cannot read", cause);
    });
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  /** To be written when the snapshot is complete, so that no revision means one that is not there. */
  async setCommit(revision: string, commit: string): Promise<void> {
    if (isCommit(revision)) return;
    const path = join(this.folder, "refs", revision);
    await this.#makeFolder(dirname(path));
    await writeFileAtomically(path, commit);
  }

  async has(commit: string, file: string): Promise<boolean> {
    return await isThere(join(this.snapshot(commit), file));
  }

  /** Whether everything that is wanted and that the repository has is there. */
  async isComplete(commit: string, { files, weights }: WantedFiles): Promise<boolean> {
    for (const file of files) {
      const known = (await this.has(commit, file)) || (await isThere(this.#absence(commit, file)));
      if (!known) return false;
    }
    return !weights || (await this.#hasWeights(commit));
  }

  /**
   * Whether what is there will do where no hub can be asked: other tools leave files out, and do not always note which
   * of them the repository lacks.
   */
  async isUsable(commit: string, { files, weights }: WantedFiles): Promise<boolean> {
    if (weights) return (await this.has(commit, "config.json")) && (await this.#hasWeights(commit));
    for (const file of files) if (await this.has(commit, file)) return true;
    return false;
  }

  async #hasWeights(commit: string): Promise<boolean> {
    if (await this.has(commit, singleFile)) return true;
    if (!(await this.has(commit, indexFile))) return false;
    const shards = await shardsOf(join(this.snapshot(commit), indexFile));
    for (const shard of shards) if (!(await this.has(commit, shard))) return false;
    return true;
  }

  /** Makes the folders of a snapshot. */
  async prepare(commit: string): Promise<void> {
    await this.#makeFolder(join(this.folder, "blobs"));
    await this.#makeFolder(join(this.folder, "refs"));
    await this.#makeFolder(this.snapshot(commit));
  }

  /** Notes that the repository has no such file at this commit. */
  async markAbsent(commit: string, file: string): Promise<void> {
    const path = this.#absence(commit, file);
    if (await isThere(path)) return;
    await this.#makeFolder(dirname(path));
    await writeFile(path, "");
  }

  /** Puts a blob into a snapshot under the file's name: as a link, or a copy where the system has no links. */
  async addToSnapshot(commit: string, file: string, hash: string): Promise<void> {
    if (await this.has(commit, file)) return;
    const path = join(this.snapshot(commit), file);
    const blob = this.blob(hash);
    // Made beside and renamed, since another process may do the same, or a link may lead nowhere.
    const temporary = join(this.snapshot(commit), `.${file}.${process.pid}-${threadId}-${count++}.partial`);
    try {
      await symlink(relative(dirname(path), blob), temporary).catch(async (cause: unknown) => {
        if (
          !["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "UNKNOWN"].includes(errorCode(cause) ?? "")
        ) {
          throw cause;
        }
        await copyFile(blob, temporary);
      });
      await rename(temporary, path);
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => {});
      throw fileError(path, "cannot put it into the cache", cause);
    }
  }

  #absence(commit: string, file: string): string {
    return join(this.folder, ".no_exist", commit, file);
  }

  async #makeFolder(path: string): Promise<void> {
    await mkdir(path, { recursive: true }).catch((cause: unknown) => {
      throw fileError(path, "cannot make the folder (HF_HUB_CACHE decides where it is)", cause);
    });
  }
}

/** Whether a file is there, at the end of links. */
async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (cause: unknown) => {
      if (["ENOENT", "ENOTDIR"].includes(errorCode(cause) ?? "")) return false;
      throw fileError(path, "cannot read", cause);
    },
  );
}

/** A model in the cache. */
export interface CachedModelInfo {
  readonly name: string;
  readonly folder: string;
  /** On the disk, each content once, unfinished downloads too. */
  readonly bytes: number;
  readonly snapshots: readonly CachedSnapshot[];
}

export interface CachedSnapshot {
  readonly commit: string;
  /** The branches and tags that meant it when they were asked last. */
  readonly revisions: readonly string[];
  readonly folder: string;
}

/** The models in a cache, by name; none where there is no such folder. */
export async function listCachedModels(cacheFolder: string): Promise<CachedModelInfo[]> {
  const models: CachedModelInfo[] = [];
  for (const entry of (await namesIn(cacheFolder)).sort()) {
    const parts = /^models--(.+)$/.exec(entry)?.[1];
    if (parts === undefined) continue;
    const name = parts.replace("--", "/");
    const { folder } = new CachedModel(cacheFolder, name);
    const commits = (await namesIn(join(folder, "snapshots"))).filter(isCommit);
    const revisions = await revisionsIn(join(folder, "refs"));
    models.push({
      name,
      folder,
      bytes: await sizeOf(folder),
      snapshots: commits.sort().map((commit) => ({
        commit,
        revisions: revisions
          .filter((revision) => revision.commit === commit)
          .map((revision) => revision.name),
        folder: join(folder, "snapshots", commit),
      })),
    });
  }
  return models;
}

/** Removes a model with all its revisions. Returns the bytes that it took, or undefined where it is not there. */
export async function removeCachedModel(
  cacheFolder: string,
  repository: string,
): Promise<number | undefined> {
  const { folder } = new CachedModel(cacheFolder, repository);
  if (!(await isThere(folder))) return undefined;
  const bytes = await sizeOf(folder);
  try {
    await rm(folder, { recursive: true });
  } catch (cause) {
    throw fileError(folder, "cannot remove it", cause);
  }
  return bytes;
}

async function revisionsIn(folder: string): Promise<{ name: string; commit: string }[]> {
  const revisions: { name: string; commit: string }[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(ifMissing)) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).replaceAll("\\", "/");
    revisions.push({ name, commit: (await readFile(path, "utf8")).trim() });
  }
  return revisions.sort((left, right) => (left.name < right.name ? -1 : 1));
}

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(ifMissing);
}

/** For `catch`: no names where a folder is missing. */
function ifMissing(cause: unknown): never[] {
  if (["ENOENT", "ENOTDIR"].includes(errorCode(cause) ?? "")) return [];
  throw cause;
}
