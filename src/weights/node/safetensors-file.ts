/** Safetensors files on disk: the header alone, chosen tensors, and writing. */
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { didYouMean, QkvError } from "../../util/errors.ts";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { fileError } from "../../util/node/file-error.ts";
import {
  headerLength,
  parseHeader,
  type SafetensorsHeader,
  serializeParts,
  type TensorPlace,
} from "../safetensors.ts";
import { type StoredTensor, toFloat32 } from "../stored-tensor.ts";

/** The header of a file and where the file really lies. */
export interface SafetensorsFile extends SafetensorsHeader {
  /**
   * The file itself, all links resolved: ONNX Runtime takes external data only from inside the folder it is
   * given.
   */
  readonly file: string;
}

/** A tensor in a file. */
export interface TensorInFile extends TensorPlace {
  /** The file, all links resolved. */
  readonly file: string;
}

/** Values as the graph computes with them. */
export interface Float32Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The most bytes asked of the system at once; it refuses 2^31 and more. */
const longestRead = 2 ** 30;

/**
 * Reads the header of a file, and nothing else of it.
 * @throws QkvError `file` where it cannot be read or is no valid safetensors file
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsFile> {
  const file = await realpath(path).catch(cannotRead(path));
  const status = await stat(file).catch(cannotRead(path));
  if (!status.isFile()) {
    throw new QkvError("file", `${path}: must be a safetensors file; got a folder, device or pipe`);
  }
  const handle = await open(file).catch(cannotRead(path));
  try {
    const { size } = await handle.stat();
    const start = await readBytes(handle, 0, Math.min(8, size), path);
    const length = headerLength(start, size, path);
    return { ...parseHeader(await readBytes(handle, 0, 8 + length, path), size, path), file };
  } finally {
    await handle.close();
  }
}

/**
 * Reads tensors as they are stored, each into memory of its own.
 * @param names - default: all
 * @throws QkvError `weights` for a name that is not among `tensors`, `file` where reading fails
 */
export async function readTensors(
  tensors: ReadonlyMap<string, TensorInFile>,
  names: Iterable<string> = tensors.keys(),
): Promise<Map<string, StoredTensor<Uint8Array>>> {
  const read = new Map<string, StoredTensor<Uint8Array>>();
  for await (const [name, tensor] of tensorsInTurn(tensors, names)) read.set(name, tensor);
  return read;
}

/**
 * Reads tensors as float32. F16 and BF16 are converted (exactly), F64 is rounded.
 * @param names - default: all
 * @throws QkvError `weights` for a name that is not among `tensors` or a tensor of whole numbers, `file`
 * where reading fails
 */
export async function readFloat32Tensors(
  tensors: ReadonlyMap<string, TensorInFile>,
  names: Iterable<string> = tensors.keys(),
): Promise<Map<string, Float32Tensor>> {
  const read = new Map<string, Float32Tensor>();
  for await (const [name, tensor] of tensorsInTurn(tensors, names)) {
    const where = `${tensors.get(name)!.file}: tensor "${name}"`;
    read.set(name, { shape: tensor.shape, data: toFloat32(tensor, where) });
  }
  return read;
}

/**
 * Writes a safetensors file as a whole or not at all. The same tensors give the same bytes.
 * @param metadata - default `{ format: "pt" }`, which transformers asks for
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  await writeFileAtomically(path, serializeParts(tensors, metadata));
}

/**
 * The tensors of these names one after another, file by file, so that one file is open and one tensor in
 * flight.
 */
async function* tensorsInTurn(
  tensors: ReadonlyMap<string, TensorInFile>,
  names: Iterable<string>,
): AsyncGenerator<[name: string, tensor: StoredTensor<Uint8Array>]> {
  const byFile = new Map<string, Map<string, TensorInFile>>();
  for (const name of names) {
    const place = tensors.get(name);
    if (place === undefined) {
      throw new QkvError(
        "weights",
        `weights: no tensor is named "${name}"${didYouMean(name, tensors.keys())}`,
      );
    }
    const ofFile = byFile.get(place.file) ?? new Map<string, TensorInFile>();
    byFile.set(place.file, ofFile.set(name, place));
  }
  for (const [file, places] of byFile) {
    const handle = await open(file).catch(cannotRead(file));
    try {
      for (const [name, { dtype, shape, offset, byteLength }] of places) {
        yield [name, { dtype, shape, data: await readBytes(handle, offset, byteLength, file) }];
      }
    } finally {
      await handle.close();
    }
  }
}

async function readBytes(
  handle: FileHandle,
  offset: number,
  length: number,
  path: string,
): Promise<Uint8Array> {
  // Not filled with zeros first, since every byte is read or the whole is thrown away.
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  let done = 0;
  while (done < length) {
    const size = Math.min(length - done, longestRead);
    const { bytesRead } = await handle.read(bytes, done, size, offset + done).catch(cannotRead(path));
    if (bytesRead === 0) {
      throw new QkvError("file", `${path}: ended while it was read, at byte ${offset + done}; read it again`);
    }
    done += bytesRead;
  }
  return bytes;
}

/** For `catch`: the failure as one sentence with the path. */
function cannotRead(path: string): (cause: unknown) => never {
  return (cause) => {
    throw fileError(path, "cannot read", cause);
  };
}
