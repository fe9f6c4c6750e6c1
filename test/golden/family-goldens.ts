import { dirname } from "node:path";
import { expect } from "vitest";
import { recordAddresses } from "../../src/graph/scope.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { inputsFromJson, inputTensors } from "../../src/models/inputs.ts";
import { parameterTensors } from "../../src/nn/parameters.ts";
import type { Device } from "../../src/runtime/device.ts";
import {
  type ModelFolder,
  type ModelFolderOptions,
  openModelFolder,
} from "../../src/tasks/node/model-folder.ts";
import { huggingFaceOutputs } from "../../src/tasks/node/open-model.ts";
import { readSharedJson, sharedPath } from "../shared.ts";
import { expectClose, readGolden } from "./compare.ts";

type Json = Record<string, unknown>;
interface OutputEntry {
  readonly tensor: string;
  readonly shape: readonly number[];
}
export interface ForwardCase {
  readonly name: string;
  readonly inputs?: Json;
  /** The inputs of another case, to which `extra_inputs` are added. */
  readonly inputs_as?: string;
  readonly extra_inputs?: Json;
  readonly outputs: Readonly<Record<string, OutputEntry | readonly OutputEntry[]>>;
  /** [batch, sequence]: only positions with 1 are compared. */
  readonly compare_mask?: readonly (readonly number[])[];
}
interface Golden {
  readonly architecture: string;
  readonly forward: readonly ForwardCase[];
  readonly tolerance: { readonly atol: number; readonly rtol: number; readonly loss_rtol: number };
}

export const readFamilyGolden = (name: string): Golden =>
  readSharedJson<Golden>(`goldens/${name}/golden.json`);

/** All inputs of a case, as JSON under Hugging Face's names. */
export function inputsOf(golden: Golden, { name, inputs, inputs_as, extra_inputs }: ForwardCase): Json {
  const base = inputs ?? golden.forward.find((other) => other.name === inputs_as)?.inputs;
  if (base === undefined) throw new Error(`the case ${name} has no inputs`);
  return { ...base, ...extra_inputs };
}

/** Runs one forward pass and gives every value that Hugging Face's model gives, with its address. */
export async function runForward(
  device: Device,
  { model, weights, parameters }: Pick<ModelFolder, "model" | "weights" | "parameters">,
  inputs: Json,
): Promise<Map<string, { address: string; shape: readonly number[]; data: Float32Array }>> {
  const feeds = inputsFromJson(model, inputs);
  const { result, addresses } = recordAddresses(() =>
    model.forward(parameterTensors(model.parameters), inputTensors(model, Object.keys(feeds))),
  );
  const wanted = huggingFaceOutputs(model, result, addresses);
  const addressOf = new Map<Tensor, string>([...addresses].map(([address, tensor]) => [tensor, address]));
  const program = await device.compile(wanted, weights);
  const values = await program.run(feeds, parameters);
  const outputs = new Map<string, { address: string; shape: readonly number[]; data: Float32Array }>();
  for (const [name, tensor] of wanted) {
    const array = values.get(name)!;
    const data = Float32Array.from(await array.read());
    outputs.set(name, { address: addressOf.get(tensor) ?? name, shape: array.shape, data });
  }
  await program.dispose();
  return outputs;
}

/**
 * Compares every forward pass of a reference case, value by value in the order in which they arise, so that an error
 * names the first address that differs.
 * @returns the largest absolute error of each output
 */
export async function compareGolden(
  device: Device,
  name: string,
  options: ModelFolderOptions = {},
): Promise<Map<string, number>> {
  const golden = readFamilyGolden(name);
  const folder = await openModelFolder(sharedPath(`goldens/${name}`), { device, ...options });
  expect(folder.model.architecture).toBe(golden.architecture);
  const expected = readGolden(`goldens/${name}/golden.safetensors`);
  const errors = new Map<string, number>();
  for (const forward of golden.forward) {
    const got = await runForward(device, folder, inputsOf(golden, forward));
    for (const { output, tensor } of inOrder(forward)) {
      const value = got.get(output);
      if (value === undefined) throw new Error(`${forward.name}: there is no output ${output}`);
      const want = expected.get(tensor)!;
      const what = `${name} ${forward.name}: ${value.address} (${output})`;
      expect(value.shape, what).toEqual(want.shape);
      const mask = forward.compare_mask;
      const kept = (data: Float32Array) =>
        mask === undefined ? data : keepPositions(data, want.shape, mask, output);
      const { atol, rtol, loss_rtol } = golden.tolerance;
      const tolerance =
        output === "loss" ? { absolute: 0, relative: loss_rtol } : { absolute: atol, relative: rtol };
      const worst = expectClose(what, kept(value.data), kept(want.data), tolerance);
      const kind = output.replace(/\.\d+$/, "");
      errors.set(kind, Math.max(errors.get(kind) ?? 0, worst));
    }
  }
  return errors;
}

/** The outputs of a case in the order in which a model computes them. */
function inOrder(forward: ForwardCase): { output: string; tensor: string }[] {
  const listed = Object.entries(forward.outputs).flatMap(([output, entry]) =>
    Array.isArray(entry)
      ? (entry as OutputEntry[]).map(({ tensor }, index) => ({ output: `${output}.${index}`, tensor }))
      : [{ output, tensor: (entry as OutputEntry).tensor }],
  );
  const rank = (output: string): number => {
    const index = Number(/\.(\d+)$/.exec(output)?.[1] ?? Number.POSITIVE_INFINITY);
    return output.includes("attentions") ? index + 0.5 : index;
  };
  return listed.sort((left, right) => (rank(left.output) < rank(right.output) ? -1 : 1));
}

/** The values at the positions that a mask [batch, sequence] marks; those of attentions by their queries. */
function keepPositions(
  data: Float32Array,
  shape: readonly number[],
  mask: readonly (readonly number[])[],
  output: string,
): Float32Array {
  const axis = output.includes("attentions") ? 2 : 1;
  const width = shape.slice(axis + 1).reduce((left, right) => left * right, 1);
  const positions = shape[axis]!;
  const rowsOfBatch = shape.slice(1, axis).reduce((left, right) => left * right, 1) * positions;
  const kept: number[] = [];
  for (let row = 0; row < data.length / width; row++) {
    if (mask[Math.floor(row / rowsOfBatch)]![row % positions] !== 1) continue;
    kept.push(...data.subarray(row * width, (row + 1) * width));
  }
  return Float32Array.from(kept);
}

/** The folder of a reference case. */
export const goldenFolder = (name: string): string => dirname(sharedPath(`goldens/${name}/config.json`));
