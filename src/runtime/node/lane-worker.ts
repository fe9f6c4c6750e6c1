/** A lane's thread: a session of the engine, and copies of the parameters for it. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import * as engine from "onnxruntime-node";
import { CpuArray } from "../cpu-array.ts";
import { EngineSession } from "../engine-session.ts";
import type { LaneResults, LaneRun, LaneSetup } from "../lane.ts";
import { createSimdKernels } from "../simd-kernels.ts";
import { plainKernels } from "../vector-kernels.ts";
import type { Answer } from "./helper-thread.ts";

const port = parentPort as MessagePort;
const { bytes, options } = workerData as LaneSetup;
const reply = (message: Answer<LaneResults>, transfer: ArrayBuffer[] = []) =>
  port.postMessage(message, transfer);
// The engine takes no shared memory, so each parameter is copied from there.
const parameters = new Map<string, CpuArray>();

async function run(session: EngineSession, { inputs, masks, changed }: LaneRun): Promise<void> {
  for (const [name, { dtype, shape, data }] of Object.entries(changed)) {
    const known = parameters.get(name);
    if (known !== undefined) known.data.set(data);
    else parameters.set(name, new CpuArray(engine, dtype, shape, data.slice()));
  }
  const tensors = [...parameters].map(([name, { tensor }]) => [name, tensor]);
  const fed = Object.entries(inputs).map(([name, { dtype, shape, data }]) => [
    name,
    new CpuArray(engine, dtype, shape, data).tensor,
  ]);
  const results = await session.run(Object.fromEntries([...tensors, ...fed]), masks);
  const memory = new Set(Object.values(results).map(({ data }) => data.buffer as ArrayBuffer));
  reply({ answer: results }, [...memory]);
}

const failed = (error: unknown) => reply({ failure: error instanceof Error ? error.message : String(error) });
try {
  const session = await EngineSession.open(engine, createSimdKernels() ?? plainKernels, bytes, options);
  port.on("message", (order: LaneRun) => run(session, order).catch(failed));
  reply({ answer: {} });
} catch (error) {
  failed(error);
}
