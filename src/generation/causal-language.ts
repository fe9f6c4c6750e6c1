import { input } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import type { CausalLanguageModel, DecoderStep } from "../models/generative.ts";
import { parameterTensors } from "../nn/parameters.ts";
import type { CompileOptions, Device, DeviceArray, Feed, Program } from "../runtime/device.ts";
import { QkvError } from "../util/errors.ts";
import { type BatchParts, CachedBatch } from "./cached-batch.ts";
import {
  type DecodingBatch,
  decode,
  endIdsOf,
  type GenerationControls,
  hypothesisCount,
  roomAfter,
  startSearches,
} from "./decode.ts";
import { checkDecodingOptions, checkRows, checkTokenIds, type DecodingOptions } from "./decoding-options.ts";
import {
  HypothesisCaches,
  isKeyValueName,
  keyValueInputs,
  keyValueOutputs,
  pastInputs,
} from "./hypothesis-caches.ts";
import { candidateCount } from "./processor-chain.ts";
import type { Hypothesis } from "./search.ts";
import { StepPrograms } from "./step-programs.ts";
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
  readonly #vocabSize: number;
  readonly #reader: Program;
  readonly #steps: StepPrograms;

  private constructor(
    device: Device,
    model: CausalLanguageModel<Tree>,
    vocabSize: number,
    reader: Program,
    options: CompileOptions,
  ) {
    this.#device = device;
    this.#model = model;
    this.#vocabSize = vocabSize;
    this.#reader = reader;
    this.#steps = new StepPrograms(device, (beams) => buildStep(model, beams), options);
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
    // It runs once for a batch of prompts: too seldom for a second copy of all weights, laid out anew.
    const reader = await device.compile(outputs, { ...options, prepacking: false });
    return new CausalGenerator(device, model, logits.dims.at(-1)!.size as number, reader, options);
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
    checkRows("prompt", prompts, this.#vocabSize);
    const model = this.#model;
    const endIds = endIdsOf(checked, model.eosTokenId);
    const padded = paddedPrompts(prompts, controls.promptMasks, model);
    const rooms = padded.lengths.map((length) => roomAfter(length, model.maxPositions));
    const searches = startSearches(prompts, rooms, checked, endIds, controls);

    const hypotheses = hypothesisCount(checked);
    const step = await this.#steps.get(hypotheses, candidateCount(checked, endIds, this.#vocabSize));
    const { ids, positions, present } = padded;
    const read = await this.#reader.run({ ids, positions, present }, parameters);
    const first = await StepScores.read(read, 1);
    const promptMask = this.#device.allocate("float32", present.shape);
    await promptMask.write(Float32Array.from(present.data, (value) => (value === 1 ? 0 : forbidden)));
    const shared = new Map(
      [...read].filter(([name]) => isKeyValueName(name)).map(([name, array]) => [promptName(name), array]),
    );
    shared.set(maskName, promptMask);
    const caches = new HypothesisCaches(this.#device, model, prompts.length, hypotheses);
    const parts = { device: this.#device, step, parameters, caches, hypotheses, shared };
    const batch = new PromptBatch(parts, padded.lengths, model.maxPositions);
    return await decode(searches, hypotheses, first, batch, controls.signal);
  }

  async dispose(): Promise<void> {
    await this.#reader.dispose();
    await this.#steps.dispose();
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

function buildStep<Tree extends object>(model: CausalLanguageModel<Tree>, beams: number): DecoderStep {
  const batch = dim("batch");
  const each = [batch, dim("beam", beams)];
  const key = dim("key", "prompt");
  const prompt = [batch, dim("head", model.headCount), key, dim("headDim", model.headDim)];
  const { past, pastMask } = pastInputs(model, beams);
  return model.step(
    parameterTensors(model.parameters),
    input("ids", each, "int32"),
    input("positions", each, "int32"),
    keyValueInputs("prompt", model.layerCount, prompt),
    input(maskName, [batch, key]),
    past,
    pastMask,
  );
}

const maskName = "promptMask";
const promptName = (name: string): string => `prompt.${name}`;

/**
 * Prompts that were read, and what was generated after them. All hypotheses of a sequence share the prompt's keys and
 * values, and those of how they all begin.
 */
class PromptBatch implements DecodingBatch {
  readonly #parts: BatchParts;
  readonly #batch: CachedBatch;
  readonly #maxPositions: number;
  /** Of each sequence the place of the next token. */
  #places: readonly number[];

  constructor(parts: BatchParts, lengths: readonly number[], maxPositions: number) {
    this.#parts = parts;
    this.#batch = new CachedBatch(parts, () => ({ positions: this.#positions() }));
    this.#places = lengths;
    this.#maxPositions = maxPositions;
  }

  async next(tokens: Int32Array): Promise<StepScores> {
    if (this.#parts.caches.isFull && this.#parts.hypotheses > 1) await this.#shareCommon();
    const scores = await this.#batch.next(tokens);
    this.#places = this.#places.map((place) => place + 1);
    return scores;
  }

  reorder(parents: Int32Array): void {
    this.#batch.reorder(parents);
  }

  select(sequences: readonly number[]): void {
    this.#batch.select(sequences);
    this.#places = sequences.map((sequence) => this.#places[sequence]!);
  }

  /** [batch, beam]: the places of the next tokens. */
  #positions(): Feed {
    const { hypotheses } = this.#parts;
    // A sequence that is done may stay in the batch beyond the last position; what it gives is not looked at.
    const last = this.#maxPositions - 1;
    const positions = this.#places.flatMap((place) => Array<number>(hypotheses).fill(Math.min(place, last)));
    return { data: Int32Array.from(positions), shape: [this.#places.length, hypotheses] };
  }

  /**
   * Beams mostly agree on all but the last tokens. Instead of letting the caches of all hypotheses grow, one copy is
   * kept of what they have in common, where that is much.
   */
  async #shareCommon(): Promise<void> {
    const { caches, device } = this.#parts;
    const common = caches.commonLength();
    if (common < caches.length / 2) return;
    const { [maskName]: before, ...prompt } = Object.fromEntries(this.#batch.shared);
    const [batch, width] = before!.shape as [number, number];
    const old = (await before!.read()) as Float32Array;
    const mask = new Float32Array(batch * (width + common));
    for (let row = 0; row < batch; row++) {
      mask.set(old.subarray(row * width, (row + 1) * width), row * (width + common));
    }
    const array = device.allocate("float32", [batch, width + common]);
    await array.write(mask);
    const shared = caches.takeCommon(new Map(Object.entries(prompt)), common, promptName);
    this.#batch.shared = shared.set(maskName, array);
  }
}
