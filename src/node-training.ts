/** Trainings, what they are measured by, and experiments made of them: the part of the public API that learns. */
import { EventEmitter } from "node:events";
import { availableParallelism } from "node:os";
import { writeReport } from "./runs/node/write-report.ts";
import type { EvaluateModelOptions } from "./tasks/node/evaluate-model.ts";
import { type ExperimentProgress, locateExperiment, runExperiment } from "./tasks/node/run-experiment.ts";
import { planTraining, type TrainOptions } from "./tasks/node/training-plan.ts";
import { EngineWorker } from "./tasks/node/worker-client.ts";
import { parseExperiment, type TrialResult } from "./training/experiment.ts";
import type { Measured, RunEvent, RunOutcome } from "./training/run-events.ts";
import { Brake } from "./util/brake.ts";
import { QkvError, refuseUnknownOptions } from "./util/errors.ts";
import { eventsUntil } from "./util/events-until.ts";

/**
 * A training that runs in a thread of its own. It tells what happens as "event", or as an async iterator of the events
 * from then on.
 */
export class TrainingJob extends EventEmitter<{ event: [RunEvent] }> implements AsyncIterable<RunEvent> {
  /** How it ended; rejects with a QkvError where it failed. */
  readonly finished: Promise<RunOutcome>;
  readonly #controller = new AbortController();
  readonly #brake = new Brake();
  #isOver = false;

  constructor(options: TrainOptions) {
    super();
    this.finished = this.#run(options).finally(() => {
      this.#isOver = true;
    });
  }

  /** Whether it was told to pause and not to go on since. */
  get isPaused(): boolean {
    return this.#brake.isOn;
  }

  /**
   * Lets the training stand still after the current step, or before the first; `resume` lets it go on as if nothing
   * had been. Resolves when it stands still, is to go on after all, or has ended.
   */
  async pause(): Promise<void> {
    if (this.#brake.isOn || this.#isOver) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        this.off("event", listener);
        forget();
        resolve();
      };
      const listener = ({ type }: RunEvent) => type === "paused" && end();
      this.on("event", listener);
      this.#brake.set(true);
      const forget = this.#brake.onChange(end);
      this.finished.then(end, end);
    });
  }

  /** Lets a paused training go on. */
  resume(): void {
    this.#brake.set(false);
  }

  /** Saves a checkpoint and ends after the current step, paused or not. */
  async stop(): Promise<RunOutcome> {
    if (!this.#controller.signal.aborted && !this.#isOver) this.emit("event", { type: "stopping" });
    this.#controller.abort();
    return await this.finished;
  }

  [Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, undefined> {
    const subscribe = (listener: (event: RunEvent) => void) => {
      this.on("event", listener);
      return () => this.off("event", listener);
    };
    return eventsUntil(subscribe, this.finished);
  }

  /** Writes the run's report. What was trained does not depend on it, so a failure is told and no more. */
  async #report(folder: string): Promise<void> {
    const say = (text: string) => this.emit("event", { type: "message", text });
    try {
      const { path } = await writeReport(folder);
      say(`The report of the run: ${path}`);
    } catch (error) {
      say(`There is no report of the run: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #run(options: TrainOptions): Promise<RunOutcome> {
    const { signal } = this.#controller;
    const plan = await planTraining(options);
    const worker = new EngineWorker(options.threads === undefined ? {} : { threads: options.threads });
    try {
      const outcome = await worker.call("train", plan, {
        signal,
        brake: this.#brake,
        onEvent: (event) => this.emit("event", event),
      });
      await this.#report(plan.directory);
      return outcome;
    } catch (error) {
      if (!(signal.aborted && error instanceof QkvError && error.code === "interrupted")) throw error;
      this.emit("event", { type: "message", text: error.message });
      return "interrupted";
    } finally {
      await worker.dispose();
    }
  }
}

/** What to compare, and where to put the results. */
export interface ExperimentOptions {
  /** A shipped experiment's name, its file or folder, or its JSON. */
  readonly experiment: string | object;
  readonly out: string;
  /** The folder of the recipe's data. Default: `data/NAME` for a shipped experiment, else where it lies. */
  readonly data?: string;
  /** Instead of the recipe's, for a first look. */
  readonly maxSteps?: number;
  /** Instead of the experiment's. */
  readonly seeds?: readonly number[];
  /** How many trainings go on at a time; default: 1. */
  readonly jobs?: number;
  /** Threads of each; default: the cores, at most eight, divided among the jobs. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ExperimentProgress) => void;
}

/**
 * Trains every variant of an experiment with every seed and writes `results.json`, `results.md`
 * and a picture for each question. What is done already is not done again.
 */
export async function experiment(options: ExperimentOptions): Promise<readonly TrialResult[]> {
  const known = ["experiment", "out", "data", "maxSteps", "seeds", "jobs", "threads", "signal", "onProgress"];
  refuseUnknownOptions("experiment", options, known);
  const { out, data, maxSteps, jobs = 1, signal = new AbortController().signal, onProgress } = options;
  if (!(Number.isInteger(jobs) && jobs >= 1)) {
    throw new QkvError("option", `experiment: jobs must be a whole number from 1; got ${jobs}`);
  }
  const { threads = Math.max(1, Math.floor(Math.min(availableParallelism(), 8) / jobs)) } = options;
  const { json, where, dataFolder } = await locateExperiment(options.experiment, data);
  const { seeds } = options;
  const asked = seeds === undefined ? json : { ...(json as object), seeds };
  return await runExperiment({
    experiment: parseExperiment(asked, where),
    directory: out,
    dataFolder,
    ...(maxSteps !== undefined && { maxSteps }),
    jobs,
    signal,
    onProgress: (progress) => onProgress?.(progress),
    train: async (own, onEvent) => {
      const job = train({ ...own, threads });
      job.on("event", onEvent);
      const stop = () => void job.stop().catch(() => {});
      signal.addEventListener("abort", stop);
      try {
        return await job.finished;
      } finally {
        signal.removeEventListener("abort", stop);
      }
    },
    // Imported only here, since it brings every model along.
    check: async (own, wanted) =>
      await (await import("./tasks/node/check-training.ts")).checkTraining(own, wanted),
    measure: async (run, split) => await evaluate({ run, split }, { threads, signal }),
  });
}

/**
 * Starts a training, from a recipe or two text files.
 * What is wrong with options, recipe or files makes `finished` reject before anything is written.
 */
export function train(options: TrainOptions): TrainingJob {
  return new TrainingJob(options);
}

/**
 * Measures the model of a run on a part of its recipe's data, or on other files of the same kind: its loss and the
 * metrics of its task.
 */
export async function evaluate(
  options: EvaluateModelOptions,
  engine: { readonly threads?: number; readonly signal?: AbortSignal } = {},
): Promise<Measured> {
  refuseUnknownOptions("evaluate", options, ["run", "split", "files", "data"]);
  refuseUnknownOptions("evaluate", engine, ["threads", "signal"]);
  const worker = new EngineWorker(engine.threads === undefined ? {} : { threads: engine.threads });
  try {
    return await worker.call(
      "evaluate",
      options,
      engine.signal === undefined ? {} : { signal: engine.signal },
    );
  } finally {
    await worker.dispose();
  }
}
