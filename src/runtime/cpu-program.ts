import type * as OnnxRuntime from "onnxruntime-common";
import { type Dim, evaluateSize } from "../graph/dims.ts";
import type { LoweredProgram, ProgramOutput, ProgramValue } from "../onnx/program.ts";
import { QkvError } from "../util/errors.ts";
import { randomKey } from "../util/random.ts";
import { arrayTypes, CpuArray, type Engine, onCpu, product } from "./cpu-array.ts";
import type { DeviceArray, Feed, Program, RunRandomness } from "./device.ts";
import type { EngineSession, MaskOrder, PlainArray } from "./engine-session.ts";
import type { Lane, SharedParameters } from "./lane.ts";
import { type Part, partsOf } from "./parts.ts";
import { scatterAddRows, type VectorKernels } from "./vector-kernels.ts";

/** A second thread for the later part of a batch, and where it finds the parameters. */
export interface SecondThread {
  readonly lane: Lane;
  readonly parameters: SharedParameters;
}

export interface CpuProgramParts {
  readonly lowered: LoweredProgram;
  readonly session: EngineSession;
  readonly kernels: VectorKernels;
  /** The length of the axis along which a batch may be cut, see `CompileOptions`. */
  readonly examples?: string | undefined;
  readonly second?: SecondThread | undefined;
  /** See `CpuDeviceOptions`. */
  readonly collectGarbage?: (() => void) | undefined;
}

/** So many bytes of results may wait for the collector. */
const mostGarbage = 128 * 2 ** 20;

type Results = Readonly<Record<string, PlainArray>>;

/** What a part of a batch is computed from. */
interface PartRun {
  readonly inputs: Readonly<Record<string, PlainArray>>;
  readonly masks: readonly MaskOrder[];
}

export class CpuProgram implements Program {
  readonly inputNames: readonly string[];
  readonly parameterAddresses: readonly string[];
  readonly #engine: Engine;
  readonly #parts: CpuProgramParts;
  readonly #onDispose: () => void;
  /** Bytes of results since the collector ran last. */
  #garbage = 0;

  constructor(engine: Engine, parts: CpuProgramParts, onDispose: () => void) {
    this.#engine = engine;
    this.#parts = parts;
    this.#onDispose = onDispose;
    this.inputNames = [...parts.lowered.inputs.keys()];
    this.parameterAddresses = [...parts.lowered.parameters.keys()];
  }

  async run(
    inputs: Readonly<Record<string, Feed>>,
    parameters: ReadonlyMap<string, DeviceArray>,
    randomness?: RunRandomness,
  ): Promise<Map<string, DeviceArray>> {
    const { lowered, examples } = this.#parts;
    const lengths = new Map<string, number>();
    const given = new Map<ProgramValue, Feed>();
    for (const [name, value] of lowered.inputs) {
      const feed = inputs[name];
      if (feed === undefined) throw new QkvError("internal", `program: input "${name}" was not fed`);
      checkShape(name, value, feed.shape, lengths);
      given.set(value, feed);
    }
    for (const address of lowered.parameters.keys()) {
      if (parameters.has(address)) continue;
      throw new QkvError("internal", `program: parameter "${address}" was not given`);
    }
    if (lowered.masks.length > 0 && randomness === undefined) {
      throw new QkvError("internal", "program: dropout needs a seed and a step");
    }
    const rows = examples === undefined ? undefined : lengths.get(examples);
    const parts = rows === undefined ? [undefined] : partsOf(rows);
    const runs = parts.map((part) => ({
      inputs: Object.fromEntries(
        [...given].map(([value, feed]) => [value.name, this.#rowsOf(value, feed, part)]),
      ),
      masks: this.#masksOf(lengths, part, randomness),
    }));
    if (this.#garbage > mostGarbage) {
      this.#parts.collectGarbage?.();
      this.#garbage = 0;
    }
    const results = await this.#runAll(runs, parameters);
    for (const result of results)
      for (const { data } of Object.values(result)) this.#garbage += data.byteLength;
    const outputs = new Map<string, DeviceArray>();
    for (const [name, output] of lowered.outputs)
      outputs.set(name, this.#finish(output, results, runs, lengths));
    return outputs;
  }

  async dispose(): Promise<void> {
    this.#onDispose();
    await Promise.all([this.#parts.session.dispose(), this.#parts.second?.lane.dispose()]);
  }

  async #runAll(runs: readonly PartRun[], parameters: ReadonlyMap<string, DeviceArray>): Promise<Results[]> {
    const { lowered, session, second } = this.#parts;
    const tensors: Record<string, OnnxRuntime.Tensor> = {};
    for (const [address, { name }] of lowered.parameters)
      tensors[name] = onCpu(parameters.get(address)!).tensor;
    const runHere = ({ inputs, masks }: PartRun) => {
      const fed = Object.entries(inputs).map(([name, input]) => [name, this.#array(input).tensor]);
      return session.run({ ...tensors, ...Object.fromEntries(fed) }, masks);
    };
    if (second !== undefined && runs.length === 2) {
      // The other thread has begun before the engine blocks this one.
      const changed = second.parameters.update(lowered.parameters.keys(), parameters);
      const there = second.lane.run({ ...runs[1]!, changed });
      return Promise.all([runHere(runs[0]!), there]);
    }
    const results: Results[] = [];
    for (const run of runs) results.push(await runHere(run));
    return results;
  }

  #array({ dtype, shape, data }: PlainArray): CpuArray {
    return new CpuArray(this.#engine, dtype, shape, data);
  }

  /** A part's rows of an input, or all of an input that has no axis of examples. */
  #rowsOf({ dtype, dims }: ProgramValue, feed: Feed, part: Part | undefined): PlainArray {
    const { shape, data } = "data" in feed ? feed : onCpu(feed);
    if (part === undefined || dims[0]?.size !== this.#parts.examples) return { dtype, shape, data };
    const width = product(shape.slice(1));
    // A copy, not a view: what is sent to another thread takes the whole memory behind a view along.
    const rows = data.slice(part.start * width, part.end * width);
    return { dtype, shape: [part.end - part.start, ...shape.slice(1)], data: rows };
  }

  #masksOf(
    lengths: ReadonlyMap<string, number>,
    part: Part | undefined,
    randomness: RunRandomness | undefined,
  ): MaskOrder[] {
    return this.#parts.lowered.masks.map(({ name, address, rate, dims }) => {
      const shape = dims.map((axis) => evaluateSize(axis.size, lengths));
      const key = randomKey(randomness!.seed, address, randomness!.step);
      if (part === undefined || dims[0]?.size !== this.#parts.examples)
        return { name, shape, rate, key, first: 0 };
      const rest = shape.slice(1);
      return { name, shape: [part.end - part.start, ...rest], rate, key, first: part.start * product(rest) };
    });
  }

  /** An output from those of the parts, always added up in the same order. */
  #finish(
    output: ProgramOutput,
    results: readonly Results[],
    runs: readonly PartRun[],
    lengths: ReadonlyMap<string, number>,
  ): CpuArray {
    const { dtype, dims, name, scattered } = output;
    const shape = dims.map((axis) => evaluateSize(axis.size, lengths));
    const data = name === undefined ? new arrayTypes[dtype](product(shape)) : results[0]![name]!.data;
    if (name !== undefined) {
      for (const result of results.slice(1))
        this.#parts.kernels.accumulate(data as Float32Array, result[name]!.data as Float32Array);
    }
    const width = product(shape.slice(1));
    results.forEach((result, index) => {
      for (const { ids, rows } of scattered) {
        const idValues = (result[ids] ?? runs[index]!.inputs[ids])!.data as Int32Array;
        scatterAddRows(data as Float32Array, idValues, result[rows]!.data as Float32Array, width);
      }
    });
    return this.#array({ dtype, shape, data });
  }
}

/** Checks a fed shape against the axes asked for, and learns the lengths of symbolic ones. */
function checkShape(
  name: string,
  value: ProgramValue,
  shape: readonly number[],
  lengths: Map<string, number>,
): void {
  const fits =
    shape.length === value.dims.length &&
    value.dims.every((axis, index) => matches(axis, shape[index]!, lengths));
  if (fits) return;
  const wanted = value.dims.map(
    (axis) => `${axis.name}=${typeof axis.size === "string" ? (lengths.get(axis.size) ?? "any") : axis.size}`,
  );
  throw new QkvError(
    "shape",
    `program: input "${name}" must be [${wanted.join(", ")}]; got [${shape.join(", ")}]`,
  );
}

function matches(axis: Dim, length: number, lengths: Map<string, number>): boolean {
  if (typeof axis.size === "number") return axis.size === length;
  const known = lengths.get(axis.size);
  if (known === undefined) lengths.set(axis.size, length);
  return known === undefined || known === length;
}
