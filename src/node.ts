/** qkv in Node.js: the public API. */
import type { DecodingOptions } from "./generation/decoding-options.ts";
import type { GeneratedIds } from "./tasks/node/generate-ids.ts";
import { splitHubOptions } from "./tasks/node/hub-models.ts";
import { findModel } from "./tasks/node/shipped.ts";
import type { TranslationTrace } from "./tasks/node/trace-translation.ts";
import { EngineWorker } from "./tasks/node/worker-client.ts";
import type { WorkerTasks } from "./tasks/node/worker-protocol.ts";
import type { WritingControls } from "./tasks/pipelines.ts";
import type { Translation } from "./tasks/translator.ts";
import type { TracedValue } from "./tracing/trace.ts";
import { QkvError, refuseUnknownOptions } from "./util/errors.ts";
import { type HubOptions, hubOptionNames } from "./weights/node/hub/settings.ts";

export { type BleuOptions, type BleuScore, corpusBleu, sentenceBleu } from "./metrics/bleu.ts";
export { type ChrfOptions, type ChrfScore, corpusChrf, sentenceChrf } from "./metrics/chrf.ts";
export {
  type ExperimentOptions,
  evaluate,
  experiment,
  TrainingJob,
  train,
} from "./node-training.ts";
export type { EvaluateModelOptions } from "./tasks/node/evaluate-model.ts";
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
export type { ExperimentProgress } from "./tasks/node/run-experiment.ts";
export { openTokenizer as loadTokenizer } from "./tasks/node/tokenizer-folder.ts";
export type { TrainOptions } from "./tasks/node/training-plan.ts";
export { type CallControls, FeatureTensor, type Pipelines, type WritingControls } from "./tasks/pipelines.ts";
export type { PipelineName, PipelineTask } from "./tasks/table.ts";
export type { Truncation } from "./tasks/task.ts";
export type { WrittenToken } from "./tasks/written-tokens.ts";
export {
  type BytePairEncodingOptions,
  learnBytePairEncoding,
} from "./tokenizers/learning/byte-pair-encoding.ts";
export { Tokenizer } from "./tokenizers/tokenizer.ts";
export type { TrialResult } from "./training/experiment.ts";
export type { Measured, RunEvent, RunOutcome } from "./training/run-events.ts";
export { type ErrorCode, QkvError } from "./util/errors.ts";
export type { HubOptions, HubProgress } from "./weights/node/hub/settings.ts";
export type { DecodingOptions, GeneratedIds, TracedValue, Translation, TranslationTrace };

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
  refuseUnknownOptions("loadTranslator", options, [...openOptionNames, "adapter"]);
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
  refuseUnknownOptions("trace", options, ["target", "addresses", "threads", ...hubOptionNames]);
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
  refuseUnknownOptions("traceInputs", options, ["addresses", "threads", ...hubOptionNames]);
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
  refuseUnknownOptions("generateIds", open, openOptionNames);
  const { hub, others } = splitHubOptions(open);
  return await inWorker(others, "generate", { folder: await findModel(model, hub), inputs, options });
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
