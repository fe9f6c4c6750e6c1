import type * as OnnxRuntime from "onnxruntime-common";
import type { DType, Tensor } from "../graph/tensor.ts";
import { type LoweredProgram, lowerProgram } from "../onnx/program.ts";
import {
  arrayTypes,
  CpuArray,
  type Engine,
  floats,
  onCpu,
  product,
  shareable,
  written,
} from "./cpu-array.ts";
import { CpuProgram, type SecondThread } from "./cpu-program.ts";
import type {
  AdafactorState,
  AdafactorUpdate,
  CompileOptions,
  Device,
  DeviceArray,
  HostArray,
  SgdState,
  SgdUpdate,
} from "./device.ts";
import { EngineSession } from "./engine-session.ts";
import { HostKeyValueCache } from "./key-value-cache.ts";
import { type Helpers, SharedParameters } from "./lane.ts";
import { adafactor, interpolate, sgd } from "./optimizer-kernels.ts";
import { ParallelUpdates } from "./parallel-updates.ts";
import { checkDivisible } from "./parts.ts";
import { createSimdKernels } from "./simd-kernels.ts";
import { plainKernels } from "./vector-kernels.ts";

export type { Engine } from "./cpu-array.ts";

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
  /** Opens threads that compute a part of a batch, or of an update, beside this one; left out: there are none. */
  readonly helpers?: Helpers;
  /** Gives back the memory of results that nobody holds any more; left out: the runtime does so when it likes. */
  readonly collectGarbage?: () => void;
  /** Further session options, e.g. for profiling. */
  readonly session?: OnnxRuntime.InferenceSession.SessionOptions;
}

/**
 * How many numbers are shared with helping threads at most. The engine takes no shared memory, so each thread has a
 * copy of the parameters besides; larger models have large operators, which one session computes well on all threads.
 */
const mostShared = 64 * 2 ** 20;

function sizeOfParameters({ parameters }: LoweredProgram): number {
  let size = 0;
  for (const { dims } of parameters.values()) size += product(dims.map((axis) => axis.size as number));
  return size;
}

const maybeWritten = (array: DeviceArray | undefined) => (array === undefined ? undefined : written(array));

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
  const helpers = options.threads < 2 ? undefined : options.helpers;
  const updates = new ParallelUpdates(kernels, helpers);
  let shared = 0;
  /** Memory that the helping threads see too, where there are any. */
  const allocate = (dtype: DType, length: number): HostArray => {
    if (helpers === undefined || shared + length > mostShared) return new arrayTypes[dtype](length);
    shared += length;
    return shareable(dtype, length);
  };
  return {
    description: `${options.engineName}, cpu, ${options.threads} thread${options.threads === 1 ? "" : "s"}`,
    threads: options.threads,
    allocate: (dtype, shape) => new CpuArray(engine, dtype, shape, allocate(dtype, product(shape))),
    createCache: (shape, capacity) =>
      new HostKeyValueCache(shape, capacity, (full, data) => new CpuArray(engine, "float32", full, data)),
    async compile(outputs: ReadonlyMap<string, Tensor>, compileOptions: CompileOptions = {}) {
      const { fixedParameters, folder, examples, prepacking = options.prepacking } = compileOptions;
      const lowered = lowerProgram(outputs, (address, dims) => {
        const fixed = fixedParameters?.(address, dims);
        if (fixed === undefined || "location" in fixed) return fixed;
        return new Uint8Array(fixed.data.buffer, fixed.data.byteOffset, fixed.data.byteLength);
      });
      const session: Record<string, unknown> = {};
      if (folder !== undefined) session.model_external_initializers_file_folder_path = folder;
      if (options.spinning === false) session.intra_op = { allow_spinning: "0" };
      if (prepacking === false) session.disable_prepacking = "1";
      const full = { ...sessionOptions, extra: { session } };
      if (examples !== undefined) checkDivisible(lowered, examples);
      let second: SecondThread | undefined;
      if (examples !== undefined && helpers !== undefined && sizeOfParameters(lowered) <= mostShared) {
        const half = { ...full, intraOpNumThreads: Math.floor(options.threads / 2) };
        const lane = await helpers.openLane({ bytes: lowered.bytes, options: half });
        second = { lane, parameters: new SharedParameters() };
      }
      const intraOpNumThreads = second === undefined ? options.threads : Math.ceil(options.threads / 2);
      const opened = await EngineSession.open(engine, kernels, lowered.bytes, { ...full, intraOpNumThreads });
      const { collectGarbage } = options;
      const parts = { lowered, session: opened, kernels, examples, second, collectGarbage };
      const program = new CpuProgram(engine, parts, () => programs.delete(program));
      programs.add(program);
      return program;
    },
    selectRows(array, rows) {
      const { dtype, shape, data } = onCpu(array);
      const width = data.length / shape[0]!;
      const selected = new arrayTypes[dtype](rows.length * width);
      rows.forEach((row, place) => {
        selected.set(data.subarray(row * width, (row + 1) * width), place * width);
      });
      return new CpuArray(engine, dtype, [rows.length, ...shape.slice(1)], selected);
    },
    async accumulate(target, source) {
      kernels.accumulate(written(target), floats(source));
    },
    async sumOfSquares(arrays) {
      return arrays.reduce((sum, array) => sum + kernels.sumOfSquares(floats(array)), 0);
    },
    adam: (state, update) => updates.adam(state, update),
    async adafactor({ parameter, gradient, ...moments }: AdafactorState, update: AdafactorUpdate) {
      const { rows, columns, secondMoment, firstMoment } = moments;
      adafactor(
        written(parameter),
        floats(gradient),
        {
          rows: maybeWritten(rows),
          columns: maybeWritten(columns),
          secondMoment: maybeWritten(secondMoment),
          firstMoment: maybeWritten(firstMoment),
        },
        update,
      );
    },
    async sgd({ parameter, gradient, buffer }: SgdState, update: SgdUpdate) {
      sgd(written(parameter), floats(gradient), maybeWritten(buffer), update);
    },
    async interpolate(target, source, weight) {
      interpolate(written(target), floats(source), weight);
    },
    async dispose() {
      for (const program of [...programs]) await program.dispose();
      await updates.dispose();
    },
  };
}
