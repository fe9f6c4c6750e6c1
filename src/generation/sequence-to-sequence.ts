import { input, rename } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { SequenceToSequence } from "../models/generative.ts";
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
import { HypothesisCaches, keyValueInputs, keyValueOutputs, pastInputs } from "./hypothesis-caches.ts";
import { candidateCount } from "./processor-chain.ts";
import type { Hypothesis } from "./search.ts";
import { StepScores, scoreOutputs } from "./step-scores.ts";

/** Token ids of one source each, of any lengths. */
export type Sources = readonly (readonly number[])[];

/** What a call of an encoder-decoder may have besides. */
export interface SourceControls extends GenerationControls {
  /** For each source and token 1, or 0 where it is not to be looked at; default: all are looked at. */
  readonly sourceMasks?: Sources | undefined;
  /** The first tokens of each target, the start token included; all equally long. Default: the start token. */
  readonly targetPrompts?: Sources | undefined;
}

/** Generates targets for batches of sources. */
export class SequenceGenerator<Tree extends object> {
  readonly #device: Device;
  readonly #model: SequenceToSequence<Tree>;
  readonly #compileOptions: CompileOptions;
  readonly #vocabSize: number;
  readonly #encoder: Program;
  readonly #steps = new Map<string, Promise<Program>>();

  private constructor(
    device: Device,
    model: SequenceToSequence<Tree>,
    options: CompileOptions,
    encoder: Program,
  ) {
    this.#device = device;
    this.#model = model;
    this.#compileOptions = options;
    this.#vocabSize = stepGraph(model, 1).logits.dims.at(-1)!.size as number;
    this.#encoder = encoder;
  }

  /** @param options - whether parameters become part of the programs or are given at each call */
  static async create<Tree extends object>(
    device: Device,
    model: SequenceToSequence<Tree>,
    options: CompileOptions = {},
  ): Promise<SequenceGenerator<Tree>> {
    const encoder = await device.compile(encoderOutputs(model), options);
    return new SequenceGenerator(device, model, options, encoder);
  }

  /**
   * Generates the target of each source, all as one batch.
   * @param parameters - those that did not become part of the programs
   * @returns for each source its hypotheses, best first
   * @throws QkvError "option" for options that cannot be, "data" for sources and prompts that cannot be,
   *   "interrupted" where the signal asks for it
   */
  async generate(
    sources: Sources,
    options: Partial<DecodingOptions>,
    parameters: ReadonlyMap<string, DeviceArray> = new Map(),
    controls: SourceControls = {},
  ): Promise<Hypothesis[][]> {
    const checked = checkDecodingOptions(options);
    if (sources.length === 0) return [];
    checkTokenIds(checked, this.#vocabSize);
    const model = this.#model;
    const endIds = endIdsOf(checked, model.eosTokenId);
    const start = checked.decoderStartTokenId ?? model.bosTokenId;
    const prompts = controls.targetPrompts ?? sources.map(() => [start]);
    const prefix = checkTargetPrompts(prompts, sources.length, model.maxPositions);
    const rooms = sources.map(() => roomAfter(prefix, model.maxPositions));
    const searches = startSearches(prompts, rooms, checked, endIds, controls);

    const hypotheses = hypothesisCount(checked);
    const step = await this.#stepProgram(hypotheses, candidateCount(checked, endIds, this.#vocabSize));
    const { ids, present } = paddedSources(sources, controls.sourceMasks, model.padTokenId);
    const encoded = await this.#encoder.run({ source: ids, sourcePresent: present }, parameters);
    const presentArray = this.#device.allocate("bool", present.shape);
    await presentArray.write(present.data);
    const caches = new HypothesisCaches(this.#device, model, sources.length, hypotheses);
    const batch = new SourceBatch(this.#device, step, parameters, caches, encoded, presentArray, hypotheses);
    let scores: StepScores | undefined;
    for (let position = 0; position < prefix; position++) {
      const tokens = prompts.flatMap((prompt) => Array<number>(hypotheses).fill(prompt[position]!));
      scores = await batch.next(Int32Array.from(tokens));
    }
    return await decode(searches, hypotheses, scores!, batch, controls.signal);
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
    await this.#encoder.dispose();
    for (const program of this.#steps.values()) await (await program).dispose();
  }
}

/** The length that all prompts have. */
function checkTargetPrompts(prompts: Sources, sourceCount: number, maxPositions: number): number {
  const length = prompts[0]!.length;
  const problem =
    prompts.length !== sourceCount
      ? `as many as sources; got ${prompts.length} for ${sourceCount}`
      : prompts.some((prompt) => prompt.length !== length || length === 0)
        ? `all equally long and not empty; got ${prompts.map((prompt) => prompt.length).join(", ")} tokens`
        : length > maxPositions
          ? `no longer than the model's ${maxPositions} positions; got ${length} tokens`
          : undefined;
  if (problem !== undefined) throw new QkvError("data", `generation: target prompts must be ${problem}`);
  return length;
}

/** Sources side by side, padded at the end, and which of their tokens are to be looked at. */
function paddedSources(sources: Sources, masks: Sources | undefined, padTokenId: number) {
  const width = Math.max(1, ...sources.map((source) => source.length));
  const shape = [sources.length, width];
  const ids = { data: new Int32Array(sources.length * width).fill(padTokenId), shape };
  const present = { data: new Uint8Array(sources.length * width), shape };
  sources.forEach((source, row) => {
    ids.data.set(source, row * width);
    present.data.set(masks?.[row] ?? source.map(() => 1), row * width);
  });
  return { ids, present };
}

function encoderOutputs<Tree extends object>(model: SequenceToSequence<Tree>): Map<string, Tensor> {
  const dims = [dim("batch"), dim("sequence", "source")];
  const source = input("source", dims, "int32");
  const present = input("sourcePresent", dims, "bool");
  return keyValueOutputs(model.source(parameterTensors(model.parameters), source, present));
}

function stepGraph<Tree extends object>(model: SequenceToSequence<Tree>, beams: number) {
  const batch = dim("batch");
  const beam = dim("beam", beams);
  const source = [batch, dim("head", model.headCount), dim("key", "source"), dim("headDim", model.headDim)];
  const { past, pastMask } = pastInputs(model, beams);
  return model.step(
    parameterTensors(model.parameters),
    input("ids", [batch, beam], "int32"),
    // One number for all: it is repeated for each hypothesis by the embedding of positions.
    input("position", [beam], "int32"),
    past,
    pastMask,
    keyValueInputs("source", model.layerCount, source),
    input("sourcePresent", [batch, dim("sequence", "source")], "bool"),
  );
}

function stepOutputs<Tree extends object>(
  model: SequenceToSequence<Tree>,
  beams: number,
  candidates: number,
): Map<string, Tensor> {
  const { logits, present } = stepGraph(model, beams);
  const own = present.map(({ keys, values }) => ({
    keys: rename(keys, { key: "query" }),
    values: rename(values, { key: "query" }),
  }));
  return new Map([...scoreOutputs(logits, candidates), ...keyValueOutputs(own)]);
}

/** Sources that were read, and what was generated for them. */
class SourceBatch implements DecodingBatch {
  readonly #device: Device;
  readonly #step: Program;
  readonly #parameters: ReadonlyMap<string, DeviceArray>;
  readonly #caches: HypothesisCaches;
  readonly #hypotheses: number;
  #encoded: ReadonlyMap<string, DeviceArray>;
  #present: DeviceArray;

  constructor(
    device: Device,
    step: Program,
    parameters: ReadonlyMap<string, DeviceArray>,
    caches: HypothesisCaches,
    encoded: ReadonlyMap<string, DeviceArray>,
    present: DeviceArray,
    hypotheses: number,
  ) {
    this.#device = device;
    this.#step = step;
    this.#parameters = parameters;
    this.#caches = caches;
    this.#encoded = encoded;
    this.#present = present;
    this.#hypotheses = hypotheses;
  }

  async next(tokens: Int32Array): Promise<StepScores> {
    const hypotheses = this.#hypotheses;
    const feeds: Record<string, Feed> = {
      ...this.#caches.feeds(),
      ids: { data: tokens, shape: [tokens.length / hypotheses, hypotheses] },
      position: { data: new Int32Array(hypotheses).fill(this.#caches.length), shape: [hypotheses] },
      sourcePresent: this.#present,
    };
    for (const [name, array] of this.#encoded) feeds[`source.${name}`] = array;
    const results = await this.#step.run(feeds, this.#parameters);
    this.#caches.append(results);
    return await StepScores.read(results, hypotheses);
  }

  reorder(parents: Int32Array): void {
    this.#caches.reorder(parents);
  }

  select(sequences: readonly number[]): void {
    const chosen = (array: DeviceArray) => this.#device.selectRows(array, sequences);
    this.#caches.select(sequences);
    this.#encoded = new Map([...this.#encoded].map(([name, array]) => [name, chosen(array)]));
    this.#present = chosen(this.#present);
  }
}
