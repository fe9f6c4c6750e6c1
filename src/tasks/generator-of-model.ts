import { CausalGenerator } from "../generation/causal-language.ts";
import { SequenceGenerator } from "../generation/sequence-to-sequence.ts";
import type { Model } from "../models/family.ts";
import type { CompileOptions, Device } from "../runtime/device.ts";
import { QkvError } from "../util/errors.ts";

/** What writes with a model of either kind. */
export type AnyGenerator = CausalGenerator<object> | SequenceGenerator<object>;

/**
 * Compiles a model for writing.
 * @param kind - what it must be; default: either
 * @throws QkvError "config" where the model does not write in this way
 */
export async function generatorOf(
  device: Device,
  {
    folder,
    model,
    weights,
  }: { readonly folder: string; readonly model: Model; readonly weights: CompileOptions },
  kind: "causal" | "sequence-to-sequence" | "either" = "either",
): Promise<AnyGenerator> {
  const { generation, architecture } = model;
  if (generation === undefined || (kind !== "either" && generation.kind !== kind)) {
    const wanted = {
      causal: "goes on from a text",
      "sequence-to-sequence": "reads one text and writes another",
      either: "writes text",
    }[kind];
    throw new QkvError(
      "config",
      `${folder}: must hold a model that ${wanted}; got ${architecture}; name another folder`,
    );
  }
  // The registry's models have forgotten what their parameters are called.
  type AnyModel = Parameters<typeof SequenceGenerator.create<object>>[1] &
    Parameters<typeof CausalGenerator.create<object>>[1];
  const own = generation as unknown as AnyModel;
  return generation.kind === "causal"
    ? await CausalGenerator.create(device, own, weights)
    : await SequenceGenerator.create(device, own, weights);
}
