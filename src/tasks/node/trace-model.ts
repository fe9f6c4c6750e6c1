import { readFile } from "node:fs/promises";
import type { ModelOptions } from "../../models/family.ts";
import type { Device } from "../../runtime/device.ts";
import type { TracedValue } from "../../tracing/trace.ts";
import { QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";
import { writeSafetensors } from "../../weights/node/safetensors-file.ts";
import type { StoredTensor } from "../../weights/stored-tensor.ts";
import { OpenModel } from "./open-model.ts";

export interface TraceModelOptions extends ModelOptions {
  /** Which values: addresses or Hugging Face names; * stands for anything. Default: all. */
  readonly addresses?: readonly string[];
}

/**
 * Everything that happens inside a model during one forward pass.
 * @param inputs - under Hugging Face's names, as nested lists: `{ input_ids: [[5, 7]], attention_mask: ... }`;
 *   what is not given takes its default, and labels add a loss
 * @returns values by their addresses, and again under the names that Hugging Face gives them: `logits`, `loss`,
 *   `last_hidden_state`, `hidden_states.0` ...
 */
export async function traceModel(
  device: Device,
  folder: string,
  inputs: unknown,
  { addresses = ["*"], ...options }: TraceModelOptions = {},
): Promise<TracedValue[]> {
  const problemType = options.problemType ?? problemTypeOf(inputs);
  const model = await OpenModel.open(device, folder, {
    ...options,
    withTokenizers: false,
    ...(problemType !== undefined && { problemType }),
  });
  try {
    return await model.run(inputs, { addresses });
  } finally {
    await model.dispose();
  }
}

/** Labels of whole texts that are lists of truth values tell that any number of classes may hold. */
function problemTypeOf(inputs: unknown): ModelOptions["problemType"] {
  const labels = (inputs as { labels?: unknown } | null)?.labels;
  return Array.isArray(labels) && Array.isArray(labels[0]) ? "multi-label" : undefined;
}

/** Inputs for `traceModel` from a JSON file. */
export async function readTraceInputs(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw fileError(path, "cannot read", cause);
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new QkvError("data", `${path}: must be JSON; got ${(cause as Error).message}`, { cause });
  }
}

/** Writes traced values as float32 into a safetensors file. */
export async function writeTrace(path: string, values: readonly TracedValue[]): Promise<void> {
  const tensors = new Map<string, StoredTensor>();
  for (const { address, shape, data } of values) {
    tensors.set(address, {
      dtype: "F32",
      shape,
      data: data instanceof Float32Array ? data : Float32Array.from(data),
    });
  }
  await writeSafetensors(path, tensors);
}
