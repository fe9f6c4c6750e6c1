import { Worker } from "node:worker_threads";
import { QkvError } from "../../util/errors.ts";
import type { Helpers, KernelThread, Lane, LaneResults } from "../lane.ts";

/** What a helping thread says to each order, in order. */
export type Answer<Result> = { readonly answer: Result } | { readonly failure: string };

interface Pending<Result> {
  resolve(result: Result): void;
  reject(error: Error): void;
}

/** A worker thread that answers orders one after another. It keeps the process alive only while it owes an answer. */
class HelperThread<Result> {
  readonly #worker: Worker;
  readonly #pending: Pending<Result>[] = [];
  #end: Error | undefined;

  constructor(file: string, workerData?: object) {
    this.#worker = new Worker(compiled(file), { workerData });
    this.#worker.unref();
    this.#worker.on("message", (answer: Answer<Result>) => {
      const pending = this.#pending.shift();
      if (this.#pending.length === 0) this.#worker.unref();
      if ("answer" in answer) pending?.resolve(answer.answer);
      else pending?.reject(new QkvError("device", answer.failure));
    });
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", (code) =>
      this.#fail(new QkvError("device", `engine: a helping thread ended by itself (code ${code})`)),
    );
  }

  ask(order: object, transfer: ArrayBuffer[] = []): Promise<Result> {
    this.#worker.postMessage(order, transfer);
    return this.next();
  }

  /** What the thread says next. */
  next(): Promise<Result> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject });
    });
  }

  async dispose(): Promise<void> {
    this.#fail(new QkvError("interrupted", "engine: a helping thread was closed"));
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#end ??= error;
    for (const { reject } of this.#pending.splice(0)) reject(this.#end);
  }
}

/** Helping threads of Node.js. */
export const helperThreads: Helpers = {
  async openLane(setup): Promise<Lane> {
    const thread = new HelperThread<LaneResults>("lane-worker.js", setup);
    try {
      await thread.next();
    } catch (error) {
      await thread.dispose();
      throw error;
    }
    return { run: (part) => thread.ask(part), dispose: () => thread.dispose() };
  },
  openKernels(): KernelThread {
    const thread = new HelperThread<undefined>("kernel-worker.js");
    return {
      adam(state, update) {
        const { buffer } = state.gradient;
        return thread.ask({ state, update }, buffer instanceof ArrayBuffer ? [buffer] : []);
      },
      dispose: () => thread.dispose(),
    };
  },
};

/** Run from its TypeScript source, as tests do, the package starts the compiled workers. */
function compiled(file: string): URL {
  const here = import.meta.url;
  if (!here.endsWith(".ts")) return new URL(file, here);
  return new URL(here.replace(/\/src\/(.*\/)[^/]*$/, `/dist/$1${file}`));
}
