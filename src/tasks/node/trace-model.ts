import { readFile } from "node:fs/promises";
import { named, recordAddresses } from "../../graph/scope.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { ForwardOutputs, Model, ModelOptions } from "../../models/family.ts";
import { inputsFromJson, inputTensors } from "../../models/inputs.ts";
import { parameterTensors } from "../../nn/parameters.ts";
import type { Device } from "../../runtime/device.ts";
import { type TracedValue, trace } from "../../tracing/trace.ts";
import { QkvError } from "../../util/errors.ts";
import { fileError } from "../../util/node/file-error.ts";
import { snakeCase } from "../../util/spelling.ts";
import { writeSafetensors } from "../../weights/node/safetensors-file.ts";
import type { StoredTensor } from "../../weights/stored-tensor.ts";
import { openModelFolder } from "./model-folder.ts";

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
  options: TraceModelOptions = {},
): Promise<TracedValue[]> {
  const problemType = options.problemType ?? problemTypeOf(inputs);
  const { model, weights, parameters } = await openModelFolder(folder, {
    ...options,
    device,
    withTokenizers: false,
    ...(problemType !== undefined && { problemType }),
  });
  const feeds = inputsFromJson(model, inputs);
  const build = () => {
    const tensors = inputTensors(model, Object.keys(feeds));
    const { result, addresses } = recordAddresses(() =>
      model.forward(parameterTensors(model.parameters), tensors),
    );
    for (const [address, tensor] of addresses) named(address, tensor);
    for (const [name, tensor] of huggingFaceOutputs(model, result, addresses)) named(name, tensor);
  };
  return await trace(device, build, feeds, { ...weights, addresses: options.addresses ?? ["*"] }, parameters);
}

/** The values of a forward pass under the names that Hugging Face gives them. */
export function huggingFaceOutputs(
  model: Pick<Model, "layerOutputs">,
  outputs: ForwardOutputs,
  addresses: ReadonlyMap<string, Tensor>,
): Map<string, Tensor> {
  const byName = new Map<string, Tensor>();
  const { loss, ...others } = outputs;
  for (const [name, tensor] of Object.entries(others)) byName.set(snakeCase(name), tensor);
  if (loss !== undefined) byName.set("loss", loss.mean);
  for (const [name, list] of Object.entries(model.layerOutputs)) {
    list.forEach((address, index) => {
      const tensor = addresses.get(address);
      if (tensor === undefined)
        throw new QkvError("internal", `${name}.${index}: no value has the address ${address}`);
      byName.set(`${name}.${index}`, tensor);
    });
  }
  return byName;
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
