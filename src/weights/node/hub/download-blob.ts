/** Brings one file of a repository into the cache: from where it broke off, checked before it gets its name. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { QkvError } from "../../../util/errors.ts";
import { fileError } from "../../../util/node/file-error.ts";
import { type HubClient, type HubFile, repetitions } from "./client.ts";
import { takePartial } from "./partial-file.ts";
import { refusal, secondsToWait } from "./refusals.ts";

export interface BlobTarget {
  readonly client: HubClient;
  /** The commit that the file is asked for at. */
  readonly revision: string;
  /** Where the content shall lie. */
  readonly path: string;
  /** Ends the download when another of the same model has failed. */
  readonly signal: AbortSignal;
  /** Told by how many bytes more (or fewer, where it begins anew) the file is there. */
  readonly onBytes: (bytes: number) => void;
  readonly onNotice: (notice: string) => void;
}

/**
 * Downloads a file, unless it is there. Content of the wrong size or checksum never gets the file's name.
 * @throws QkvError "network" where it does not come whole or is not what the hub promised, "file" where the hub refuses
 * it or the disk does
 */
export async function downloadBlob(file: HubFile, target: BlobTarget): Promise<void> {
  try {
    while (!(await downloadOnce(file, target))) {
      // The unfinished file was taken by a process that thought this one dead: see what came of it.
    }
  } catch (error) {
    target.client.throwIfStopped();
    if (target.signal.aborted) throw target.signal.reason;
    throw fileError(target.path, "cannot keep the download", error);
  }
}

async function downloadOnce(file: HubFile, target: BlobTarget): Promise<boolean> {
  const { path, signal, onNotice, onBytes } = target;
  const partial = await takePartial(path, signal, () =>
    onNotice(`${file.name} is being downloaded by another process; waiting for it`),
  );
  if (partial === undefined) {
    onBytes(file.bytes);
    return true;
  }
  try {
    // What an earlier download has left may be damaged; what has just come whole is not fetched again.
    for (let isFresh = (await partial.file.stat()).size === 0; ; isFresh = true) {
      await receive(file, partial.file, target);
      const wrong = await checksumProblem(file, partial.file);
      if (wrong === undefined) break;
      await startAnew(partial.file, file.bytes, target);
      if (isFresh) throw wrong;
    }
  } catch (error) {
    await partial.release();
    throw error;
  }
  return await partial.finish();
}

/** Completes the file, going on behind what it holds. */
async function receive(file: HubFile, handle: FileHandle, target: BlobTarget): Promise<void> {
  const { client, onBytes } = target;
  let { size: offset } = await handle.stat();
  if (offset > file.bytes) {
    await handle.truncate(0);
    offset = 0;
  }
  onBytes(offset);
  for (let failures = 0; offset < file.bytes; ) {
    const problem = await receiveSome(file, handle, offset, target);
    const { size } = await handle.stat();
    // Each answer that brought something counts as a success: a long file may break off many times.
    failures = size > offset ? 0 : failures;
    offset = size;
    if (problem === undefined) continue;
    if (failures++ === repetitions || !problem.isTemporary) throw problem.error;
    await client.pause(failures - 1, problem.wait);
  }
}

interface Problem {
  readonly error: QkvError;
  readonly isTemporary: boolean;
  /** Seconds that the server wants to be left alone. */
  readonly wait?: number | undefined;
}

/** One answer of the server: as much as it brings. */
async function receiveSome(
  file: HubFile,
  handle: FileHandle,
  offset: number,
  target: BlobTarget,
): Promise<Problem | undefined> {
  const { client, revision, onBytes } = target;
  const { name, settings } = client;
  const watch = new Watch(settings.timeout, target.signal);
  const broken = (error: QkvError): Problem => ({ error, isTemporary: true });
  try {
    const response = await client.openFile(revision, file.name, offset, watch.signal);
    if (response.status === 416 || (response.status === 200 && offset > 0)) {
      await startAnew(handle, offset, target);
      if (response.status === 416) return broken(refusal(response, name, settings));
    } else if (response.status !== (offset > 0 ? 206 : 200) || response.body === null) {
      const wait = secondsToWait(response.headers);
      const isTemporary = (response.status === 429 && (wait ?? 0) <= 60) || response.status >= 500;
      return { error: refusal(response, name, settings), isTemporary, wait };
    } else if (offset > 0 && !response.headers.get("content-range")?.startsWith(`bytes ${offset}-`)) {
      await startAnew(handle, offset, target);
      return broken(
        new QkvError("network", `${name.repository}: ${file.name}: another part came than was asked for`),
      );
    }
    let at = response.status === 206 ? offset : 0;
    for await (const piece of response.body!) {
      watch.restart();
      if (at + piece.length > file.bytes) {
        await startAnew(handle, at, target);
        throw tooLong(file, client);
      }
      await writeAt(handle, piece, at);
      at += piece.length;
      onBytes(piece.length);
    }
    return at < file.bytes ? broken(brokenOff(file, client)) : undefined;
  } catch (error) {
    if (target.signal.aborted) throw error;
    if (error instanceof QkvError && error.code === "network" && error.cause !== undefined) {
      return { error, isTemporary: isWorthRepeating(error.cause) };
    }
    if (error instanceof QkvError || !(error instanceof TypeError || isTimeout(error))) throw error;
    return broken(brokenOff(file, client, error));
  } finally {
    watch.stop();
  }
}

/** A server that nobody finds, or where nobody listens, will not be there a second later. */
function isWorthRepeating(cause: unknown): boolean {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const code = (inner as { code?: unknown } | null)?.code;
  return !["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH"].includes(String(code));
}

const isTimeout = (error: unknown): boolean => error instanceof Error && error.name === "TimeoutError";

function brokenOff({ name }: HubFile, client: HubClient, cause?: unknown): QkvError {
  return new QkvError(
    "network",
    `${client.name.repository}: ${name}: the connection broke off again and again; try again, it goes on from there`,
    { cause },
  );
}

function tooLong(file: HubFile, client: HubClient): QkvError {
  return new QkvError(
    "network",
    `${client.name.repository}: ${file.name}: must have ${file.bytes} bytes; got more; try again later`,
  );
}

/** Throws away the bytes that are there. */
async function startAnew(handle: FileHandle, had: number, { onBytes }: BlobTarget): Promise<void> {
  await handle.truncate(0);
  onBytes(-had);
}

async function writeAt(handle: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < piece.length; ) {
    at += (await handle.write(piece, at, piece.length - at, position + at)).bytesWritten;
  }
}

/** What is wrong with the content on the disk, if anything is. */
async function checksumProblem(
  { name, bytes, hash, algorithm }: HubFile,
  handle: FileHandle,
): Promise<QkvError | undefined> {
  const sum = createHash(algorithm === "sha256" ? "sha256" : "sha1");
  if (algorithm === "git-sha1") sum.update(`blob ${bytes}\0`);
  const content = createReadStream("", { fd: handle, start: 0, autoClose: false, highWaterMark: 2 ** 20 });
  for await (const piece of content) sum.update(piece as Buffer);
  const got = sum.digest("hex");
  if (got === hash) return undefined;
  const kind = algorithm === "sha256" ? "SHA-256" : "git SHA-1";
  return new QkvError(
    "network",
    `${name}: what came must have the ${kind} ${hash}; got ${got}; nothing of it is kept; try again`,
  );
}

/** Ends a request that brings nothing for a while, or that is no longer wanted. */
class Watch {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(milliseconds: number, stop: AbortSignal) {
    this.signal = AbortSignal.any([stop, this.#controller.signal]);
    const reason = new DOMException("nothing came", "TimeoutError");
    this.#timer = setTimeout(() => this.#controller.abort(reason), milliseconds);
  }

  restart(): void {
    this.#timer.refresh();
  }

  /** Ends the request too, if its answer was not read to the end. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }
}
