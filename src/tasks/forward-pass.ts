import type { Tensor } from "../graph/tensor.ts";
import type { ForwardOutputs, HostInput, InputName } from "../models/family.ts";
import { completeInputs, inputTensors } from "../models/inputs.ts";
import { parameterTensors } from "../nn/parameters.ts";
import type { Device, Program } from "../runtime/device.ts";
import type { Encoding } from "../tokenizers/encoding.ts";
import { notFinite, QkvError } from "../util/errors.ts";
import { allFinite } from "../util/finite.ts";
import { checkGoing, type TaskControls, type TaskModel } from "./task.ts";

/** What a forward pass can be asked for. */
export type OutputName = Exclude<keyof ForwardOutputs, "loss">;

/** One text's part of an output: rows of `width` numbers, one for each token, or one row for the text. */
export interface OutputRows {
  readonly data: Float32Array;
  readonly width: number;
}

/** Tokens of one batch, padding included. */
const tokensPerBatch = 1024;

const targets: readonly string[] = ["labels", "startPositions", "endPositions"];

/** A model that reads texts as a whole, compiled. */
export class ForwardPass<Name extends OutputName> {
  readonly #opened: TaskModel;
  readonly #program: Program;
  readonly #wanted: ReadonlyMap<Name, Tensor>;

  private constructor(opened: TaskModel, program: Program, wanted: ReadonlyMap<Name, Tensor>) {
    this.#opened = opened;
    this.#program = program;
    this.#wanted = wanted;
  }

  /** @throws QkvError "config" where the model does not give such an output, or needs more than one text */
  static async create<Name extends OutputName>(
    device: Device,
    opened: TaskModel,
    names: readonly Name[],
  ): Promise<ForwardPass<Name>> {
    const { model, folder, weights } = opened;
    if (model.inputs.decoderInputIds !== undefined) {
      throw new QkvError(
        "config",
        `${folder}: ${model.architecture} reads a text only to write another; name a model without a decoder for this`,
      );
    }
    const inputs = Object.keys(model.inputs).filter((name) => !targets.includes(name));
    const outputs = model.forward(parameterTensors(model.parameters), inputTensors(model, inputs));
    const wanted = new Map(
      names.map((name) => {
        const tensor = outputs[name];
        if (tensor !== undefined) return [name, tensor];
        throw new QkvError("config", `${folder}: ${model.architecture} gives no ${name}`);
      }),
    );
    return new ForwardPass(opened, await device.compile(wanted, weights), wanted);
  }

  /**
   * Runs texts of similar length together.
   * @param visit - is told the outputs of each text, in no particular order; its numbers are valid during the call
   */
  async run(
    encodings: readonly Encoding[],
    controls: TaskControls,
    visit: (index: number, outputs: { readonly [Own in Name]: OutputRows }) => void,
  ): Promise<void> {
    const empty = encodings.findIndex(({ ids }) => ids.length === 0);
    if (empty !== -1) {
      throw new QkvError("data", `task: input ${empty + 1} has no tokens; leave empty texts out`);
    }
    const length = (index: number) => encodings[index]!.ids.length;
    const order = [...encodings.keys()].sort((left, right) => length(left) - length(right));
    for (let start = 0; start < order.length; ) {
      checkGoing("task", controls);
      let end = start + 1;
      while (end < order.length && (end + 1 - start) * length(order[end]!) <= tokensPerBatch) end++;
      await this.#runBatch(order.slice(start, end), encodings, visit);
      start = end;
    }
  }

  async #runBatch(
    batch: readonly number[],
    encodings: readonly Encoding[],
    visit: (index: number, outputs: { readonly [Own in Name]: OutputRows }) => void,
  ): Promise<void> {
    const { model, parameters } = this.#opened;
    const longest = Math.max(...batch.map((index) => encodings[index]!.ids.length));
    const padded = (list: (encoding: Encoding) => readonly number[], padding: number): HostInput => {
      const data = new Int32Array(batch.length * longest).fill(padding);
      batch.forEach((index, row) => {
        data.set(list(encodings[index]!), row * longest);
      });
      return { data, shape: [batch.length, longest] };
    };
    const given: { [Own in InputName]?: HostInput } = {
      inputIds: padded(({ ids }) => ids, model.config.padTokenId ?? 0),
      attentionMask: padded(({ attentionMask }) => attentionMask, 0),
    };
    if (model.inputs.tokenTypeIds !== undefined && (model.inputs.tokenTypeIds.below ?? 0) > 1) {
      given.tokenTypeIds = padded(({ typeIds }) => typeIds, 0);
    }
    const values = await this.#program.run(completeInputs(model, given), parameters);
    const read = new Map<Name, { data: Float32Array; shape: readonly number[] }>();
    for (const name of this.#wanted.keys()) {
      const array = values.get(name)!;
      const data = (await array.read()) as Float32Array;
      if (!allFinite(data)) throw notFinite(this.#opened.folder, name);
      read.set(name, { data, shape: array.shape });
    }
    batch.forEach((index, row) => {
      const outputs = {} as { [Own in Name]: OutputRows };
      for (const [name, tensor] of this.#wanted) {
        const { data, shape } = read.get(name)!;
        const size = data.length / batch.length;
        const isByToken = tensor.dims[1]?.name === "sequence";
        const width = isByToken ? size / shape[1]! : size;
        const used = isByToken ? encodings[index]!.ids.length * width : size;
        outputs[name] = { data: data.subarray(row * size, row * size + used), width };
      }
      visit(index, outputs);
    });
    for (const array of values.values()) array.dispose();
  }

  async dispose(): Promise<void> {
    await this.#program.dispose();
  }
}
