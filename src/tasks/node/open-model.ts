import type { GenerationControls } from "../../generation/decode.ts";
import type { Hypothesis } from "../../generation/search.ts";
import { named, recordAddresses } from "../../graph/scope.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { ForwardOutputs, Model } from "../../models/family.ts";
import { inputsFromJson, inputTensors } from "../../models/inputs.ts";
import { parameterTensors } from "../../nn/parameters.ts";
import type { Device } from "../../runtime/device.ts";
import { selectAddresses, Trace, type TracedValue } from "../../tracing/trace.ts";
import { QkvError } from "../../util/errors.ts";
import { snakeCase } from "../../util/spelling.ts";
import { type AnyGenerator, generatorOf } from "../generator-of-model.ts";
import { type WrittenIds, writeFromIds } from "./generate-ids.ts";
import { type ModelFolder, type ModelFolderOptions, openModelFolder } from "./model-folder.ts";

/** What of a forward pass is wanted. */
export interface WantedValues {
  /** What the model gives in the end: `logits`, `last_hidden_state`, with labels `loss` ... Default: no. */
  readonly outputs?: boolean;
  /** `hidden_states.0` ... Default: no. */
  readonly hiddenStates?: boolean;
  /** `attentions.0` ... Default: no. */
  readonly attentions?: boolean;
  /** Further addresses or names; * stands for anything. */
  readonly addresses?: readonly string[];
}

/** What was written, and what the model saw when it wrote that. */
export interface WrittenWithValues {
  readonly hypotheses: readonly Hypothesis[];
  /** How many beams there were. */
  readonly beams: number;
  readonly values: readonly TracedValue[];
}

/** A model of any family, ready for forward passes with any value on the way, and for writing. */
export class OpenModel {
  readonly #device: Device;
  readonly #opened: ModelFolder;
  readonly #passes = new Map<string, Promise<Trace>>();
  #generator: Promise<AnyGenerator> | undefined;

  private constructor(device: Device, opened: ModelFolder) {
    this.#device = device;
    this.#opened = opened;
  }

  static async open(device: Device, folder: string, options: ModelFolderOptions = {}): Promise<OpenModel> {
    return new OpenModel(device, await openModelFolder(folder, { ...options, device }));
  }

  get architecture(): string {
    return this.#opened.model.architecture;
  }

  /**
   * One forward pass.
   * @param inputs - under Hugging Face's names, as nested lists
   * @returns the wanted values; their numbers are valid until the next call
   */
  async run(inputs: unknown, wanted: WantedValues): Promise<TracedValue[]> {
    const feeds = inputsFromJson(this.#opened.model, inputs);
    const pass = await this.#pass(Object.keys(feeds), wanted);
    return await pass.run(feeds, this.#opened.parameters);
  }

  /**
   * Writes after token ids, as `generateFromIds` does, and shows what the model saw at each step. No position sees a
   * later one, so one forward pass over all that was written gives the values that its steps had.
   * @param wanted - the values are those of `run` for each hypothesis: its prompt and all but the last of its tokens,
   *   padded on the right
   */
  async write(
    inputs: unknown,
    options: unknown,
    wanted: WantedValues,
    controls: Pick<GenerationControls, "signal">,
  ): Promise<WrittenWithValues> {
    this.#generator ??= generatorOf(this.#device, this.#opened);
    const written = await writeFromIds(this.#opened, await this.#generator, inputs, options, controls);
    const { hypotheses, decoding } = written;
    const isAsked = Object.values(wanted).some((value) => value === true || Array.isArray(value));
    const values = isAsked ? await this.run(inputsOfWritten(written), wanted) : [];
    return { hypotheses, beams: decoding.numBeams ?? 1, values };
  }

  /** The forward pass with these inputs that gives these values, compiled once. */
  #pass(names: readonly string[], wanted: WantedValues): Promise<Trace> {
    const key = JSON.stringify([names.toSorted(), wanted]);
    let pass = this.#passes.get(key);
    if (pass === undefined) {
      pass = this.#compile(names, wanted);
      this.#passes.set(key, pass);
    }
    return pass;
  }

  #compile(names: readonly string[], wanted: WantedValues): Promise<Trace> {
    const { model, weights } = this.#opened;
    let outputs: ReadonlyMap<string, Tensor> = new Map();
    const build = () => {
      const { result, addresses } = recordAddresses(() =>
        model.forward(parameterTensors(model.parameters), inputTensors(model, names)),
      );
      outputs = huggingFaceOutputs(model, result, addresses);
      for (const [address, tensor] of [...addresses, ...outputs]) named(address, tensor);
    };
    const select = (addresses: ReadonlyMap<string, Tensor>) =>
      new Map([
        ...[...outputs].filter(([name]) => isWanted(name, wanted)),
        ...selectAddresses(addresses, wanted.addresses ?? []),
      ]);
    return Trace.compile(this.#device, build, select, weights);
  }

  async dispose(): Promise<void> {
    for (const pass of this.#passes.values()) await (await pass).dispose();
    await (await this.#generator)?.dispose();
  }
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

/** @param name - one of `huggingFaceOutputs` */
function isWanted(name: string, { outputs, hiddenStates, attentions }: WantedValues): boolean {
  const list = /^(.+)\.\d+$/.exec(name)?.[1];
  if (list === undefined) return outputs === true;
  return list.endsWith("attentions") ? attentions === true : hiddenStates === true;
}

/** What a model read until it wrote the last token of each hypothesis, as inputs of a forward pass. */
function inputsOfWritten({ hypotheses, ids, masks, targetPrompts }: WrittenIds): Record<string, number[][]> {
  const perInput = hypotheses.length / ids.length;
  const eachRow = (rows: readonly (readonly number[])[]) =>
    hypotheses.map((_, place) => rows[Math.floor(place / perInput)]!);
  const before = eachRow(targetPrompts ?? ids);
  const rows = hypotheses.map(({ tokens }, place) => [...before[place]!, ...tokens.slice(0, -1)]);
  const length = Math.max(...rows.map((row) => row.length));
  const padded = (row: readonly number[]) => [...row, ...Array<number>(length - row.length).fill(0)];
  const [inputIds, ofInputs] = [rows.map(padded), eachRow(masks)];
  if (targetPrompts !== undefined) {
    return {
      input_ids: eachRow(ids).map((row) => [...row]),
      attention_mask: ofInputs.map((row) => [...row]),
      decoder_input_ids: inputIds,
      decoder_attention_mask: rows.map((row) => padded(row.map(() => 1))),
    };
  }
  const present = rows.map((row, place) => padded(row.map((_, index) => ofInputs[place]![index] ?? 1)));
  const positions = present.map((mask) => {
    let count = 0;
    return mask.map((one) => (one === 1 ? count++ : 0));
  });
  return { input_ids: inputIds, attention_mask: present, position_ids: positions };
}
