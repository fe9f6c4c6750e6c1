/**
 * Content that is not all there yet. It lies beside the finished blobs as `HASH.OWNER.incomplete`, where the owner is
 * the `PROCESS-THREAD-COUNT` that writes it, or `free`. Who wants to go on with it takes it by renaming it, which
 * only one can do; who finds another at work waits. Other tools have `HASH.incomplete`, which stays theirs.
 */
import { type FileHandle, lstat, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { threadId } from "node:worker_threads";
import { isBeingWritten } from "../../../util/node/atomic-file.ts";
import { errorCode } from "../../../util/node/file-error.ts";

/** After this time without a sign of life, in milliseconds, an owner counts as gone. */
const longestPause = 60_000;
/** The owner gives that sign as often as this, in milliseconds. */
const betweenSigns = 15_000;

let count = 0;

/** A file that is this thread's to write until it becomes the blob or is released. */
export interface PartialFile {
  readonly file: FileHandle;
  /** Brings the content to the disk and gives it the blob's name. False where the file was taken by another. */
  finish(): Promise<boolean>;
  /** Leaves what is there for whoever comes next. */
  release(): Promise<void>;
}

/**
 * Takes up the content of a blob where somebody left it, or begins it.
 * @param signal - ends the wait for another process that is at work on it
 * @param onWait - told once, where there is such a wait
 * @returns undefined where the blob is there, or has come while this waited
 */
export async function takePartial(
  blob: string,
  signal: AbortSignal,
  onWait: () => void,
): Promise<PartialFile | undefined> {
  for (let isWaiting = false; ; ) {
    signal.throwIfAborted();
    if (await exists(blob)) return undefined;
    const { busy, free } = await partialsOf(blob);
    if (busy.length === 0) {
      const own = `${blob}.${process.pid}-${threadId}-${count++}.incomplete`;
      const isOwn = await takeOrCreate(free, own);
      // Another may have looked at the same moment: then both step back for a while of their own.
      if (isOwn && (await partialsOf(blob)).busy.every((path) => path === own)) {
        return await hold(blob, own);
      }
      if (isOwn) await setFree(blob, own);
    } else if (!isWaiting) {
      isWaiting = true;
      onWait();
    }
    await sleep(50 + 150 * Math.random());
  }
}

async function takeOrCreate(free: readonly string[], own: string): Promise<boolean> {
  const sizes = await Promise.all(free.map(async (path) => (await stat(path).catch(ifMissing))?.size ?? -1));
  const largest = free[sizes.indexOf(Math.max(...sizes))];
  if (largest === undefined) await (await open(own, "wx")).close();
  else if (!(await rename(largest, own).then(() => true, ifMissing))) return false;
  for (const path of free) if (path !== largest) await rm(path, { force: true });
  return true;
}

async function hold(blob: string, own: string): Promise<PartialFile> {
  const file = await open(own, "r+");
  const sign = setInterval(() => void file.utimes(new Date(), new Date()).catch(() => {}), betweenSigns);
  sign.unref();
  const close = async () => {
    clearInterval(sign);
    await file.close();
  };
  return {
    file,
    async finish() {
      await file.sync();
      await close();
      try {
        await rename(own, blob);
        return true;
      } catch (cause) {
        // Windows replaces no file that somebody has open; it has the same content.
        if (await exists(blob)) await rm(own, { force: true });
        else if (errorCode(cause) === "ENOENT") return false;
        else throw cause;
        return true;
      }
    },
    async release() {
      await close();
      await setFree(blob, own);
    },
  };
}

/** Gives up a file; an empty one is no use to anybody. */
async function setFree(blob: string, own: string): Promise<void> {
  const size = (await stat(own).catch(ifMissing))?.size;
  if (size === undefined) return;
  if (size === 0) await rm(own, { force: true });
  else await rename(own, `${blob}.free.incomplete`).catch(ifMissing);
}

/** The unfinished files of a blob: those that somebody writes, and those that are left. */
async function partialsOf(blob: string): Promise<{ busy: string[]; free: string[] }> {
  const busy: string[] = [];
  const free: string[] = [];
  for (const name of await readdir(dirname(blob))) {
    if (!name.startsWith(`${basename(blob)}.`)) continue;
    const owner = /^\.(?:free|(\d+)-\d+-\d+)\.incomplete$/.exec(name.slice(basename(blob).length));
    if (owner === null) continue;
    const path = join(dirname(blob), name);
    const writer = owner[1];
    if (writer !== undefined && (await isBeingWritten(path, Number(writer), longestPause))) busy.push(path);
    else free.push(path);
  }
  return { busy, free };
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(ifMissing)) !== undefined;
}

/** For `catch`: nothing where a file is missing. */
function ifMissing(cause: unknown): undefined {
  if (errorCode(cause) !== "ENOENT") throw cause;
}
