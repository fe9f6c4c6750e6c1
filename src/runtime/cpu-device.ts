import type * as OnnxRuntime from "onnxruntime-common";
import { type Dim, evaluateSize } from "../graph/dims.ts";
import type { DType, Tensor } from "../graph/tensor.ts";
import { type LoweredProgram, lowerProgram, type ProgramOutput, type ProgramValue } from "../onnx/program.ts";
import { QkvError } from "../util/errors.ts";
import { randomKey } from "../util/random.ts";
import type {
  AdafactorState,
  AdafactorUpdate,
  AdamState,
  AdamUpdate,
  CompileOptions,
  Device,
  DeviceArray,
  Feed,
  HostArray,
  Program,
  RunRandomness,
  SgdState,
  SgdUpdate,
} from "./device.ts";
import { HostKeyValueCache } from "./key-value-cache.ts";
import { adafactor, interpolate, sgd } from "./optimizer-kernels.ts";
import { createSimdKernels } from "./simd-kernels.ts";
import { accumulate, plainKernels, scatterAddRows, type VectorKernels } from "./vector-kernels.ts";

/** The parts of an ONNX Runtime build that a device needs; the builds for Node.js and for browsers both fit. */
export type Engine = Pick<typeof OnnxRuntime, "InferenceSession" | "Tensor">;

export interface CpuDeviceOptions {
  /** Names engine and version in `description`. */
  readonly engineName: string;
  /** How many threads a program may use. */
  readonly threads: number;
  /** Whether threads that wait keep their core busy; faster on a machine that has nothing else to do. */
  readonly spinning?: boolean;
  /**
   * Whether the engine lays fixed parameters out anew when a program is compiled that does not say it itself.
   * Default true.
   */
  readonly prepacking?: boolean;
  /** Further session options, e.g. for profiling. */
  readonly session?: OnnxRuntime.InferenceSession.SessionOptions;
}

const constructors = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };
const product = (shape: readonly number[]): number => shape.reduce((left, right) => left * right, 1);

/** An array in this process's memory. */
class CpuArray implements DeviceArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: HostArray;
  /** The same as the engine's object, made once. */
  readonly tensor: OnnxRuntime.Tensor;

  constructor(engine: Engine, dtype: DType, shape: readonly number[], data: HostArray) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
    this.tensor = new engine.Tensor(dtype, data as Float32Array, shape);
  }

  async read(): Promise<HostArray> {
    return this.data;
  }

  async write(values: HostArray): Promise<void> {
    if (values.length !== this.data.length) {
      throw new QkvError(
        "internal",
        `array [${this.shape}]: needs ${this.data.length} values; got ${values.length}`,
      );
    }
    this.data.set(values);
  }

  dispose(): void {}
}

function onCpu(array: DeviceArray): CpuArray {
  if (array instanceof CpuArray) return array;
  throw new QkvError("internal", "an array of another device was given to the CPU");
}

const floats = (array: DeviceArray): Float32Array => onCpu(array).data as Float32Array;
const maybeFloats = (array: DeviceArray | undefined) => (array === undefined ? undefined : floats(array));

/** A device that runs programs on ONNX Runtime's CPU operators, in this process's memory. */
export function createCpuDevice(engine: Engine, options: CpuDeviceOptions): Device {
  const sessionOptions: OnnxRuntime.InferenceSession.SessionOptions = {
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    // Patterns are kept for each set of shapes for ever; with real batches that is a leak.
    enableMemPattern: false,
    logSeverityLevel: 3,
    ...options.session,
  };
  const kernels = createSimdKernels() ?? plainKernels;
  const programs = new Set<CpuProgram>();
  return {
    description: `${options.engineName}, cpu, ${options.threads} thread${options.threads === 1 ? "" : "s"}`,
    threads: options.threads,
    allocate: (dtype, shape) => new CpuArray(engine, dtype, shape, new constructors[dtype](product(shape))),
    createCache: (shape, capacity) =>
      new HostKeyValueCache(shape, capacity, (full, data) => new CpuArray(engine, "float32", full, data)),
    async compile(outputs: ReadonlyMap<string, Tensor>, compileOptions: CompileOptions = {}) {
      const { fixedParameters, folder, prepacking = options.prepacking } = compileOptions;
      const lowered = lowerProgram(outputs, (address, dims) => {
        const fixed = fixedParameters?.(address, dims);
        if (fixed === undefined || "location" in fixed) return fixed;
        return new Uint8Array(fixed.data.buffer, fixed.data.byteOffset, fixed.data.byteLength);
      });
      const session: Record<string, unknown> = {};
      if (folder !== undefined) session.model_external_initializers_file_folder_path = folder;
      if (options.spinning === false) session.intra_op = { allow_spinning: "0" };
      if (prepacking === false) session.disable_prepacking = "1";
      const created = await createSession(engine, lowered, { ...sessionOptions, extra: { session } });
      const program = new CpuProgram(engine, kernels, lowered, created, () => programs.delete(program));
      programs.add(program);
      return program;
    },
    selectRows(array, rows) {
      const { dtype, shape, data } = onCpu(array);
      const width = data.length / shape[0]!;
      const selected = new constructors[dtype](rows.length * width);
      rows.forEach((row, place) => {
        selected.set(data.subarray(row * width, (row + 1) * width), place * width);
      });
      return new CpuArray(engine, dtype, [rows.length, ...shape.slice(1)], selected);
    },
    async accumulate(target, source) {
      accumulate(floats(target), floats(source));
    },
    async sumOfSquares(arrays) {
      return arrays.reduce((sum, array) => sum + kernels.sumOfSquares(floats(array)), 0);
    },
    async adam(state: AdamState, update: AdamUpdate) {
      const { parameter, gradient, firstMoment, secondMoment } = state;
      kernels.adam(floats(parameter), floats(gradient), floats(firstMoment), floats(secondMoment), update);
    },
    async adafactor({ parameter, gradient, ...moments }: AdafactorState, update: AdafactorUpdate) {
      const { rows, columns, secondMoment, firstMoment } = moments;
      adafactor(
        floats(parameter),
        floats(gradient),
        {
          rows: maybeFloats(rows),
          columns: maybeFloats(columns),
          secondMoment: maybeFloats(secondMoment),
          firstMoment: maybeFloats(firstMoment),
        },
        update,
      );
    },
    async sgd({ parameter, gradient, buffer }: SgdState, update: SgdUpdate) {
      sgd(floats(parameter), floats(gradient), maybeFloats(buffer), update);
    },
    async interpolate(target, source, weight) {
      interpolate(floats(target), floats(source), weight);
    },
    async dispose() {
      for (const program of [...programs]) await program.dispose();
    },
  };
}

async function createSession(
  engine: Engine,
  lowered: LoweredProgram,
  options: OnnxRuntime.InferenceSession.SessionOptions,
): Promise<OnnxRuntime.InferenceSession> {
  try {
    return await engine.InferenceSession.create(lowered.bytes, options);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QkvError("device", `engine: refused a program of ours; ${reason}`, { cause });
  }
}

class CpuProgram implements Program {
  readonly inputNames: readonly string[];
  readonly parameterAddresses: readonly string[];
  readonly #engine: Engine;
  readonly #kernels: VectorKernels;
  readonly #lowered: LoweredProgram;
  readonly #session: OnnxRuntime.InferenceSession;
  readonly #onDispose: () => void;
  readonly #masks = new Map<string, Float32Array>();

  constructor(
    engine: Engine,
    kernels: VectorKernels,
    lowered: LoweredProgram,
    session: OnnxRuntime.InferenceSession,
    onDispose: () => void,
  ) {
    this.#engine = engine;
    this.#kernels = kernels;
    this.#lowered = lowered;
    this.#session = session;
    this.#onDispose = onDispose;
    this.inputNames = [...lowered.inputs.keys()];
    this.parameterAddresses = [...lowered.parameters.keys()];
  }

  async run(
    inputs: Readonly<Record<string, Feed>>,
    parameters: ReadonlyMap<string, DeviceArray>,
    randomness?: RunRandomness,
  ): Promise<Map<string, DeviceArray>> {
    const feeds: Record<string, OnnxRuntime.Tensor> = {};
    const lengths = new Map<string, number>();
    for (const [name, value] of this.#lowered.inputs) {
      const feed = inputs[name];
      if (feed === undefined) throw new QkvError("internal", `program: input "${name}" was not fed`);
      checkShape(name, value, feed.shape, lengths);
      const array =
        feed instanceof CpuArray
          ? feed
          : "data" in feed
            ? this.#array(value.dtype, feed.shape, feed.data)
            : onCpu(feed);
      feeds[value.name] = array.tensor;
    }
    for (const [address, value] of this.#lowered.parameters) {
      const array = parameters.get(address);
      if (array === undefined)
        throw new QkvError("internal", `program: parameter "${address}" was not given`);
      feeds[value.name] = onCpu(array).tensor;
    }
    for (const mask of this.#lowered.masks) {
      if (randomness === undefined)
        throw new QkvError("internal", "program: dropout needs a seed and a step");
      const shape = mask.dims.map((axis) => evaluateSize(axis.size, lengths));
      const values = this.#maskOf(mask.name, product(shape));
      this.#kernels.fillDropoutMask(
        values,
        mask.rate,
        randomKey(randomness.seed, mask.address, randomness.step),
      );
      feeds[mask.name] = this.#array("float32", shape, values).tensor;
    }

    const results = await this.#session.run(feeds);
    const outputs = new Map<string, DeviceArray>();
    for (const [name, output] of this.#lowered.outputs) {
      outputs.set(name, this.#finish(output, results, feeds, lengths));
    }
    return outputs;
  }

  async dispose(): Promise<void> {
    this.#onDispose();
    await this.#session.release();
  }

  #array(dtype: DType, shape: readonly number[], data: HostArray): CpuArray {
    return new CpuArray(this.#engine, dtype, shape, data);
  }

  /** Memory for a mask, kept from run to run and only ever made larger. */
  #maskOf(name: string, length: number): Float32Array {
    let memory = this.#masks.get(name);
    if (memory === undefined || memory.length < length) {
      memory = new Float32Array(length + (length >> 2));
      this.#masks.set(name, memory);
    }
    return memory.subarray(0, length);
  }

  #finish(
    output: ProgramOutput,
    results: Readonly<Record<string, OnnxRuntime.Tensor>>,
    feeds: Readonly<Record<string, OnnxRuntime.Tensor>>,
    lengths: ReadonlyMap<string, number>,
  ): CpuArray {
    const shape = output.dims.map((axis) => evaluateSize(axis.size, lengths));
    const data =
      output.name === undefined
        ? new constructors[output.dtype](product(shape))
        : (results[output.name]!.data as HostArray);
    for (const { ids, rows } of output.scattered) {
      const idValues = (results[ids] ?? feeds[ids])!.data as Int32Array;
      scatterAddRows(
        data as Float32Array,
        idValues,
        results[rows]!.data as Float32Array,
        product(shape.slice(1)),
      );
    }
    return this.#array(output.dtype, shape, data);
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
