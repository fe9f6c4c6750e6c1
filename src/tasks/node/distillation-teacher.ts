import type { Head } from "../../models/family.ts";
import { listParameters } from "../../nn/parameters.ts";
import type { Device, DeviceArray } from "../../runtime/device.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { Teacher } from "../../training/objectives/distillation.ts";
import { QkvError } from "../../util/errors.ts";
import { openModelFolder } from "./model-folder.ts";
import type { ModelStart } from "./model-start.ts";

/**
 * Opens a model that a student shall learn from.
 * @param student - the model and what it reads with
 * @throws QkvError "config" where the teacher reads other tokens
 */
export async function openTeacher(
  device: Device,
  folder: string,
  head: Head,
  student: Pick<ModelStart, "tokenizers">,
): Promise<Teacher> {
  const options = { device, head, mapped: false, withoutPooler: true };
  const { model, parameters, tokenizers } = await openModelFolder(folder, options);
  if (tokenizers !== undefined) {
    checkSameTokens(folder, tokenizers.source, student.tokenizers.source);
    checkSameTokens(folder, tokenizers.target, student.tokenizers.target);
  }
  return { model, parameters };
}

function checkSameTokens(folder: string, teacher: Tokenizer, student: Tokenizer): void {
  const count = Math.max(teacher.vocabSize, student.vocabSize);
  for (let id = 0; id < count; id++) {
    const [theirs, own] = [teacher.idToToken(id), student.idToToken(id)];
    if (theirs === own) continue;
    throw new QkvError(
      "config",
      `teacher: student and teacher must have the same vocabulary; got ${shown(theirs)} for the id ${id} of the ` +
        `teacher, ${shown(own)} for the student's; set tokenizer.from to "${folder}"`,
    );
  }
}

const shown = (token: string | undefined): string => (token === undefined ? "none" : JSON.stringify(token));

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
  const own = layerCounts(addresses);
  const theirs = layerCounts(listParameters(teacher.model.parameters).keys());
  const chosen = (stack: string, layer: number) =>
    Math.floor((layer * (theirs.get(stack) ?? 0)) / own.get(stack)!);
  let taken = 0;
  for (const address of addresses) {
    const from = address.replace(
      layerPlace,
      (_, stack: string, layer: string) => `${stack}layers.${chosen(stack, Number(layer))}.`,
    );
    const source = teacher.parameters.get(from);
    const target = parameters.get(address)!;
    if (source === undefined || source.shape.join() !== target.shape.join()) continue;
    await target.write((await source.read()).slice());
    taken++;
  }
  const layers = [...own].map(([stack, count]) => {
    const list = Array.from({ length: count }, (_, layer) => chosen(stack, layer)).join(", ");
    return `${stack}layers ${list} of ${theirs.get(stack) ?? 0}`;
  });
  return `Began with ${taken} of ${addresses.length} parameters of the teacher: ${layers.join("; ")}.`;
}

/** A stack of layers and the number of one. */
const layerPlace = /^(.*?)layers\.(\d+)\./;

/** How many layers each stack has. */
function layerCounts(addresses: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const address of addresses) {
    const match = layerPlace.exec(address);
    if (match !== null) counts.set(match[1]!, Math.max(counts.get(match[1]!) ?? 0, Number(match[2]) + 1));
  }
  return counts;
}
