import { input, rename } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { CausalLanguageModel } from "../models/generative.ts";
import { parameterTensors } from "../nn/parameters.ts";
import type { CompileOptions, Device, DeviceArray, Feed, Program } from "../runtime/device.ts";
import { QkvError } from "../util/errors.ts";
import {
  type DecodingBatch,
  decode,
  endIdsOf,
  type GenerationControls,
  hypothesisCount,
  roomAfter,
  startSearches,
} from "./decode.ts";
import { checkDecodingOptions, checkTokenIds, type DecodingOptions } from "./decoding-options.ts";
import {
  HypothesisCaches,
  isKeyValueName,
  keyValueInputs,
  keyValueOutputs,
  pastInputs,
} from "./hypothesis-caches.ts";
import { candidateCount } from "./processor-chain.ts";
import type { Hypothesis } from "./search.ts";
import { StepScores, scoreOutputs } from "./step-scores.ts";

/** Token ids of one text each, of any lengths. */
export type Prompts = readonly (readonly number[])[];

/** What a call of a decoder-only model may have besides. */
export interface PromptControls extends GenerationControls {
  /**
   * For each prompt and token 1, or 0 where it is not to be looked at (and has no position). Processors that look
   * for tokens that occurred see those too. Default: all are looked at.
   */
  readonly promptMasks?: Prompts | undefined;
}

const forbidden = -1e9;

/** Goes on from batches of prompts. */
export class CausalGenerator<Tree extends object> {
  readonly #device: Device;
  readonly #model: CausalLanguageModel<Tree>;
  readonly #compileOptions: CompileOptions;
  readonly #vocabSize: number;
  readonly #reader: Program;
  readonly #steps = new Map<string, Promise<Program>>();

  private constructor(
    device: Device,
    model: CausalLanguageModel<Tree>,
    options: CompileOptions,
    vocabSize: number,
    reader: Program,
  ) {
    this.#device = device;
    this.#model = model;
    this.#compileOptions = options;
    this.#vocabSize = vocabSize;
    this.#reader = reader;
  }

  /** @param options - whether parameters become part of the programs or are given at each call */
  static async create<Tree extends object>(
    device: Device,
    model: CausalLanguageModel<Tree>,
    options: CompileOptions = {},
  ): Promise<CausalGenerator<Tree>> {
    const { logits, present } = promptGraph(model);
    // All scores: they come once, and so any options can do with this one program.
    const outputs = new Map([...scoreOutputs(logits, 0), ...keyValueOutputs(present)]);
    const reader = await device.compile(outputs, options);
    return new CausalGenerator(device, model, options, logits.dims.at(-1)!.size as number, reader);
  }

  /**
   * Generates what follows each prompt, all as one batch.
   * @param parameters - those that did not become part of the programs
   * @returns for each prompt its hypotheses, best first; their tokens are those after the prompt
   * @throws QkvError "option" for options that cannot be, "data" for prompts that cannot be, "interrupted" where the
   *   signal asks for it
   */
  async generate(
    prompts: Prompts,
    options: Partial<DecodingOptions>,
    parameters: ReadonlyMap<string, DeviceArray> = new Map(),
    controls: PromptControls = {},
  ): Promise<Hypothesis[][]> {
    const checked = checkDecodingOptions(options);
    if (prompts.length === 0) return [];
    checkTokenIds(checked, this.#vocabSize);
    const model = this.#model;
    const endIds = endIdsOf(checked, model.eosTokenId);
    const padded = paddedPrompts(prompts, controls.promptMasks, model);
    const rooms = padded.lengths.map((length) => roomAfter(length, model.maxPositions));
    const searches = startSearches(prompts, rooms, checked, endIds, controls);

    const hypotheses = hypothesisCount(checked);
    const step = await this.#stepProgram(hypotheses, candidateCount(checked, endIds, this.#vocabSize));
    const { ids, positions, present } = padded;
    const read = await this.#reader.run({ ids, positions, present }, parameters);
    const first = await StepScores.read(read, 1);
    const promptMask = this.#device.allocate("float32", present.shape);
    await promptMask.write(Float32Array.from(present.data, (value) => (value === 1 ? 0 : forbidden)));
    const batch = new PromptBatch(
      this.#device,
      step,
      parameters,
      new HypothesisCaches(this.#device, model, prompts.length, hypotheses),
      new Map([...read].filter(([name]) => isKeyValueName(name))),
      promptMask,
      padded.lengths,
      model.maxPositions,
      hypotheses,
    );
    return await decode(searches, hypotheses, first, batch, controls.signal);
  }

  /** The program of one step: the `candidates` likeliest tokens of each hypothesis, or with 0 all scores. */
  #stepProgram(beams: number, candidates: number): Promise<Program> {
    const key = `${beams}/${candidates}`;
    let program = this.#steps.get(key);
    if (program === undefined) {
      program = this.#device.compile(stepOutputs(this.#model, beams, candidates), this.#compileOptions);
      this.#steps.set(key, program);
    }
    return program;
  }

  async dispose(): Promise<void> {
    await this.#reader.dispose();
    for (const program of this.#steps.values()) await (await program).dispose();
  }
}

/** Prompts side by side, padded on the left, with each token's position. */
function paddedPrompts(
  prompts: Prompts,
  masks: Prompts | undefined,
  { padTokenId, maxPositions }: { readonly padTokenId: number; readonly maxPositions: number },
) {
  const width = Math.max(...prompts.map((prompt) => prompt.length));
  const shape = [prompts.length, width];
  const ids = { data: new Int32Array(prompts.length * width).fill(padTokenId), shape };
  const positions = { data: new Int32Array(prompts.length * width), shape };
  const present = { data: new Uint8Array(prompts.length * width), shape };
  const lengths = prompts.map((prompt, row) => {
    const end = (row + 1) * width;
    let length = 0;
    prompt.forEach((id, index) => {
      const place = end - prompt.length + index;
      ids.data[place] = id;
      if (masks !== undefined && masks[row]?.[index] !== 1) return;
      present.data[place] = 1;
      positions.data[place] = length++;
    });
    if (present.data[end - 1] !== 1) {
      throw new QkvError(
        "data",
        `generation: a prompt must end with a token that is looked at; got ${prompt.length === 0 ? "an empty one" : "padding at its end"} (prompt ${row + 1}); pad on the left`,
      );
    }
    if (length > maxPositions) {
      throw new QkvError(
        "data",
        `generation: a prompt may have the model's ${maxPositions} positions at most; got ${length} tokens (prompt ${row + 1}); cut it`,
      );
    }
    return length;
  });
  return { ids, positions, present, lengths };
}

function promptGraph<Tree extends object>(model: CausalLanguageModel<Tree>) {
  const dims = [dim("batch"), dim("sequence", "prompt")];
  return model.prompt(
    parameterTensors(model.parameters),
    input("ids", dims, "int32"),
    input("positions", dims, "int32"),
    input("present", dims, "bool"),
  );
}

function stepOutputs<Tree extends object>(
  model: CausalLanguageModel<Tree>,
  beams: number,
  candidates: number,
): Map<string, Tensor> {
  const batch = dim("batch");
  const each = [batch, dim("beam", beams)];
  const key = dim("key", "prompt");
  const prompt = [batch, dim("head", model.headCount), key, dim("headDim", model.headDim)];
  const { past, pastMask } = pastInputs(model, beams);
  const { logits, present } = model.step(
    parameterTensors(model.parameters),
    input("ids", each, "int32"),
    input("positions", each, "int32"),
    keyValueInputs("prompt", model.layerCount, prompt),
    input("promptMask", [batch, key]),
    past,
    pastMask,
  );
  const own = present.map(({ keys, values }) => ({
    keys: rename(keys, { key: "query" }),
    values: rename(values, { key: "query" }),
  }));
  return new Map([...scoreOutputs(logits, candidates), ...keyValueOutputs(own)]);
}

/** Prompts that were read, and what was generated after them. */
class PromptBatch implements DecodingBatch {
  readonly #device: Device;
  readonly #step: Program;
  readonly #parameters: ReadonlyMap<string, DeviceArray>;
  readonly #caches: HypothesisCaches;
  readonly #maxPositions: number;
  readonly #hypotheses: number;
  /** Keys and values that all hypotheses of a sequence share: those of the prompt, and of how they all begin. */
  #shared: ReadonlyMap<string, DeviceArray>;
  #sharedMask: DeviceArray;
  /** Of each sequence the place of the next token. */
  #places: readonly number[];

  constructor(
    device: Device,
    step: Program,
    parameters: ReadonlyMap<string, DeviceArray>,
    caches: HypothesisCaches,
    prompt: ReadonlyMap<string, DeviceArray>,
    promptMask: DeviceArray,
    lengths: readonly number[],
    maxPositions: number,
    hypotheses: number,
  ) {
    this.#device = device;
    this.#step = step;
    this.#parameters = parameters;
    this.#caches = caches;
    this.#shared = prompt;
    this.#sharedMask = promptMask;
    this.#places = lengths;
    this.#maxPositions = maxPositions;
    this.#hypotheses = hypotheses;
  }

  async next(tokens: Int32Array): Promise<StepScores> {
    if (this.#caches.isFull && this.#hypotheses > 1) await this.#shareCommon();
    const hypotheses = this.#hypotheses;
    const shape = [this.#places.length, hypotheses];
    // A sequence that is done may stay in the batch beyond the last position; what it gives is not looked at.
    const last = this.#maxPositions - 1;
    const positions = this.#places.flatMap((place) => Array<number>(hypotheses).fill(Math.min(place, last)));
    const feeds: Record<string, Feed> = {
      ...this.#caches.feeds(),
      ids: { data: tokens, shape },
      positions: { data: Int32Array.from(positions), shape },
      promptMask: this.#sharedMask,
    };
    for (const [name, array] of this.#shared) feeds[`prompt.${name}`] = array;
    const results = await this.#step.run(feeds, this.#parameters);
    this.#caches.append(results);
    this.#places = this.#places.map((place) => place + 1);
    return await StepScores.read(results, hypotheses);
  }

  reorder(parents: Int32Array): void {
    this.#caches.reorder(parents);
  }

  select(sequences: readonly number[]): void {
    const chosen = (array: DeviceArray) => this.#device.selectRows(array, sequences);
    this.#caches.select(sequences);
    this.#shared = new Map([...this.#shared].map(([name, array]) => [name, chosen(array)]));
    this.#sharedMask = chosen(this.#sharedMask);
    this.#places = sequences.map((sequence) => this.#places[sequence]!);
  }

  /**
   * Beams mostly agree on all but the last tokens. Instead of letting the caches of all hypotheses grow, one copy is
   * kept of what they have in common, where that is much.
   */
  async #shareCommon(): Promise<void> {
    const common = this.#caches.commonLength();
    if (common < this.#caches.length / 2) return;
    this.#shared = this.#caches.takeCommon(this.#shared, common);
    const [batch, width] = this.#sharedMask.shape as [number, number];
    const before = (await this.#sharedMask.read()) as Float32Array;
    const mask = new Float32Array(batch * (width + common));
    for (let row = 0; row < batch; row++) {
      mask.set(before.subarray(row * width, (row + 1) * width), row * (width + common));
    }
    this.#sharedMask = this.#device.allocate("float32", [batch, width + common]);
    await this.#sharedMask.write(mask);
  }
}
