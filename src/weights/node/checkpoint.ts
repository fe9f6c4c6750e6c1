/**
 * Finds the weights of a model folder: one safetensors file, or several with an index, as Hugging Face writes
 * them.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { QkvError } from "../../util/errors.ts";
import { errorCode, fileError } from "../../util/node/file-error.ts";
import { readSafetensorsHeader, type TensorInFile } from "./safetensors-file.ts";

/** The weights of a model on disk. */
export interface Checkpoint {
  /** The file that was found: the weights, or the index of several. */
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorInFile>;
  /** The metadata of the file, or of the first of several. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The names of the weights, or of the index of several files with them. */
export const singleFile = "model.safetensors";
export const indexFile = "model.safetensors.index.json";
/** The names that weights have in other formats, by extension and as they stand in model folders. */
const otherFormats = /\.(bin|bin\.index\.json|pt|pth|ckpt|h5|msgpack|gguf)$/;
const otherWeights =
  /^(pytorch_model.*\.bin|consolidated.*\.pth|tf_model.*\.h5|flax_model.*\.msgpack|.*\.gguf)$/;

/**
 * Finds a model's weights and reads their headers.
 * @param path - a model folder, a safetensors file, or the index of several (`model.safetensors.index.json`)
 * @throws QkvError `file` where there are none, a file is damaged, or files and index do not agree
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const status = await stat(path).catch((cause: unknown) => {
    throw fileError(path, "cannot read", cause);
  });
  if (!status.isDirectory()) return await openFile(path);
  const names = await readdir(path).catch((cause: unknown) => {
    throw fileError(path, "cannot read", cause);
  });
  for (const name of [singleFile, indexFile]) {
    if (names.includes(name)) return await openFile(join(path, name));
  }
  throw noWeights(path, names);
}

/**
 * The error for a folder, or a repository, without weights that can be read.
 * @param names - of its files
 */
export function noWeights(path: string, names: readonly string[]): QkvError {
  const other = [...names].sort().find((name) => otherWeights.test(name));
  if (other !== undefined) return otherFormat(join(path, other));
  const alike = names.filter((name) => name.endsWith(".safetensors"));
  const got = alike.length > 0 ? alike.slice(0, 5).join(", ") : `${names.length} other files`;
  const wayOut = alike.length > 0 ? "; name one of these files" : "";
  return new QkvError("file", `${path}: must hold ${singleFile} or ${indexFile}; got ${got}${wayOut}`);
}

async function openFile(path: string): Promise<Checkpoint> {
  if (path.endsWith(".safetensors.index.json")) return await openShards(path);
  if (otherFormats.test(basename(path))) throw otherFormat(path);
  const { file, tensors, metadata } = await readSafetensorsHeader(path);
  const places = new Map<string, TensorInFile>();
  for (const [name, place] of tensors) places.set(name, { ...place, file });
  return { path, tensors: places, metadata };
}

/** Several files ("shards") and an index that says which tensor lies in which. */
async function openShards(indexPath: string): Promise<Checkpoint> {
  const index = await readIndex(indexPath);
  const folder = dirname(indexPath);
  const shards = [...new Set(index.values())].sort();
  const missing: string[] = [];
  for (const shard of shards) {
    await stat(join(folder, shard)).catch((cause: unknown) => {
      if (errorCode(cause) !== "ENOENT") throw fileError(join(folder, shard), "cannot read", cause);
      missing.push(shard);
    });
  }
  if (missing.length > 0) {
    const got = `${missing.length} of ${shards.length} missing: ${missing.join(", ")}`;
    throw new QkvError("file", `${indexPath}: its files must lie beside it; got ${got}; fetch them too`);
  }
  const tensors = new Map<string, TensorInFile>();
  let metadata: Readonly<Record<string, string>> | undefined;
  for (const shard of shards) {
    const header = await readSafetensorsHeader(join(folder, shard));
    metadata ??= header.metadata;
    for (const [name, place] of header.tensors) {
      const listed = index.get(name) ?? shard;
      if (listed !== shard) continue;
      const other = tensors.get(name);
      if (other !== undefined) {
        const got = `"${name}" in ${basename(other.file)} and ${shard}`;
        throw new QkvError(
          "file",
          `${indexPath}: a tensor that it does not list may lie in one file; got ${got}`,
        );
      }
      tensors.set(name, { ...place, file: header.file });
    }
  }
  const absent = [...index].filter(([name]) => !tensors.has(name));
  if (absent.length > 0) {
    const some = absent.slice(0, 5).map(([name, shard]) => `"${name}" in ${shard}`);
    const got = `${absent.length} that do not: ${some.join(", ")}${absent.length > 5 ? ", ..." : ""}`;
    throw new QkvError(
      "file",
      `${indexPath}: each tensor must lie in the file named for it; got ${got}; fetch index and files again`,
    );
  }
  return { path: indexPath, tensors, metadata: metadata ?? {} };
}

/** The names of the files that an index lists. @throws QkvError "file" where it cannot be used */
export async function shardsOf(indexPath: string): Promise<string[]> {
  return [...new Set((await readIndex(indexPath)).values())].sort();
}

/** The index: the file of each tensor. */
async function readIndex(path: string): Promise<Map<string, string>> {
  let index: unknown;
  try {
    index = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    if (errorCode(cause) !== undefined) throw fileError(path, "cannot read", cause);
    throw new QkvError("file", `${path}: must be JSON; got ${(cause as Error).message}; fetch it again`, {
      cause,
    });
  }
  const weightMap = isRecord(index) ? index.weight_map : undefined;
  if (!isRecord(weightMap)) {
    throw new QkvError("file", `${path}: must have a "weight_map" from tensors to files; fetch it again`);
  }
  const files = new Map<string, string>();
  for (const [name, file] of Object.entries(weightMap)) {
    // A path that leads out of the folder could make a foreign index read any file.
    if (typeof file !== "string" || !/^[^/\\\0]+\.safetensors$/.test(file)) {
      const got = JSON.stringify(file);
      throw new QkvError(
        "file",
        `${path}: "${name}" must name a .safetensors file beside the index; got ${got}`,
      );
    }
    files.set(name, file);
  }
  return files;
}

/**
 * The error for weights in a format that is not read. PyTorch's holds a program (a pickle), not just numbers.
 */
function otherFormat(path: string): QkvError {
  const ofPyTorch = /\.(bin|pt|pth)$/.test(path);
  const conversion =
    `python -c "import torch, safetensors.torch as s; ` +
    `w = torch.load('${basename(path)}', weights_only=True); ` +
    `s.save_file({k: v.clone().contiguous() for k, v in w.items()}, '${singleFile}', {'format': 'pt'})"`;
  return new QkvError(
    "file",
    `${path}: weights must be in safetensors format; got another; take the ${singleFile} ` +
      `of the same repository (where it is not there, look at its pull requests)` +
      `${ofPyTorch ? `, or convert the file: ${conversion}` : ""}`,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
