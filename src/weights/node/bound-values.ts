/** The values of a model's parameters from a checkpoint: places in a file where they can be, else read. */
import { dirname, relative, sep } from "node:path";
import { QkvError } from "../../util/errors.ts";
import { allFinite } from "../../util/finite.ts";
import { type BoundTensor, valuesOf } from "../checkpoint-names.ts";
import { readFloat32Tensors, type TensorInFile } from "./safetensors-file.ts";

/** Where a parameter's values lie in a file. */
export interface RangeInFile {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** What stayed in files, and how much did not. */
export interface LoadedValues {
  /** By the parameter's address. */
  readonly inFiles: ReadonlyMap<string, RangeInFile>;
  /** The folder that locations are relative to, all links resolved; missing where everything was read. */
  readonly folder?: string;
  /** How many bytes were read and handed over rather than left in their files. */
  readonly bytesInMemory: number;
}

/**
 * Whole float32 tensors stay in their files, for the device to map. What is in half precision, transposed or packed in
 * the file is read once, one tensor after another, and handed over as float32.
 * @param mapped - false reads everything
 * @param keep - receives what is read
 * @throws QkvError "weights" for a tensor of whole numbers, or one that is read and holds a value that is not finite
 */
export async function loadBoundValues(
  bound: ReadonlyMap<string, BoundTensor>,
  tensors: ReadonlyMap<string, TensorInFile>,
  mapped: boolean,
  keep: (address: string, shape: readonly number[], data: Float32Array) => void | Promise<void>,
): Promise<LoadedValues> {
  const places = new Map<string, { file: string; offset: number; length: number }>();
  const readers = new Map<string, [address: string, BoundTensor][]>();
  for (const [address, tensor] of bound) {
    const place = tensors.get(tensor.name)!;
    const range = mapped ? rangeInFile(tensor, place) : undefined;
    if (range !== undefined) places.set(address, { file: place.file, ...range });
    else readers.set(tensor.name, [...(readers.get(tensor.name) ?? []), [address, tensor]]);
  }

  let bytesInMemory = 0;
  for (const [name, parameters] of readers) {
    const { data } = (await readFloat32Tensors(tensors, [name])).get(name)!;
    if (!allFinite(data)) {
      const { file } = tensors.get(name)!;
      throw new QkvError("weights", `${file}: ${name} must hold finite numbers; got NaN or infinity`);
    }
    for (const [address, tensor] of parameters) {
      const own = valuesOf(tensor, data);
      bytesInMemory += own.byteLength;
      await keep(address, tensor.shape, own);
    }
  }
  const inFiles = new Map<string, RangeInFile>();
  if (places.size === 0) return { inFiles, bytesInMemory };
  const folder = commonFolder([...places.values()].map(({ file }) => file));
  for (const [address, { file, offset, length }] of places) {
    inFiles.set(address, { location: relative(folder, file), offset, length });
  }
  return { inFiles, folder, bytesInMemory };
}

/** Where a parameter's values lie in a file just as they are needed, if they do. */
function rangeInFile(
  { transposed, part }: BoundTensor,
  { dtype, offset, byteLength }: TensorInFile,
): { offset: number; length: number } | undefined {
  // The engine reads the mapped bytes as float32, which must lie on a multiple of 4.
  if (dtype !== "F32" || transposed || part?.axis === 1 || offset % 4 !== 0 || byteLength === 0)
    return undefined;
  if (part === undefined) return { offset, length: byteLength };
  const length = byteLength / part.count;
  return { offset: offset + part.index * length, length };
}

/** The innermost folder that holds all of these files. */
function commonFolder(files: readonly string[]): string {
  let folder = dirname(files[0]!);
  while (!files.every((file) => file.startsWith(folder === sep ? sep : folder + sep)))
    folder = dirname(folder);
  return folder;
}
