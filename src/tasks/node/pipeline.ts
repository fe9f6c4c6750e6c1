import { didYouMean, QkvError } from "../../util/errors.ts";
import { eventsUntil } from "../../util/events-until.ts";
import { type HubOptions, hubOptionNames } from "../../weights/node/hub/settings.ts";
import type { Features } from "../feature-extraction.ts";
import { type CallControls, FeatureTensor, type Pipelines, type WritingControls } from "../pipelines.ts";
import { findTask, type PipelineAliases, type PipelineName, type PipelineTask, taskName } from "../table.ts";
import { camelCaseKeys, type Truncation } from "../task.ts";
import type { WrittenToken } from "../written-tokens.ts";
import { splitHubOptions } from "./hub-models.ts";
import { defaultModelOf, findModel } from "./shipped.ts";
import { EngineWorker } from "./worker-client.ts";

export interface PipelineOptions extends HubOptions {
  /** Threads of the engine. Default: one a core, at most eight. */
  readonly threads?: number;
  /** The folder of an adapter that the model gets, as PEFT writes it: adapter_config.json and its weights. */
  readonly adapter?: string;
  /**
   * Whether the engine lays the weights out anew: faster for each token, but a copy of them in memory. Default: yes,
   * but for decoder-only models that write text.
   */
  readonly prepacking?: boolean;
  /**
   * Hears of inputs that were longer than the model reads, so that a part of them was left out. Default: a warning of
   * the process.
   */
  readonly onTruncated?: (truncation: Truncation) => void;
}

const pipelineOptions: readonly string[] = [
  "threads",
  "prepacking",
  "adapter",
  "onTruncated",
  ...hubOptionNames,
];

/** The function that a task's name gives. */
export type PipelineOf<Name extends PipelineName> = Name extends PipelineTask
  ? Pipelines[Name]
  : Name extends keyof PipelineAliases
    ? Pipelines[PipelineAliases[Name]]
    : Pipelines["translation"];

/**
 * Opens a model for a task, in a thread of its own. The result is a function: it takes an input or a list of them and
 * options, as Transformers.js' pipelines do. Its `dispose` ends the thread.
 * @param name - the task's, such as "fill-mask" or "translation_en_to_de"
 * @param model - a model folder, a name on the hub such as "google-bert/bert-base-uncased", or for translation the name
 * of a shipped model; translation and text generation have a default
 * @throws QkvError for an unknown task, or a model that is none for it
 */
export async function pipeline<Name extends PipelineName>(
  name: Name,
  model?: string,
  options: PipelineOptions = {},
): Promise<PipelineOf<Name>> {
  const task = taskName(name);
  findTask(task);
  for (const option of Object.keys(options)) {
    if (pipelineOptions.includes(option)) continue;
    throw new QkvError(
      "option",
      `pipeline: unknown option "${option}"${didYouMean(option, pipelineOptions)}; there are ${pipelineOptions.join(", ")}`,
    );
  }
  const { hub, others } = splitHubOptions(options);
  const { adapter, onTruncated = warn(task), ...engine } = others;
  const wanted = model ?? defaultModelOf(task);
  if (wanted === undefined) {
    throw new QkvError(
      "option",
      `pipeline: "${task}" needs a model; name a model folder, or a model of the hub`,
    );
  }
  const folder = await findModel(wanted, hub);
  const worker = new EngineWorker(engine);
  try {
    await worker.call("openPipeline", { task, folder, ...(adapter !== undefined && { adapter }) });
  } catch (error) {
    await worker.dispose();
    throw error;
  }
  const call = callOf(task, (inputs, given) => {
    const { signal, onToken, options } = separateControls(task, given);
    return worker.call(
      "runPipeline",
      { inputs, options, tellsTokens: onToken !== undefined },
      {
        ...(signal !== undefined && { signal }),
        onEvent: (event) => ("token" in event ? onToken?.(event.token) : onTruncated(event.truncation)),
      },
    );
  });
  const more = { dispose: () => worker.dispose(), ...(writes(task) && { stream: streamOf(call) }) };
  return Object.assign(call, more) as unknown as PipelineOf<Name>;
}

/** Whether a task writes text, token by token. */
const writes = (task: string): boolean =>
  /^(text-generation|text2text-|summarization|translation)/.test(task);

/** Takes what steers a call out of its options, which go to another thread. */
function separateControls(task: string, given: unknown): WritingControls & { readonly options: unknown } {
  if (typeof given !== "object" || given === null) return { options: given };
  const { signal, onToken, ...options } = given as WritingControls & Record<string, unknown>;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new QkvError("option", `${task}: signal must be an AbortSignal; got ${typeof signal}`);
  }
  if (onToken !== undefined && typeof onToken !== "function") {
    throw new QkvError("option", `${task}: onToken must be a function; got ${typeof onToken}`);
  }
  if (onToken !== undefined && !writes(task)) {
    throw new QkvError("option", `${task}: writes no tokens, so onToken hears of none; leave it out`);
  }
  return { options, ...(signal && { signal }), ...(onToken && { onToken }) };
}

/** A task's function as tokens that come one by one. */
function streamOf(call: (input: unknown, options: object) => Promise<unknown>) {
  return async function* (
    input: unknown,
    options: CallControls = {},
  ): AsyncGenerator<WrittenToken, void, undefined> {
    const stopped = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stopped.signal]) : stopped.signal;
    let tell: (token: WrittenToken) => void = () => {};
    const work = call(input, { ...options, signal, onToken: (token: WrittenToken) => tell(token) });
    try {
      yield* eventsUntil<WrittenToken>((listener) => {
        tell = listener;
        return () => {};
      }, work);
    } finally {
      stopped.abort();
    }
  };
}

type Run = (inputs: readonly unknown[], options: unknown) => Promise<unknown[]>;

/** How a task's function looks from outside: what is a list there. */
function callOf(task: string, run: Run): (...args: unknown[]) => Promise<unknown> {
  switch (task) {
    case "question-answering":
      return async (question, context, options = {}) => {
        const several = Array.isArray(question) || Array.isArray(context);
        const results = await run(questionsOf(question, context), options);
        const shaped = isOne(options) ? results.flat() : results;
        return several ? shaped : shaped[0];
      };
    case "feature-extraction":
      return async (texts, options = {}) => {
        const rows = (await run(listOf(texts), options)) as Features[];
        const { pooling = "none" } = options as { pooling?: string };
        return FeatureTensor.stack(rows, pooling !== "none");
      };
    case "text-classification":
      return async (texts, options = {}) => {
        const results = await run(listOf(texts), options);
        return !Array.isArray(texts) || isOne(options) ? results.flat() : results;
      };
    case "fill-mask":
    case "token-classification":
    case "text-generation":
      return async (texts, options = {}) => {
        const results = await run(listOf(texts), options);
        return Array.isArray(texts) ? results : results[0];
      };
    default:
      return async (texts, options = {}) => (await run(listOf(texts), options)).flat();
  }
}

const listOf = (input: unknown): readonly unknown[] => (Array.isArray(input) ? input : [input]);

/** Whether one result is wanted of each input; null would be all. */
const isOne = (options: unknown): boolean => {
  const { topK = 1 } = camelCaseKeys("pipeline", options);
  return topK === 1;
};

/** Questions and contexts side by side; one of either goes with all of the other. */
function questionsOf(question: unknown, context: unknown): { question: unknown; context: unknown }[] {
  const [questions, contexts] = [listOf(question), listOf(context)];
  const count = Math.max(questions.length, contexts.length);
  for (const [name, list] of [
    ["questions", questions],
    ["contexts", contexts],
  ] as const) {
    if (list.length === count || list.length === 1) continue;
    throw new QkvError(
      "data",
      `question-answering: there must be as many ${name} as there are others, or one; got ${list.length} and ${count}`,
    );
  }
  return Array.from({ length: count }, (_, index) => ({
    question: questions[questions.length === 1 ? 0 : index],
    context: contexts[contexts.length === 1 ? 0 : index],
  }));
}

const warn =
  (task: string) =>
  ({ index, tokens, limit }: Truncation): void => {
    process.emitWarning(
      `input ${index + 1} has ${tokens} tokens and the model reads ${limit}; the others were left out`,
      { code: "QKV_TRUNCATED", type: `qkv ${task}` },
    );
  };
