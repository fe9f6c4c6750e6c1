import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createModel } from "../../models/families.ts";
import type { Model, ModelOptions } from "../../models/family.ts";
import type { Adaptation } from "../../models/lora.ts";
import { listParameters, shapeOf } from "../../nn/parameters.ts";
import type { CompileOptions, Device, DeviceArray } from "../../runtime/device.ts";
import {
  type ModelTokenizers,
  tokenizerFileNames,
  tokenizersFromFiles,
} from "../../tokenizers/files/folder.ts";
import { QkvError } from "../../util/errors.ts";
import { float32ToFloat16 } from "../../util/half.ts";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { bindCheckpoint, nameTensors } from "../../weights/checkpoint-names.ts";
import { loadBoundValues } from "../../weights/node/bound-values.ts";
import { openCheckpoint } from "../../weights/node/checkpoint.ts";
import { writeSafetensors } from "../../weights/node/safetensors-file.ts";
import type { StoredTensor } from "../../weights/stored-tensor.ts";
import { openAdapterFolder } from "./adapter-folder.ts";
import { type JsonObject, readIfThere, readJsonObject } from "./json-file.ts";

export { type JsonObject, readIfThere, readJsonObject } from "./json-file.ts";

/** Arrays by address, of which only shapes and values are asked for. */
export type ReadableArrays = ReadonlyMap<string, Pick<DeviceArray, "shape" | "read">>;

/** A model as a Hugging Face folder holds it. */
export interface ModelFolder {
  readonly folder: string;
  readonly model: Model;
  /** The contents of config.json. */
  readonly config: JsonObject;
  /** What is known of the adapter, where one was named; `model` then has it. */
  readonly adaptation?: Adaptation;
  /** The values of the parameters that become part of a program, for `device.compile`. */
  readonly weights: CompileOptions;
  /** Those that are given to a program at each run: where a device was named, all that were read into memory. */
  readonly parameters: ReadonlyMap<string, DeviceArray>;
  /** How many bytes of weights were read into memory; the others stay in their files, which the device maps. */
  readonly bytesInMemory: number;
  /** Missing where the folder has none, or none was asked for. */
  readonly tokenizers?: ModelTokenizers;
  /** The contents of generation_config.json; empty where there is none. */
  readonly generationConfig: JsonObject;
}

export interface ModelFolderOptions extends ModelOptions {
  /**
   * Where weights go that cannot stay in their files, such as half precision: into arrays of this device, one copy for
   * all programs. Without it each program gets a copy of its own.
   */
  readonly device?: Device;
  /** The folder of an adapter, as PEFT writes it, that the model gets. Default: none. */
  readonly adapter?: string;
  /** Whether float32 weights stay in their files and are mapped. Default: true. */
  readonly mapped?: boolean;
  /**
   * Whether the engine lays weights out anew, which takes memory for a copy of them. Default: not for a decoder-only
   * model that writes text, so that its weights stay in their files and its first token comes soon.
   */
  readonly prepacking?: boolean | undefined;
  /** Whether the tokenizers are read. Default: true. */
  readonly withTokenizers?: boolean;
}

/**
 * Opens a folder as Hugging Face writes it: `config.json`, weights in safetensors format, maybe a tokenizer and
 * `generation_config.json`. What is not needed is not read.
 * @throws QkvError for a file that is missing or damaged, a model that there is not, or weights that do not fit it
 */
export async function openModelFolder(
  folder: string,
  options: ModelFolderOptions = {},
): Promise<ModelFolder> {
  const { model: base, config } = await readBaseModel(folder, options);
  const adapter = options.adapter === undefined ? undefined : await openAdapterFolder(options.adapter, base);
  const { model, learned } = adapter?.adaptation ?? { model: base, learned: undefined };
  const { path, tensors } = await openCheckpoint(folder);
  const wanted = new Map(
    [...listParameters(base.parameters)]
      .filter(([address]) => !learned?.has(address))
      .map(([address, spec]) => [address, shapeOf(spec)]),
  );
  const bound = bindCheckpoint(wanted, tensors, base.names, path);
  const { mapped = true, withTokenizers = true } = options;
  const parameters = new Map<string, DeviceArray>();
  const inMemory = new Map<string, { readonly data: Float32Array }>();
  const { device } = options;
  const keep = async (address: string, shape: readonly number[], data: Float32Array) => {
    const array = device?.allocate("float32", shape);
    if (array === undefined) inMemory.set(address, { data });
    else parameters.set(address, array);
    await array?.write(data);
  };
  const loaded = await loadBoundValues(bound, tensors, mapped, keep);
  const ofAdapter = adapter && (await loadBoundValues(adapter.bound, adapter.tensors, false, keep));
  const tokenizers = withTokenizers ? await readTokenizers(folder, model.modelType) : undefined;
  return {
    folder,
    model,
    config,
    weights: {
      fixedParameters: (address) => loaded.inFiles.get(address) ?? inMemory.get(address),
      ...(loaded.folder !== undefined && { folder: loaded.folder }),
      prepacking: options.prepacking ?? model.generation?.kind !== "causal",
    },
    parameters,
    bytesInMemory: loaded.bytesInMemory + (ofAdapter?.bytesInMemory ?? 0),
    ...(adapter !== undefined && { adaptation: adapter.adaptation }),
    ...(tokenizers !== undefined && { tokenizers }),
    generationConfig: (await readJsonObject(join(folder, "generation_config.json"))) ?? {},
  };
}

/** The model of a folder; an adapter may bring the configuration, in which the labels may be others. */
async function readBaseModel(folder: string, options: ModelFolderOptions) {
  const { adapter } = options;
  const own = adapter === undefined ? undefined : await readIfThere(join(adapter, "config.json"));
  return await readModel(own === undefined ? folder : adapter!, options);
}

/** The model of a folder and the contents of its config.json. */
export async function readModel(
  folder: string,
  options: ModelOptions = {},
): Promise<{ model: Model; config: JsonObject }> {
  const path = join(folder, "config.json");
  const config = await readJsonObject(path);
  if (config === undefined) {
    throw new QkvError(
      "file",
      `${path}: there is no such file; name a model folder, which holds config.json and model.safetensors`,
    );
  }
  return { model: createModel(config, options, path), config };
}

/** The tokenizers of a model folder, or nothing where it has none. */
export async function readTokenizers(
  folder: string,
  modelType?: string,
): Promise<ModelTokenizers | undefined> {
  const files = new Map<(typeof tokenizerFileNames)[number], Uint8Array>();
  for (const name of tokenizerFileNames) {
    const bytes = await readIfThere(join(folder, name));
    if (bytes !== undefined) files.set(name, bytes);
  }
  const isVocabulary = /^(tokenizer\.json|vocab\.txt|merges\.txt|.*\.(model|spm))$/;
  if (![...files.keys()].some((name) => isVocabulary.test(name))) return undefined;
  try {
    return tokenizersFromFiles(files, modelType);
  } catch (cause) {
    if (!(cause instanceof QkvError)) throw cause;
    throw new QkvError(cause.code, `${folder}: ${cause.message}`, { cause });
  }
}

/**
 * Writes config.json and model.safetensors under the names that Hugging Face's models have; each file as a whole or
 * not at all. Tied weights are written once.
 * @param parameters - by address
 */
export async function writeModelFolder(
  folder: string,
  { model, config }: { readonly model: Model; readonly config: JsonObject },
  parameters: ReadableArrays,
  dtype: "float32" | "float16" = "float32",
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const values = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [address, array] of parameters) {
    values.set(address, { shape: array.shape, data: (await array.read()) as Float32Array });
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape, data }] of nameTensors(values, model.names, {
    withBase: model.head !== "base",
  })) {
    if (dtype === "float32") tensors.set(name, { dtype: "F32", shape, data });
    else tensors.set(name, { dtype: "F16", shape, data: float32ToFloat16(data) });
  }
  const { torch_dtype: _, ...rest } = config;
  const written = { ...rest, architectures: [model.architecture], model_type: model.modelType, dtype };
  await writeFileAtomically(join(folder, "config.json"), `${JSON.stringify(written, null, 2)}\n`);
  await writeSafetensors(join(folder, "model.safetensors"), tensors);
}
