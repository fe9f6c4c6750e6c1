import { equal, input, log, max, not, rename, scalar, softmax, subtract, topK } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { KeysAndValues } from "../nn/attention.ts";
import { type MapLeaves, parameterTensors } from "../nn/parameters.ts";
import type { CompileOptions, Device, DeviceArray, Feed, Program } from "../runtime/device.ts";
import type { KeyValueCache } from "../runtime/key-value-cache.ts";
import { BeamSearch, type Hypothesis } from "./beam-search.ts";
import { checkDecodingOptions, type DecodingOptions } from "./decoding-options.ts";
import { drawToken } from "./sampling.ts";

/** What an encoder-decoder family must offer to be generated with. */
export interface SequenceToSequence<Tree> {
  readonly parameters: Tree;
  readonly layerCount: number;
  readonly headCount: number;
  readonly headDim: number;
  readonly maxPositions: number;
  readonly padTokenId: number;
  readonly bosTokenId: number;
  readonly eosTokenId: number;
  /** The source's keys and values for each decoder layer. @param ids - [batch, sequence] */
  source(parameters: MapLeaves<Tree, Tensor>, ids: Tensor, present: Tensor): KeysAndValues[];
  /** Scores of the next token: see `decodeStep` of models/transformer.ts. @returns logits [batch, beam, vocab] */
  step(
    parameters: MapLeaves<Tree, Tensor>,
    ids: Tensor,
    position: Tensor,
    past: readonly KeysAndValues[],
    pastMask: Tensor,
    source: readonly KeysAndValues[],
    sourcePresent: Tensor,
  ): { logits: Tensor; present: KeysAndValues[] };
}

/** Token ids of one source each, of any lengths. */
export type Sources = readonly (readonly number[])[];

const forbidden = -1e9;
const firstCapacity = 16;

/** Generates targets for batches of sources. */
export class SequenceGenerator<Tree extends object> {
  readonly #device: Device;
  readonly #model: SequenceToSequence<Tree>;
  readonly #compileOptions: CompileOptions;
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
   */
  async generate(
    sources: Sources,
    options: Partial<DecodingOptions>,
    parameters: ReadonlyMap<string, DeviceArray> = new Map(),
  ): Promise<Hypothesis[][]> {
    const checked = checkDecodingOptions(options);
    const maxNewTokens = Math.min(checked.maxNewTokens, this.#model.maxPositions - 1);
    const decoding = { ...checked, maxNewTokens };
    if (sources.length === 0) return [];
    if (decoding.numBeams > 1) return await this.#search(sources, decoding, parameters);
    const rows = sources.flatMap((source) =>
      Array.from({ length: decoding.numReturnSequences }, () => source),
    );
    const single = await this.#oneByOne(rows, decoding, parameters);
    return sources.map((_, index) =>
      single.slice(index * decoding.numReturnSequences, (index + 1) * decoding.numReturnSequences),
    );
  }

  async #search(
    sources: Sources,
    options: DecodingOptions,
    parameters: ReadonlyMap<string, DeviceArray>,
  ): Promise<Hypothesis[][]> {
    const { numBeams } = options;
    const searches = sources.map(() => new BeamSearch(options, this.#model.eosTokenId));
    const batch = await this.#begin(sources, numBeams, parameters);
    const candidates = 2 * numBeams;
    const step = await this.#stepProgram(numBeams, candidates);
    let active = sources.map((_, index) => index);
    let tokens = new Int32Array(sources.length * numBeams).fill(this.#model.bosTokenId);
    for (let position = 0; active.length > 0; position++) {
      const results = await batch.step(step, tokens, position, parameters);
      const scores = (await results.get("scores")!.read()) as Float32Array;
      const ids = (await results.get("tokens")!.read()) as Int32Array;
      const normalisers = (await results.get("normalisers")!.read()) as Float32Array;
      const parents = new Int32Array(active.length * numBeams);
      tokens = new Int32Array(active.length * numBeams);
      active.forEach((sequence, place) => {
        const rows = [place * numBeams, (place + 1) * numBeams] as const;
        const logProbabilities = scores.slice(rows[0] * candidates, rows[1] * candidates);
        logProbabilities.forEach((score, index) => {
          logProbabilities[index] = score - normalisers[rows[0] + Math.floor(index / candidates)]!;
        });
        searches[sequence]!.advance(
          { candidates, tokens: ids.subarray(rows[0] * candidates, rows[1] * candidates), logProbabilities },
          parents.subarray(...rows),
          tokens.subarray(...rows),
        );
      });
      batch.append(results, position);
      batch.reorder(parents, position + 1);
      const going = [...active.keys()].filter((place) => !searches[active[place]!]!.done);
      // Sequences that are done are dropped when that saves enough to be worth the copying.
      if (going.length === 0) break;
      if (going.length <= active.length * 0.75) {
        batch.select(going);
        tokens = Int32Array.from(
          going.flatMap((place) => [...tokens.subarray(place * numBeams, (place + 1) * numBeams)]),
        );
        active = going.map((place) => active[place]!);
      }
    }
    return searches.map((search) => search.results());
  }

  /** Greedy search, or sampling: one hypothesis a row. */
  async #oneByOne(
    sources: Sources,
    options: DecodingOptions,
    parameters: ReadonlyMap<string, DeviceArray>,
  ): Promise<Hypothesis[]> {
    const { eosTokenId, padTokenId, bosTokenId } = this.#model;
    const batch = await this.#begin(sources, 1, parameters);
    const step = await this.#stepProgram(1, options.doSample ? 0 : 1);
    const rows = sources.map(() => ({ tokens: [] as number[], score: 0, done: false }));
    let last = new Int32Array(sources.length).fill(bosTokenId);
    for (let position = 0; position < options.maxNewTokens && rows.some((row) => !row.done); position++) {
      const results = await batch.step(step, last, position, parameters);
      const normalisers = (await results.get("normalisers")!.read()) as Float32Array;
      const scores = (await results.get("scores")!.read()) as Float32Array;
      const ids = options.doSample ? undefined : ((await results.get("tokens")!.read()) as Int32Array);
      const vocab = scores.length / rows.length;
      last = Int32Array.from(rows, (row, index) => {
        if (row.done) return padTokenId;
        const own = scores.subarray(index * vocab, (index + 1) * vocab);
        const token = ids === undefined ? drawToken(own, options, String(index), position) : ids[index]!;
        row.score += (ids === undefined ? own[token]! : own[0]!) - normalisers[index]!;
        row.tokens.push(token);
        row.done = token === eosTokenId;
        return token;
      });
      batch.append(results, position);
    }
    return rows.map(({ tokens, score }) => ({
      tokens,
      score: score / tokens.length ** options.lengthPenalty,
    }));
  }

  async #begin(
    sources: Sources,
    beams: number,
    parameters: ReadonlyMap<string, DeviceArray>,
  ): Promise<DecodingBatch> {
    const width = Math.max(1, ...sources.map((source) => source.length));
    const ids = new Int32Array(sources.length * width).fill(this.#model.padTokenId);
    sources.forEach((source, row) => {
      ids.set(source, row * width);
    });
    const array = this.#device.allocate("int32", [sources.length, width]);
    await array.write(ids);
    const encoded = await this.#encoder.run({ source: array }, parameters);
    return new DecodingBatch(this.#device, this.#model, encoded, array, beams);
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

const keyName = (layer: number): string => `keys.${layer}`;
const valueName = (layer: number): string => `values.${layer}`;

function encoderOutputs<Tree extends object>(model: SequenceToSequence<Tree>): Map<string, Tensor> {
  const source = input("source", [dim("batch"), dim("sequence", "source")], "int32");
  const present = not(equal(source, scalar(model.padTokenId, "int32")));
  const outputs = new Map<string, Tensor>();
  model.source(parameterTensors(model.parameters), source, present).forEach(({ keys, values }, layer) => {
    outputs.set(keyName(layer), keys);
    outputs.set(valueName(layer), values);
  });
  return outputs;
}

function stepOutputs<Tree extends object>(
  model: SequenceToSequence<Tree>,
  beams: number,
  candidates: number,
): Map<string, Tensor> {
  const batch = dim("batch");
  const beam = dim("beam", beams);
  const head = dim("head", model.headCount);
  const headDim = dim("headDim", model.headDim);
  const layers = Array.from({ length: model.layerCount }, (_, layer) => layer);
  const cached = (name: string, dims: readonly Dim[]): KeysAndValues[] =>
    layers.map((layer) => ({
      keys: input(`${name}.${keyName(layer)}`, dims),
      values: input(`${name}.${valueName(layer)}`, dims),
    }));
  const past = cached("past", [batch, head, dim("query", beams), dim("past"), headDim]);
  const source = cached("source", [batch, head, dim("key", "source"), headDim]);
  const sourceIds = input("sourceIds", [batch, dim("sequence", "source")], "int32");
  const ids = input("ids", [batch, beam], "int32");
  // One number for all: it is repeated for each hypothesis by the embedding of positions.
  const position = input("position", [beam], "int32");
  const pastMask = input("pastMask", [dim("past")]);
  const sourcePresent = not(equal(sourceIds, scalar(model.padTokenId, "int32")));
  const { logits, present } = model.step(
    parameterTensors(model.parameters),
    ids,
    position,
    past,
    pastMask,
    source,
    sourcePresent,
  );

  const outputs = new Map<string, Tensor>();
  // max(logits) - log(max(softmax)) is log(sum(exp(logits))).
  outputs.set("normalisers", subtract(max(logits, ["vocab"]), log(max(softmax(logits, "vocab"), ["vocab"]))));
  if (candidates === 0) {
    outputs.set("scores", logits);
  } else {
    const [scores, tokens] = topK(logits, "vocab", candidates, "candidate");
    outputs.set("scores", scores);
    outputs.set("tokens", tokens);
  }
  present.forEach(({ keys, values }, layer) => {
    outputs.set(keyName(layer), rename(keys, { key: "query" }));
    outputs.set(valueName(layer), rename(values, { key: "query" }));
  });
  return outputs;
}

/** The caches of a batch that is being decoded. */
class DecodingBatch {
  readonly #device: Device;
  readonly #beams: number;
  readonly #caches = new Map<string, KeyValueCache>();
  #source: Map<string, DeviceArray>;
  #sourceIds: DeviceArray;
  #pastMask = new Float32Array(0);

  constructor(
    device: Device,
    model: { headCount: number; headDim: number },
    encoded: ReadonlyMap<string, DeviceArray>,
    sourceIds: DeviceArray,
    beams: number,
  ) {
    this.#device = device;
    this.#beams = beams;
    this.#source = new Map(encoded);
    this.#sourceIds = sourceIds;
    const shape = { batch: sourceIds.shape[0]!, heads: model.headCount, beams, headDim: model.headDim };
    for (const name of encoded.keys()) this.#caches.set(name, device.createCache(shape, firstCapacity));
  }

  async step(
    program: Program,
    tokens: Int32Array,
    position: number,
    parameters: ReadonlyMap<string, DeviceArray>,
  ): Promise<Map<string, DeviceArray>> {
    const capacity = this.#caches.values().next().value!.capacity;
    if (this.#pastMask.length !== capacity) this.#pastMask = new Float32Array(capacity);
    this.#pastMask.fill(0, 0, position).fill(forbidden, position);
    const feeds: Record<string, Feed> = {
      ids: { data: tokens, shape: [tokens.length / this.#beams, this.#beams] },
      position: { data: new Int32Array(this.#beams).fill(position), shape: [this.#beams] },
      pastMask: { data: this.#pastMask, shape: [capacity] },
      sourceIds: this.#sourceIds,
    };
    for (const [name, cache] of this.#caches) feeds[`past.${name}`] = cache.array;
    for (const [name, source] of this.#source) feeds[`source.${name}`] = source;
    return await program.run(feeds, parameters);
  }

  /** Keeps the new position's keys and values. */
  append(results: ReadonlyMap<string, DeviceArray>, position: number): void {
    for (const [name, cache] of this.#caches) cache.append(results.get(name)!, position);
  }

  reorder(parents: Int32Array, length: number): void {
    for (const cache of this.#caches.values()) cache.reorder(parents, length);
  }

  /** Drops the sequences that are not named. */
  select(sequences: readonly number[]): void {
    for (const cache of this.#caches.values()) cache.select(sequences);
    this.#source = new Map(
      [...this.#source].map(([name, source]) => [name, this.#device.selectRows(source, sequences)]),
    );
    this.#sourceIds = this.#device.selectRows(this.#sourceIds, sequences);
  }
}
