import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";
import { type Dataset, type DatasetFile, datasets } from "./datasets.ts";
import { hashFile, request, sizeOf } from "./download.ts";
import { fetchChangingPairs } from "./fetch-pairs.ts";

/** Where to put a corpus, and who is told. */
export interface FetchOptions {
  /** The folder for the files; made where it is missing. */
  readonly folder: string;
  /** The corpora to choose from. Default: `datasets`. */
  readonly datasets?: Readonly<Record<string, Dataset>>;
  /** Take pairs that have changed at their source as they are. Default false: an error. */
  readonly acceptChanged?: boolean;
  /** Told after each piece that arrived. */
  readonly onProgress?: (progress: FetchProgress) => void;
  /** Stops the download; what has arrived is kept for the next call. */
  readonly signal?: AbortSignal;
}

/** How far a file is. */
export interface FetchProgress {
  readonly file: string;
  readonly bytes: number;
  readonly totalBytes: number;
}

/** What was fetched. */
export interface FetchedDataset {
  readonly name: string;
  readonly licence: string;
  /** The paths of the files. */
  readonly files: readonly string[];
  /** Bytes of the files that had to be fetched, after decompression; 0 where everything was there already. */
  readonly downloadedBytes: number;
}

/**
 * Fetches a public corpus into a folder. Each file is downloaded to `NAME.download`, checked, and only then gets its
 * name; a download that was cut off goes on where it stopped, or from the start where it comes compressed. A file that
 * is there already, with the right content, is not fetched again.
 * @throws QkvError where the name is unknown, the server cannot be reached or refuses, the checksum differs, or
 * another file of that name is in the way
 */
export async function fetchDataset(name: string, options: FetchOptions): Promise<FetchedDataset> {
  const known = options.datasets ?? datasets;
  const dataset = Object.hasOwn(known, name) ? known[name] : undefined;
  if (dataset === undefined) {
    const names = Object.keys(known);
    throw new QkvError(
      "option",
      `data get: the corpus must be one of ${names.join(", ")}; got "${name}"${didYouMean(name, names)}`,
    );
  }
  try {
    await mkdir(options.folder, { recursive: true });
  } catch (error) {
    throw fileError(options.folder, "cannot make the folder", error);
  }
  const files: string[] = [];
  let downloadedBytes = 0;
  const fetchTo = async (file: string, work: (path: string) => Promise<number>) => {
    const path = join(options.folder, file);
    try {
      downloadedBytes += await work(path);
    } catch (error) {
      if (options.signal?.aborted) {
        throw new QkvError("interrupted", `${path}: the download was stopped; run it again to go on`);
      }
      throw fileError(path, "cannot fetch it", error);
    }
    files.push(path);
  };
  const { changing } = dataset;
  if (changing === undefined && options.acceptChanged) {
    throw new QkvError(
      "option",
      `data get: ${name} does not change at its source; leave --accept-changed out`,
    );
  }
  for (const file of dataset.files) {
    await fetchTo(file.name, (path) => fetchFile(file, path, dataset, options));
  }
  if (changing !== undefined) {
    await fetchTo(changing.name, (path) => fetchChangingPairs(changing, path, options));
  }
  return { name, licence: dataset.licence, files, downloadedBytes };
}

/** Fetches one file unless it is there; returns the bytes that came over the network. */
async function fetchFile(
  file: DatasetFile,
  path: string,
  dataset: Dataset,
  options: FetchOptions,
): Promise<number> {
  if ((await sizeOf(path)) !== undefined) {
    const sha256 = await hashFile(path);
    if (sha256 === file.sha256) return 0;
    throw new QkvError(
      "file",
      `${path}: another file is in the way; got SHA-256 ${sha256} instead of ${file.sha256}; ` +
        "move it away or choose another folder",
    );
  }
  const { url } = file;
  if (url === undefined) {
    const rule = `${path}: is not there, and its licence does not allow to fetch it from just anywhere`;
    throw new QkvError("file", `${rule}; ${dataset.elsewhere ?? "ask its owners"}, and put it there`);
  }
  const partial = `${path}.download`;
  const downloaded = await download({ ...file, url }, partial, options);
  const sha256 = await hashFile(partial);
  if (sha256 !== file.sha256) {
    await rm(partial);
    throw new QkvError(
      "file",
      `${url}: the content must have the SHA-256 ${file.sha256}; got ${sha256}; run it again, and if this ` +
        "stays, the file has changed at its source",
    );
  }
  await rename(partial, path);
  return downloaded;
}

type FetchedFile = DatasetFile & { readonly url: string };

/** Brings `partial` to the file's size, going on behind what it holds; returns the bytes that came. */
async function download(file: FetchedFile, partial: string, options: FetchOptions): Promise<number> {
  const there = (await sizeOf(partial)) ?? 0;
  // What is left of a compressed file cannot be asked for by its place in the content.
  let offset = there > file.bytes || (there < file.bytes && file.compression !== undefined) ? 0 : there;
  if (offset === file.bytes) return 0;
  let response = await request(file.url, offset, options.signal);
  if (offset > 0 && !continuesAt(response, offset)) {
    offset = 0;
    // Any other answer than the whole file, such as "range not satisfiable", calls for a second request.
    if (response.status !== 200) {
      await response.body?.cancel();
      response = await request(file.url, 0, options.signal);
    }
  }
  if (response.status !== (offset > 0 ? 206 : 200) || response.body === null) {
    await response.body?.cancel();
    throw new QkvError(
      "file",
      `${file.url}: the server must send the file; got ${response.status} ${response.statusText}; try again later`,
    );
  }
  const target = await open(partial, offset > 0 ? "r+" : "w");
  try {
    return await receive(file, decompress(file, response.body), target, offset, options);
  } finally {
    await target.close();
  }
}

function decompress(file: FetchedFile, body: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  if (file.compression === undefined) return body;
  return body.pipeThrough(new DecompressionStream(file.compression));
}

async function receive(
  file: FetchedFile,
  body: AsyncIterable<Uint8Array>,
  target: FileHandle,
  offset: number,
  options: FetchOptions,
): Promise<number> {
  let at = offset;
  let failure: unknown;
  try {
    for await (const piece of body) {
      if (at + piece.length > file.bytes) {
        await target.truncate(0);
        throw new QkvError(
          "file",
          `${file.url}: the file must have ${file.bytes} bytes; got more; it has changed at its source`,
        );
      }
      await write(file.name, target, piece, at);
      at += piece.length;
      options.onProgress?.({ file: file.name, bytes: at, totalBytes: file.bytes });
    }
  } catch (error) {
    if (error instanceof QkvError || options.signal?.aborted) throw error;
    failure = error;
  }
  if (at < file.bytes) {
    const wayOut = file.compression === undefined ? "run it again to go on from there" : "run it again";
    throw new QkvError(
      "file",
      `${file.url}: the connection broke off after ${at} of ${file.bytes} bytes; ${wayOut}`,
      { cause: failure },
    );
  }
  return at - offset;
}

async function write(name: string, target: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  try {
    for (let at = 0; at < piece.length; ) {
      at += (await target.write(piece, at, piece.length - at, position + at)).bytesWritten;
    }
  } catch (error) {
    throw fileError(name, "cannot write", error);
  }
}

/** Whether the answer is the rest of the file from `offset` on. */
function continuesAt(response: Response, offset: number): boolean {
  return (
    response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${offset}-`) === true
  );
}
