/**
 * Files and folders that are there either whole or not at all, whenever the program or the machine stops. New
 * content is written beside the old, in the same folder, brought to the disk (fsync), and takes the final
 * name by a rename.
 *
 * What a killed program leaves is recognised by its name, `.NAME.PROCESS-THREAD-COUNT.partial` (content that
 * was being written) or `.previous` (a folder that was being replaced), and cleared up by `removeLeftovers`.
 */
import { lstat, mkdir, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { threadId } from "node:worker_threads";
import { QkvError } from "../errors.ts";
import { errorCode, fileError } from "./file-error.ts";

type Purpose = "partial" | "previous";

const leftoverName = /^\.(?<name>.+)\.(?<process>\d+)-\d+-\d+\.(?<purpose>partial|previous)$/s;

/** After this time without a change, in milliseconds, nobody is writing any more. */
const abandonedAfter = 60 * 60 * 1000;

let count = 0;

/** A name beside `path` that no other thread or running process uses. */
function nameBeside(path: string, purpose: Purpose): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${threadId}-${count++}.${purpose}`);
}

/**
 * Writes a file so that `path` has either its old content or all of the new, also after a power cut.
 * A link is followed: the file that it names is replaced, the link stays.
 * @param data - the content, whole or in pieces; where making a piece fails, nothing is written
 * @throws QkvError `file` where it cannot be written; the old file is untouched then
 */
export async function writeFileAtomically(
  path: string,
  data: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  let temporary: string | undefined;
  try {
    const { target, mode } = await replaceableFile(path);
    temporary = nameBeside(target, "partial");
    const file = await open(temporary, "w", mode);
    try {
      if (typeof data === "string" || data instanceof Uint8Array) await file.writeFile(data);
      else for await (const piece of data) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
    await syncFolder(dirname(target));
  } catch (cause) {
    if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(path, "cannot write", cause);
  }
}

/** The file that writing to `path` would replace, and the mode it has or shall have. */
async function replaceableFile(path: string): Promise<{ target: string; mode: number }> {
  const absolute = resolve(path);
  const found = await lstat(absolute).catch(ifMissing);
  if (found === undefined) return { target: absolute, mode: 0o666 };
  const target = found.isSymbolicLink() ? await realpath(absolute) : absolute;
  const status = await stat(target);
  if (!status.isFile()) {
    const what = status.isDirectory() ? "a folder" : "a device or pipe";
    throw new QkvError(
      "file",
      `${path}: must be a file, to be replaced as a whole; got ${what}; choose another path`,
    );
  }
  return { target, mode: status.mode & 0o777 };
}

/**
 * Makes an empty folder beside `final`, to be filled and given to `replaceFolderAtomically`.
 * The folders above it are made too where they are missing.
 */
export async function createTemporaryFolder(final: string): Promise<string> {
  const temporary = nameBeside(resolve(final), "partial");
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
  } catch (cause) {
    throw fileError(final, "cannot make a folder beside it", cause);
  }
  return temporary;
}

/**
 * Puts a finished folder in the place of `final`, whether or not that exists. Both must lie on one file
 * system.
 *
 * A folder cannot be replaced by one rename. Where `final` exists it is moved aside first; if the program
 * dies before the second rename, `removeLeftovers` moves it back. So call that before looking for `final`.
 */
export async function replaceFolderAtomically(temporary: string, final: string): Promise<void> {
  const target = resolve(final);
  try {
    await syncTree(temporary);
    const found = await lstat(target).catch(ifMissing);
    if (found?.isFile()) {
      throw new QkvError(
        "file",
        `${final}: must be a folder, to be replaced; got a file; choose another path`,
      );
    }
    const previous = nameBeside(target, "previous");
    if (found !== undefined) await rename(target, previous);
    try {
      await rename(temporary, target);
    } catch (cause) {
      if (found !== undefined) await rename(previous, target);
      throw cause;
    }
    await syncFolder(dirname(target));
    if (found !== undefined) await rm(previous, { recursive: true, force: true });
  } catch (cause) {
    throw fileError(final, "cannot put the finished folder in place", cause);
  }
}

/**
 * Clears what killed programs have left in a folder: unfinished content is deleted, and a folder that was
 * moved aside while its successor never came is moved back. What a running process is writing stays.
 * @returns the names of what was removed or moved back; none where the folder does not exist
 */
export async function removeLeftovers(folder: string): Promise<string[]> {
  const cleared: string[] = [];
  try {
    for (const entry of (await readdir(folder).catch(ifMissing)) ?? []) {
      const { name, process: writer, purpose } = leftoverName.exec(entry)?.groups ?? {};
      if (name === undefined) continue;
      const path = join(folder, entry);
      if (await isBeingWritten(path, Number(writer))) continue;
      const successor = join(folder, name);
      if (purpose === "previous" && (await lstat(successor).catch(ifMissing)) === undefined) {
        await rename(path, successor);
      } else {
        await rm(path, { recursive: true, force: true });
      }
      cleared.push(entry);
    }
  } catch (cause) {
    throw fileError(folder, "cannot clear what an earlier run left", cause);
  }
  return cleared;
}

/**
 * Whether the process that a leftover is named after may still be at work. Numbers of processes are used
 * again, in containers at every start, so a running process of that number is not enough.
 * @param writer - the process's number
 * @param longestPause - milliseconds without a change after which nobody is writing any more
 */
export async function isBeingWritten(
  path: string,
  writer: number,
  longestPause = abandonedAfter,
): Promise<boolean> {
  const status = await lstat(path).catch(ifMissing);
  if (status === undefined) return true;
  // The time of the last change of name or content: a folder that is moved aside keeps its other times.
  const age = Date.now() - status.ctimeMs;
  if (writer === process.pid && age >= process.uptime() * 1000) return false;
  return age < longestPause && isRunning(writer);
}

/** Whether there is a process of this number. */
export function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (cause) {
    return errorCode(cause) === "EPERM";
  }
}

/** Brings a folder and everything in it to the disk. */
async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncFile(path);
  }
  await syncFolder(folder);
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Brings the names in a folder to the disk. Windows has no such call and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform !== "win32") await syncFile(folder);
}

/** For `catch`: nothing where a file or folder is missing. */
function ifMissing(cause: unknown): undefined {
  if (errorCode(cause) !== "ENOENT") throw cause;
}
