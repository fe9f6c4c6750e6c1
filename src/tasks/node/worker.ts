/**
 * The thread in which the engine runs. ONNX Runtime's `run` blocks its thread, so everything that calls it lives
 * here; the main thread keeps drawing, listening and answering.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { Device } from "../../runtime/device.ts";
import { openCpu } from "../../runtime/node/engine.ts";
import type { TracedValue } from "../../tracing/trace.ts";
import { Brake } from "../../util/brake.ts";
import { QkvError } from "../../util/errors.ts";
import type { Task } from "../task.ts";
import type { OpenModel } from "./open-model.ts";
import type { TextTranslator } from "./open-task.ts";
import {
  type ControlMessage,
  carryError,
  type Reply,
  type Request,
  type TaskName,
  type WorkerSettings,
  type WorkerTasks,
} from "./worker-protocol.ts";

interface Context<Name extends TaskName> {
  readonly signal: AbortSignal;
  readonly brake: Brake;
  onEvent(event: WorkerTasks[Name]["event"]): void;
}

type Handlers = {
  readonly [Name in TaskName]: (
    input: WorkerTasks[Name]["input"],
    context: Context<Name>,
  ) => Promise<WorkerTasks[Name]["output"]>;
};

const { threads, prepacking, control } = workerData as WorkerSettings;
const requests = parentPort as MessagePort;
/** By what a call is held: stopped for good, or for a while. */
interface Reins {
  readonly controller: AbortController;
  readonly brake: Brake;
}
const reins = new Map<number, Reins>();

let device: Promise<Device> | undefined;
const openDevice = () => {
  device ??= openCpu(threads === undefined ? {} : { threads });
  return device;
};
let translator: TextTranslator | undefined;
let pipelineTask: Task | undefined;
let model: OpenModel | undefined;

const handlers: Handlers = {
  train: async (plan, { signal, brake, onEvent }) => {
    const { runTrainingPlan } = await import("./run-training-plan.ts");
    return await runTrainingPlan(plan, { device: await openDevice(), signal, brake, onEvent });
  },
  evaluate: async (options, { signal, onEvent }) => {
    const { evaluateModel } = await import("./evaluate-model.ts");
    return await evaluateModel(await openDevice(), options, { signal, onEvent });
  },
  openTranslator: async ({ folder, adapter }) => {
    const { openAnyTranslator } = await import("./open-task.ts");
    const opened = await openAnyTranslator(await openDevice(), folder, { adapter, prepacking });
    await translator?.dispose();
    translator = opened;
    return undefined;
  },
  translate: async ({ texts, options, tellsTokens }, { signal, onEvent }) => {
    if (translator === undefined) throw new QkvError("internal", "translate: no model is open");
    return await translator.translate(texts, options, { signal, ...(tellsTokens && { onToken: onEvent }) });
  },
  openPipeline: async ({ task, folder, adapter }) => {
    const { openTask } = await import("./open-task.ts");
    const opened = await openTask(await openDevice(), task, folder, { adapter, prepacking });
    await pipelineTask?.dispose();
    pipelineTask = opened;
    return undefined;
  },
  runPipeline: async ({ inputs, options, tellsTokens }, { signal, onEvent }) => {
    if (pipelineTask === undefined) throw new QkvError("internal", "pipeline: no model is open");
    return await pipelineTask.run(inputs, options, {
      signal,
      onTruncated: (truncation) => onEvent({ truncation }),
      ...(tellsTokens && { onToken: (token) => onEvent({ token }) }),
    });
  },
  trace: async ({ folder, text, ...options }) => {
    const { traceTranslation } = await import("./trace-translation.ts");
    return await traceTranslation(await openDevice(), folder, text, options);
  },
  generate: async ({ folder, inputs, options }, { signal }) => {
    const { generateFromIds } = await import("./generate-ids.ts");
    return await generateFromIds(await openDevice(), folder, inputs, options, { signal, prepacking });
  },
  traceModel: async ({ folder, inputs, ...options }) => {
    const { traceModel } = await import("./trace-model.ts");
    return ownNumbers(await traceModel(await openDevice(), folder, inputs, options));
  },
  openModel: async ({ folder, options }) => {
    const { OpenModel } = await import("./open-model.ts");
    const opened = await OpenModel.open(await openDevice(), folder, options);
    await model?.dispose();
    model = opened;
    return model.architecture;
  },
  runModel: async ({ inputs, wanted }) => {
    if (model === undefined) throw new QkvError("internal", "forward: no model is open");
    return ownNumbers(await model.run(inputs, wanted));
  },
  writeWithModel: async ({ inputs, options, wanted }, { signal }) => {
    if (model === undefined) throw new QkvError("internal", "generate: no model is open");
    const written = await model.write(inputs, options, wanted, { signal });
    return { ...written, values: ownNumbers(written.values) };
  },
};

/** Copies: a view of the engine's memory would be sent with all of that memory, or not at all. */
function ownNumbers(values: readonly TracedValue[]): TracedValue[] {
  return values.map((value) => ({ ...value, data: value.data.slice() }));
}

function obey(message: ControlMessage): void {
  // Here no run of the engine is under way. Ending the thread from outside in the midst of one kills the process.
  if (message.kind === "quit") process.exit(0);
  const { controller, brake } = reinsOf(message.id);
  if (message.kind === "abort") controller.abort();
  else brake.set(message.isOn);
}

/** Obeys what has been said by now, without waiting for the event loop to come round. */
function listen(): void {
  for (let next = receiveMessageOnPort(control); next !== undefined; next = receiveMessageOnPort(control)) {
    obey(next.message as ControlMessage);
  }
}

function reinsOf(id: number): Reins {
  const known = reins.get(id) ?? { controller: new AbortController(), brake: new Brake() };
  reins.set(id, known);
  return known;
}

async function answer({ id, task, input }: Request): Promise<void> {
  const reply = (message: Reply) => requests.postMessage(message);
  const { controller, brake } = reinsOf(id);
  const { signal } = controller;
  const context: Context<TaskName> = {
    signal,
    brake,
    onEvent: (event) => {
      reply({ id, kind: "event", event });
      listen();
    },
  };
  try {
    if (signal.aborted) throw new QkvError("interrupted", `${task}: was stopped before it began`);
    const handler = handlers[task] as (input: unknown, context: Context<TaskName>) => Promise<never>;
    reply({ id, kind: "result", output: await handler(input, context) });
  } catch (error) {
    reply({ id, kind: "failure", error: carryError(error) });
  } finally {
    reins.delete(id);
  }
}

// One after another: programs reuse their buffers, so two calls must not take turns within one.
let last: Promise<void> = Promise.resolve();
requests.on("message", (request: Request) => {
  last = last.then(() => answer(request));
});
control.on("message", obey);
