import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { type CpuDeviceOptions, createCpuDevice } from "../cpu-device.ts";
import type { Device } from "../device.ts";
import { garbageCollector } from "./garbage.ts";
import { helperThreads } from "./helper-thread.ts";

/** The number of threads used where none is asked for: one a core, at most eight. */
export function defaultThreads(): number {
  return Math.min(availableParallelism(), 8);
}

/** The CPU of this machine, through onnxruntime-node, which is loaded here and not before. */
export async function openCpu(options: Partial<CpuDeviceOptions> = {}): Promise<Device> {
  const engine = await import("onnxruntime-node");
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  return createCpuDevice(engine, {
    engineName: `onnxruntime-node ${version}`,
    helpers: helperThreads,
    collectGarbage: garbageCollector(),
    ...options,
    threads: options.threads ?? defaultThreads(),
  });
}
