/** Adapters as PEFT's folders hold them: adapter_config.json and adapter_model.safetensors. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Model } from "../../models/family.ts";
import {
  type Adaptation,
  adapterPrefix,
  adaptModel,
  bindAdapter,
  plainAdapterName,
} from "../../models/lora.ts";
import { adapterConfigJson, readAdapterConfig } from "../../models/lora-config.ts";
import { QkvError } from "../../util/errors.ts";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { type BoundTensor, nameTensors } from "../../weights/checkpoint-names.ts";
import { openCheckpoint } from "../../weights/node/checkpoint.ts";
import { type TensorInFile, writeSafetensors } from "../../weights/node/safetensors-file.ts";
import type { StoredTensor } from "../../weights/stored-tensor.ts";
import { type JsonObject, readJsonObject } from "./json-file.ts";
import type { ReadableArrays } from "./model-folder.ts";

const configFile = "adapter_config.json";
const weightsFile = "adapter_model.safetensors";

/** An adapter with the places of its weights. */
export interface AdapterFolder {
  readonly adaptation: Adaptation;
  readonly tensors: ReadonlyMap<string, TensorInFile>;
  /** By the parameter's address. */
  readonly bound: ReadonlyMap<string, BoundTensor>;
}

/**
 * Opens an adapter for a model.
 * @throws QkvError "file" where there is none, "config" for a kind that is not supported, "weights" for one that was
 *   made for another model
 */
export async function openAdapterFolder(folder: string, base: Model): Promise<AdapterFolder> {
  const path = join(folder, configFile);
  const json = await readJsonObject(path);
  if (json === undefined) {
    throw new QkvError(
      "file",
      `${path}: there is no such file; name the folder of an adapter, which holds ${configFile} and ${weightsFile}`,
    );
  }
  const adaptation = adaptModel(base, readAdapterConfig(json, path));
  const weights = await openCheckpoint(join(folder, weightsFile));
  const tensors = new Map([...weights.tensors].map(([name, tensor]) => [plainAdapterName(name), tensor]));
  return { adaptation, tensors, bound: bindAdapter(adaptation, tensors, weights.path) };
}

/**
 * Writes an adapter as PEFT does, each file as a whole or not at all, and the configuration of the model with it.
 * @param parameters - by address; more than what was learned does no harm
 * @param facts - the folder or name of the model that it belongs to, and the contents of config.json
 */
export async function writeAdapterFolder(
  folder: string,
  { model, base, config, layers, learned }: Adaptation,
  parameters: ReadableArrays,
  facts: { readonly baseModel: string; readonly config: JsonObject },
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const values = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const address of learned) {
    const array = parameters.get(address)!;
    values.set(address, { shape: array.shape, data: (await array.read()) as Float32Array });
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape, data }] of nameTensors(values, model.names, {
    withBase: base.head !== "base",
  })) {
    tensors.set(adapterPrefix + name, { dtype: "F32", shape, data });
  }
  const fanInFanOut = layers.some(({ isTransposed }) => isTransposed);
  const json = adapterConfigJson(config, { baseModel: facts.baseModel, head: base.head, fanInFanOut });
  await writeFileAtomically(join(folder, configFile), `${JSON.stringify(json, null, 2)}\n`);
  const own = { ...facts.config, architectures: [base.architecture], model_type: base.modelType };
  await writeFileAtomically(join(folder, "config.json"), `${JSON.stringify(own, null, 2)}\n`);
  await writeSafetensors(join(folder, weightsFile), tensors);
}
