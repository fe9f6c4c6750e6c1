/** Training adapters for a checkpoint: the model with them, the checkpoint's weights as they stay, and what is written. */
import { join } from "node:path";
import { type Adaptation, adaptModel, mergeAdapters } from "../../models/lora.ts";
import { initialValues, listParameters, shapeOf } from "../../nn/parameters.ts";
import type { Device, DeviceArray } from "../../runtime/device.ts";
import type { ModelRecipe } from "../../training/model-recipe.ts";
import { QkvError } from "../../util/errors.ts";
import { writeAdapterFolder } from "./adapter-folder.ts";
import type { ReadableArrays } from "./model-folder.ts";
import { loadBase, type ModelStart, writeStartedModel } from "./model-start.ts";

/** A model that adapters are learned for. */
export interface AdaptedStart {
  /** The folder of the base model. */
  readonly from: string;
  readonly adaptation: Adaptation;
  /** The same with the model that has the adapters. */
  readonly start: ModelStart;
  /** The base model's parameters that stay as they are, by address. */
  readonly fixed: ReadonlyMap<string, DeviceArray>;
}

/**
 * @param baseFolder - finds the folder of the checkpoint; nothing where the recipe names none
 * @throws QkvError "config" where the recipe names modules that there are not
 */
export async function adaptStart(
  device: Device,
  { name, training }: ModelRecipe,
  start: ModelStart,
  baseFolder: () => Promise<string | undefined>,
): Promise<AdaptedStart | undefined> {
  if (training.peft === null) return undefined;
  const from = await baseFolder();
  if (from === undefined) throw new QkvError("internal", `recipe ${name}: adapters without a model to adapt`);
  const arrays = new Map<string, DeviceArray>();
  for (const [address, spec] of listParameters(start.model.parameters)) {
    const array = device.allocate("float32", shapeOf(spec));
    await array.write(initialValues(spec, address, training.seed));
    arrays.set(address, array);
  }
  const { absent } = await loadBase(from, start.model, arrays);
  const adaptation = adaptModel(start.model, training.peft, absent);
  return {
    from,
    adaptation,
    start: { ...start, model: adaptation.model },
    fixed: new Map([...arrays].filter(([address]) => !adaptation.learned.has(address))),
  };
}

/** Writes the model with the adapters merged into it, and the adapters by themselves into its folder `adapter`. */
export async function writeAdaptedModel(
  folder: string,
  { from, adaptation, start }: AdaptedStart,
  parameters: ReadonlyMap<string, DeviceArray>,
  dtype: "float32" | "float16",
): Promise<void> {
  const values = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [address, array] of parameters) {
    values.set(address, { shape: array.shape, data: (await array.read()) as Float32Array });
  }
  const merged: ReadableArrays = new Map(
    [...mergeAdapters(adaptation, values)].map(([address, { shape, data }]) => [
      address,
      { shape, read: async () => data },
    ]),
  );
  await writeStartedModel(folder, { ...start, model: adaptation.base }, merged, dtype);
  await writeAdapterFolder(join(folder, "adapter"), adaptation, parameters, {
    baseModel: from,
    config: start.config,
  });
}
