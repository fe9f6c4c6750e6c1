import { input } from "../graph/build.ts";
import { dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { DecoderStep, SequenceToSequence } from "../models/generative.ts";
import { parameterTensors } from "../nn/parameters.ts";
import type { CompileOptions, Device, DeviceArray, Program } from "../runtime/device.ts";
import { QkvError } from "../util/errors.ts";
import { CachedBatch } from "./cached-batch.ts";
import {
  decode,
  endIdsOf,
  type GenerationControls,
  hypothesisCount,
  roomAfter,
  startSearches,
} from "./decode.ts";
import { checkDecodingOptions, checkRows, checkTokenIds, type DecodingOptions } from "./decoding-options.ts";
import { HypothesisCaches, keyValueInputs, keyValueOutputs, pastInputs } from "./hypothesis-caches.ts";
import { candidateCount } from "./processor-chain.ts";
import type { Hypothesis } from "./search.ts";
import { StepPrograms } from "./step-programs.ts";
import type { StepScores } from "./step-scores.ts";

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
  readonly #vocabSize: number;
  readonly #encoder: Program;
  readonly #steps: StepPrograms;

  private constructor(
    device: Device,
    model: SequenceToSequence<Tree>,
    encoder: Program,
    options: CompileOptions,
  ) {
    this.#device = device;
    this.#model = model;
    this.#vocabSize = buildStep(model, 1).logits.dims.at(-1)!.size as number;
    this.#encoder = encoder;
    this.#steps = new StepPrograms(device, (beams) => buildStep(model, beams), options);
  }

  /** @param options - whether parameters become part of the programs or are given at each call */
  static async create<Tree extends object>(
    device: Device,
    model: SequenceToSequence<Tree>,
    options: CompileOptions = {},
  ): Promise<SequenceGenerator<Tree>> {
    return new SequenceGenerator(
      device,
      model,
      await device.compile(encoderOutputs(model), options),
      options,
    );
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
    checkRows("source", sources, this.#model.sourceVocabSize);
    const model = this.#model;
    checkSourceLengths(sources, model.maxPositions);
    const endIds = endIdsOf(checked, model.eosTokenId);
    const start = checked.decoderStartTokenId ?? model.bosTokenId;
    const prompts = controls.targetPrompts ?? sources.map(() => [start]);
    checkRows("target prompt", prompts, this.#vocabSize);
    const prefix = checkTargetPrompts(prompts, sources.length, model.maxPositions);
    const rooms = sources.map(() => roomAfter(prefix, model.maxPositions));
    const searches = startSearches(prompts, rooms, checked, endIds, controls);

    const hypotheses = hypothesisCount(checked);
    const step = await this.#steps.get(hypotheses, candidateCount(checked, endIds, this.#vocabSize));
    const { ids, present } = paddedSources(sources, controls.sourceMasks, model.padTokenId);
    const encoded = await this.#encoder.run({ source: ids, sourcePresent: present }, parameters);
    const sourcePresent = this.#device.allocate("bool", present.shape);
    await sourcePresent.write(present.data);
    const shared = new Map(
      [...encoded].map(([name, array]): [string, DeviceArray] => [`source.${name}`, array]),
    );
    shared.set("sourcePresent", sourcePresent);
    const caches = new HypothesisCaches(this.#device, model, sources.length, hypotheses);
    const batch = new CachedBatch(
      { device: this.#device, step, parameters, caches, hypotheses, shared },
      () => ({
        position: { data: new Int32Array(hypotheses).fill(caches.length), shape: [hypotheses] },
      }),
    );
    let scores: StepScores | undefined;
    for (let position = 0; position < prefix; position++) {
      const tokens = prompts.flatMap((prompt) => Array<number>(hypotheses).fill(prompt[position]!));
      scores = await batch.next(Int32Array.from(tokens));
    }
    return await decode(searches, hypotheses, scores!, batch, controls.signal);
  }

  async dispose(): Promise<void> {
    await this.#encoder.dispose();
    await this.#steps.dispose();
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

function checkSourceLengths(sources: Sources, maxPositions: number): void {
  const long = sources.findIndex((source) => source.length > maxPositions);
  if (long === -1) return;
  throw new QkvError(
    "data",
    `generation: a source may have the model's ${maxPositions} positions at most; got ${sources[long]!.length} tokens (source ${long + 1}); cut it`,
  );
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

function buildStep<Tree extends object>(model: SequenceToSequence<Tree>, beams: number): DecoderStep {
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
