import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Brake } from "../../util/brake.ts";
import { QkvError } from "../../util/errors.ts";
import {
  type ControlMessage,
  type Reply,
  type Request,
  restoreError,
  type TaskName,
  type WorkerSettings,
  type WorkerTasks,
} from "./worker-protocol.ts";

export interface CallOptions<Name extends TaskName> {
  readonly onEvent?: (event: WorkerTasks[Name]["event"]) => void;
  /** Asks the task to stop; a training then saves and ends with "interrupted". */
  readonly signal?: AbortSignal;
  /** Lets a training stand still, and go on when it is released. */
  readonly brake?: Brake;
}

interface PendingCall {
  readonly resolve: (output: never) => void;
  readonly reject: (error: unknown) => void;
  readonly onEvent: ((event: never) => void) | undefined;
}

/**
 * The engine in a thread of its own. Calls are answered one after another, in order. It keeps the process alive only
 * while a call is under way.
 */
export class EngineWorker {
  readonly #worker: Worker;
  readonly #control: MessagePort;
  readonly #pending = new Map<number, PendingCall>();
  readonly #stopped: Promise<void>;
  #calls = 0;
  #end: Error | undefined;

  /**
   * @param options.threads - for the engine's kernels; default: as many as the device chooses
   * @param options.prepacking - whether it lays weights out anew; default: by the model, see `ModelFolderOptions`
   */
  constructor({ threads, prepacking }: { readonly threads?: number; readonly prepacking?: boolean } = {}) {
    if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= 1024)) {
      throw new QkvError("option", `threads: must be a whole number from 1 to 1024; got ${threads}`);
    }
    const { port1, port2 } = new MessageChannel();
    if (prepacking !== undefined && typeof prepacking !== "boolean") {
      throw new QkvError("option", `prepacking: must be true or false; got ${JSON.stringify(prepacking)}`);
    }
    const settings: WorkerSettings = {
      control: port2,
      ...(threads !== undefined && { threads }),
      ...(prepacking !== undefined && { prepacking }),
    };
    this.#control = port1;
    port1.unref();
    this.#worker = new Worker(workerFile(), { workerData: settings, transferList: [port2] });
    this.#worker.unref();
    this.#worker.on("message", (reply: Reply) => this.#receive(reply));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#stopped = new Promise((resolve) => {
      this.#worker.on("exit", (code) => {
        port1.close();
        this.#fail(new QkvError("device", `the engine's thread ended by itself (code ${code})`));
        resolve();
      });
    });
  }

  /** Runs a task in the worker. Errors arrive as they were thrown there, with code and stack. */
  call<Name extends TaskName>(
    task: Name,
    input: WorkerTasks[Name]["input"],
    { onEvent, signal, brake }: CallOptions<Name> = {},
  ): Promise<WorkerTasks[Name]["output"]> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    if (signal?.aborted) {
      const options = { cause: signal.reason };
      return Promise.reject(new QkvError("interrupted", `${task}: was stopped before it began`, options));
    }
    const id = this.#calls++;
    const abort = () => this.#tell({ kind: "abort", id });
    const answer = new Promise<WorkerTasks[Name]["output"]>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onEvent });
    });
    this.#worker.ref();
    this.#worker.postMessage({ id, task, input } as Request);
    signal?.addEventListener("abort", abort, { once: true });
    const pull = (isOn: boolean) => this.#tell({ kind: "brake", id, isOn });
    if (brake?.isOn) pull(true);
    const forget = brake?.onChange(pull);
    return answer.finally(() => {
      signal?.removeEventListener("abort", abort);
      forget?.();
    });
  }

  /** Ends the thread after the engine's present run. Calls that are under way fail with "interrupted". */
  async dispose(): Promise<void> {
    this.#fail(new QkvError("interrupted", "the engine's thread was closed"));
    this.#worker.ref();
    this.#tell({ kind: "quit" });
    await this.#stopped;
  }

  #tell(message: ControlMessage): void {
    this.#control.postMessage(message);
  }

  #receive(reply: Reply): void {
    const call = this.#pending.get(reply.id);
    if (call === undefined) return;
    if (reply.kind === "event") {
      call.onEvent?.(reply.event as never);
      return;
    }
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if (reply.kind === "result") call.resolve(reply.output as never);
    else call.reject(restoreError(reply.error));
  }

  /** The first reason counts; what happens to a thread that is ended says nothing. */
  #fail(reason: Error): void {
    this.#end ??= reason;
    for (const call of this.#pending.values()) call.reject(this.#end);
    this.#pending.clear();
  }
}

/** The worker's file beside this one; where this runs as TypeScript (in tests), the built one. */
function workerFile(): URL {
  const here = import.meta.url;
  if (!here.endsWith(".ts")) return new URL("./worker.js", here);
  return new URL(here.replace(/\/src\/(.*\/)[^/]*$/, "/dist/$1worker.js"));
}
