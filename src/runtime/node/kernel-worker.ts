/** A kernel thread: updates parameters in shared memory. */
import { type MessagePort, parentPort } from "node:worker_threads";
import type { AdamUpdate } from "../device.ts";
import type { AdamArrays } from "../lane.ts";
import { createSimdKernels } from "../simd-kernels.ts";
import { plainKernels } from "../vector-kernels.ts";
import type { Answer } from "./helper-thread.ts";

const port = parentPort as MessagePort;
const kernels = createSimdKernels() ?? plainKernels;
port.on("message", ({ state, update }: { state: AdamArrays; update: AdamUpdate }) => {
  const { parameter, gradient, firstMoment, secondMoment } = state;
  kernels.adam(parameter, gradient, firstMoment, secondMoment, update);
  port.postMessage({ answer: undefined } satisfies Answer<undefined>);
});
