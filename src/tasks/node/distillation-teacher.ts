import { join } from "node:path";
import type { Head } from "../../models/family.ts";
import { listParameters } from "../../nn/parameters.ts";
import type { Device, DeviceArray } from "../../runtime/device.ts";
import type { Teacher } from "../../training/objectives/distillation.ts";
import { openModelFolder } from "./model-folder.ts";
import { findModel, kindOf } from "./shipped.ts";

/** Opens a model that a student shall learn from. @param name - its folder, maybe relative to the data's */
export async function openTeacher(
  device: Device,
  name: string,
  head: Head,
  dataFolder: string,
): Promise<Teacher> {
  const beside = join(dataFolder, name);
  const folder = (await kindOf(beside)) === "folder" ? beside : await findModel(name);
  const { model, parameters } = await openModelFolder(folder, {
    device,
    head,
    mapped: false,
    withoutPooler: true,
    withTokenizers: false,
  });
  return { model, parameters };
}

/**
 * Lets a student begin with what it has in common with its teacher; of the layers, with evenly chosen ones, the first
 * among them.
 * Source: Sanh et al., 2019, 3 ("taking one layer out of two").
 * @returns a sentence that says what was taken
 */
export async function initializeFromTeacher(
  parameters: ReadonlyMap<string, DeviceArray>,
  teacher: Teacher,
  addresses: readonly string[],
): Promise<string> {
  const layersOf = (list: Iterable<string>) =>
    Math.max(0, ...[...list].map((address) => Number(/layers\.(\d+)\./.exec(address)?.[1] ?? -1) + 1));
  const own = layersOf(addresses);
  const theirs = layersOf(listParameters(teacher.model.parameters).keys());
  const chosen = Array.from({ length: own }, (_, layer) => Math.floor((layer * theirs) / own));
  let taken = 0;
  for (const address of addresses) {
    const from = address.replace(/layers\.(\d+)\./, (_, layer: string) => `layers.${chosen[Number(layer)]}.`);
    const source = teacher.parameters.get(from);
    const target = parameters.get(address)!;
    if (source === undefined || source.shape.join() !== target.shape.join()) continue;
    await target.write((await source.read()).slice());
    taken++;
  }
  return `Began with ${taken} of ${addresses.length} parameters of the teacher; layers ${chosen.join(", ")} of its ${theirs}.`;
}
