/** qkv in Node.js: the public API. */
import { EventEmitter } from "node:events";
import type { DecodingOptions } from "./generation/decoding-options.ts";
import { writeReport } from "./runs/node/write-report.ts";
import type { EvaluateModelOptions } from "./tasks/node/evaluate-model.ts";
import type { GeneratedIds } from "./tasks/node/generate-ids.ts";
import { splitHubOptions } from "./tasks/node/hub-models.ts";
import { type ExperimentProgress, locateExperiment, runExperiment } from "./tasks/node/run-experiment.ts";
import { findModel } from "./tasks/node/shipped.ts";
import type { TranslationTrace } from "./tasks/node/trace-translation.ts";
import { planTraining, type TrainOptions } from "./tasks/node/training-plan.ts";
import { EngineWorker } from "./tasks/node/worker-client.ts";
import type { WorkerTasks } from "./tasks/node/worker-protocol.ts";
import type { WritingControls } from "./tasks/pipelines.ts";
import type { Translation } from "./tasks/translator.ts";
import type { TracedValue } from "./tracing/trace.ts";
import { parseExperiment, type TrialResult } from "./training/experiment.ts";
import type { Measured, RunEvent, RunOutcome } from "./training/run-events.ts";
import { Brake } from "./util/brake.ts";
import { didYouMean, QkvError } from "./util/errors.ts";
import { eventsUntil } from "./util/events-until.ts";
import { type HubOptions, hubOptionNames } from "./weights/node/hub/settings.ts";

export { type BleuOptions, type BleuScore, corpusBleu, sentenceBleu } from "./metrics/bleu.ts";
export { type ChrfOptions, type ChrfScore, corpusChrf, sentenceChrf } from "./metrics/chrf.ts";
export { downloadModel } from "./tasks/node/hub-models.ts";
export {
  type ForwardOptions,
  type LoadedModel,
  type LoadModelOptions,
  loadModel,
  type ModelInputs,
  type ModelOutputs,
  type WrittenSequences,
} from "./tasks/node/loaded-model.ts";
export { type PipelineOf, type PipelineOptions, pipeline } from "./tasks/node/pipeline.ts";
export { openTokenizer as loadTokenizer } from "./tasks/node/tokenizer-folder.ts";
export { type CallControls, FeatureTensor, type Pipelines, type WritingControls } from "./tasks/pipelines.ts";
export type { PipelineName, PipelineTask } from "./tasks/table.ts";
export type { Truncation } from "./tasks/task.ts";
export type { WrittenToken } from "./tasks/written-tokens.ts";
export {
  type BytePairEncodingOptions,
  learnBytePairEncoding,
} from "./tokenizers/learning/byte-pair-encoding.ts";
export { Tokenizer } from "./tokenizers/tokenizer.ts";
export { type ErrorCode, QkvError } from "./util/errors.ts";
export type { HubOptions, HubProgress } from "./weights/node/hub/settings.ts";
export type {
  DecodingOptions,
  EvaluateModelOptions,
  ExperimentProgress,
  GeneratedIds,
  Measured,
  RunEvent,
  RunOutcome,
  TracedValue,
  TrainOptions,
  Translation,
  TranslationTrace,
  TrialResult,
};

function refuseUnknown(where: string, given: object, known: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    throw new QkvError("option", `${where}: unknown option "${name}"${didYouMean(name, known)}`);
  }
}

/** How the engine runs. */
export interface EngineOptions {
  /** Default: one a core, at most eight. */
  readonly threads?: number;
  /**
   * Whether it lays a model's weights out anew: faster for each token, but a copy of them in memory. Default: yes, but
   * for decoder-only models that write text.
   */
  readonly prepacking?: boolean;
}

/** How a model is found and run. */
export interface OpenOptions extends EngineOptions, HubOptions {}

const openOptionNames: readonly string[] = ["threads", "prepacking", ...hubOptionNames];

export interface TranslatorOptions extends OpenOptions {
  /** The folder of an adapter that the model gets, as PEFT writes it. */
  readonly adapter?: string;
}

/** A translation model that is ready for use, in a thread of its own. */
export interface LoadedTranslator {
  /**
   * Translates texts; the results stand in the order of the texts, and an empty text stays empty.
   * @param options - over the model's own
   * @param controls - stops the call; hears of each token, or with beams of all tokens of a finished translation
   */
  translate(
    texts: readonly string[],
    options?: Partial<DecodingOptions>,
    controls?: WritingControls,
  ): Promise<Translation[]>;
  /** Ends the thread. Translations that are under way fail with "interrupted". */
  dispose(): Promise<void>;
}

/**
 * Opens a translation model.
 * @param model - a model folder, a name on the hub, or the name of a shipped model; default: the shipped
 * English-German one
 * @throws QkvError "file", "config" or "weights" where the folder is no such model
 */
export async function loadTranslator(
  model?: string,
  { adapter, ...options }: TranslatorOptions = {},
): Promise<LoadedTranslator> {
  refuseUnknown("loadTranslator", options, [...openOptionNames, "adapter"]);
  const { hub, others } = splitHubOptions(options);
  const folder = await findModel(model, hub);
  const worker = new EngineWorker(others);
  try {
    await worker.call("openTranslator", { folder, ...(adapter !== undefined && { adapter }) });
  } catch (error) {
    await worker.dispose();
    throw error;
  }
  return {
    translate: async (texts, decoding = {}, { signal, onToken } = {}) => {
      if (!Array.isArray(texts) || !texts.every((text) => typeof text === "string")) {
        throw new QkvError(
          "option",
          `translate: takes a list of texts; got ${typeof texts}; put it into a list`,
        );
      }
      return await worker.call(
        "translate",
        { texts, options: decoding, tellsTokens: onToken !== undefined },
        { ...(signal && { signal }), ...(onToken && { onEvent: onToken }) },
      );
    },
    dispose: () => worker.dispose(),
  };
}

/** What `trace` can be asked for. */
export interface TraceOptions extends Omit<OpenOptions, "prepacking"> {
  /** The translation to follow; default: the model's own. */
  readonly target?: string;
  /** Which values; * stands for anything; default: all. */
  readonly addresses?: readonly string[];
}

/**
 * Every intermediate value while a translator reads a text and writes its translation.
 * @param model - a model folder, a name on the hub, or the name of a shipped model; undefined: the shipped
 * English-German one
 */
export async function trace(
  model: string | undefined,
  text: string,
  options: TraceOptions = {},
): Promise<TranslationTrace> {
  refuseUnknown("trace", options, ["target", "addresses", "threads", ...hubOptionNames]);
  const { hub, others } = splitHubOptions(options);
  const folder = await findModel(model, hub);
  const { threads: _, ...asked } = others;
  return await inWorker(others, "trace", { folder, text, ...asked });
}

/**
 * Every intermediate value of one forward pass of a model of any family.
 * @param model - a model folder, or a name on the hub
 * @param inputs - under Hugging Face's names, as nested lists: `{ input_ids: [[5, 7]], attention_mask: ... }`
 * @returns values by their addresses, and again under Hugging Face's names (`logits`, `hidden_states.0` ...)
 */
export async function traceInputs(
  model: string,
  inputs: unknown,
  options: Omit<TraceOptions, "target"> = {},
): Promise<TracedValue[]> {
  refuseUnknown("traceInputs", options, ["addresses", "threads", ...hubOptionNames]);
  const { hub, others } = splitHubOptions(options);
  const { threads: _, ...asked } = others;
  return await inWorker(others, "traceModel", { folder: await findModel(model, hub), inputs, ...asked });
}

/**
 * Goes on from token ids with a model that writes text.
 * @param model - a model folder, or a name on the hub
 * @param inputs - `input_ids` and maybe `attention_mask` and `decoder_input_ids`, as nested lists
 * @param options - under Hugging Face's names; they override the folder's generation_config.json
 */
export async function generateIds(
  model: string,
  inputs: unknown,
  options: unknown = {},
  open: OpenOptions = {},
): Promise<GeneratedIds> {
  refuseUnknown("generateIds", open, openOptionNames);
  const { hub, others } = splitHubOptions(open);
  return await inWorker(others, "generate", { folder: await findModel(model, hub), inputs, options });
}

/**
 * Measures the model of a run on a part of its recipe's data, or on other files of the same kind: its loss and the
 * metrics of its task.
 */
export async function evaluate(
  options: EvaluateModelOptions,
  engine: EngineOptions & { readonly signal?: AbortSignal } = {},
): Promise<Measured> {
  refuseUnknown("evaluate", options, ["run", "split", "files", "data"]);
  refuseUnknown("evaluate", engine, ["threads", "signal"]);
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

async function inWorker<Name extends keyof WorkerTasks>(
  { threads, prepacking }: EngineOptions,
  task: Name,
  input: WorkerTasks[Name]["input"],
): Promise<WorkerTasks[Name]["output"]> {
  const worker = new EngineWorker({
    ...(threads !== undefined && { threads }),
    ...(prepacking !== undefined && { prepacking }),
  });
  try {
    return await worker.call(task, input);
  } finally {
    await worker.dispose();
  }
}

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
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ExperimentProgress) => void;
}

/**
 * Trains every variant of an experiment with every seed, one after another, and writes `results.json`, `results.md`
 * and a picture for each question. What is done already is not done again.
 */
export async function experiment(options: ExperimentOptions): Promise<readonly TrialResult[]> {
  const known = ["experiment", "out", "data", "maxSteps", "seeds", "threads", "signal", "onProgress"];
  refuseUnknown("experiment", options, known);
  const { out, data, maxSteps, threads, signal = new AbortController().signal, onProgress } = options;
  const { json, where, dataFolder } = await locateExperiment(options.experiment, data);
  const { seeds } = options;
  const asked = seeds === undefined ? json : { ...(json as object), seeds };
  return await runExperiment({
    experiment: parseExperiment(asked, where),
    directory: out,
    dataFolder,
    ...(maxSteps !== undefined && { maxSteps }),
    signal,
    onProgress: (progress) => onProgress?.(progress),
    train: async (own, onEvent) => {
      const job = train({ ...own, ...(threads !== undefined && { threads }) });
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
    measures: async (own) =>
      (await import("./tasks/training/measures.ts")).measuresOf((await planTraining(own)).recipe),
    test: async (run) =>
      await evaluate({ run, split: "test" }, { ...(threads !== undefined && { threads }), signal }),
  });
}

/**
 * Starts a training, from a recipe or two text files.
 * What is wrong with options, recipe or files makes `finished` reject before anything is written.
 */
export function train(options: TrainOptions): TrainingJob {
  return new TrainingJob(options);
}
