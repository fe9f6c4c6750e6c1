import type { Env } from "onnxruntime-common";
import { QkvError } from "../../util/errors.ts";
import { createCpuDevice, type Engine } from "../cpu-device.ts";
import type { Device } from "../device.ts";

/** An onnxruntime-web build: the parts that a device needs, and its settings for the whole process. */
export type WebEngine = Engine & { readonly env: Env };

export interface WasmOptions {
  /**
   * How many threads a program may use. Without it one for each core, at most eight, where the page may share memory
   * among threads (it is cross-origin isolated), else one. The first call decides for the whole process.
   */
  readonly threads?: number;
  /** Where the .wasm file and its loader lie: a folder's URL that ends in "/". Left out: beside the build. */
  readonly wasmPaths?: string;
  /**
   * The onnxruntime-web build, where it is not to be "onnxruntime-web/wasm". Under Node.js that build runs on one
   * thread only; "onnxruntime-web" runs on several.
   */
  readonly engine?: WebEngine;
}

/** What of a browser decides how many threads there can be. */
interface Surroundings {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: { readonly hardwareConcurrency?: number };
}

/** The number of threads used where none is asked for. */
export function defaultWasmThreads(surroundings: Surroundings = globalThis as Surroundings): number {
  if (surroundings.crossOriginIsolated !== true) return 1;
  return Math.min(surroundings.navigator?.hardwareConcurrency ?? 1, 8);
}

const startedThreads = new WeakMap<Env, number>();

/**
 * WebAssembly, in a browser or in Node.js, through onnxruntime-web, which is loaded here and not before.
 * @throws QkvError "option" if the build already runs in this process with another number of threads
 */
export async function openWasm(options: WasmOptions = {}): Promise<Device> {
  const engine: WebEngine = options.engine ?? (await import("onnxruntime-web/wasm"));
  const started = startedThreads.get(engine.env);
  const threads = options.threads ?? started ?? defaultWasmThreads();
  if (started !== undefined && started !== threads) {
    throw new QkvError(
      "option",
      `wasm: its number of threads is set once in a process, to ${started}; got ${threads}; ` +
        "ask for the same number, or use another process or worker",
    );
  }
  startedThreads.set(engine.env, threads);
  engine.env.wasm.numThreads = threads;
  if (options.wasmPaths !== undefined) engine.env.wasm.wasmPaths = options.wasmPaths;
  return createCpuDevice(engine, {
    engineName: `onnxruntime-web ${engine.env.versions.web ?? engine.env.versions.common} (wasm)`,
    threads,
    session: { executionProviders: ["wasm"] },
  });
}
