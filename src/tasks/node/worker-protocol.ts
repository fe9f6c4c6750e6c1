import type { MessagePort } from "node:worker_threads";
import type { DecodingOptions } from "../../generation/decoding-options.ts";
import type { ModelOptions } from "../../models/family.ts";
import type { TracedValue } from "../../tracing/trace.ts";
import type { Measured, RunEvent, RunOutcome } from "../../training/run-events.ts";
import { type ErrorCode, QkvError } from "../../util/errors.ts";
import type { Truncation } from "../task.ts";
import type { Translation } from "../translator.ts";
import type { WrittenToken } from "../written-tokens.ts";
import type { EvaluateModelOptions } from "./evaluate-model.ts";
import type { GeneratedIds } from "./generate-ids.ts";
import type { WantedValues, WrittenWithValues } from "./open-model.ts";
import type { TranslationTrace } from "./trace-translation.ts";
import type { TrainingPlan } from "./training-plan.ts";

/** What the engine's worker can be asked for: input, what is told meanwhile, and answer. */
export interface WorkerTasks {
  train: { input: TrainingPlan; event: RunEvent; output: RunOutcome };
  /** Measures the model of a run. */
  evaluate: { input: EvaluateModelOptions; event: RunEvent; output: Measured };
  /** Loads a model folder; later calls of `translate` use it. */
  openTranslator: {
    input: { readonly folder: string; readonly adapter?: string };
    event: never;
    output: undefined;
  };
  translate: {
    input: {
      readonly texts: readonly string[];
      readonly options: Partial<DecodingOptions>;
      /** Whether each token is told. */
      readonly tellsTokens?: boolean;
    };
    event: WrittenToken;
    output: Translation[];
  };
  /** Loads a model folder for a task; later calls of `runPipeline` use it. */
  openPipeline: {
    input: { readonly task: string; readonly folder: string; readonly adapter?: string };
    event: never;
    output: undefined;
  };
  runPipeline: {
    input: {
      readonly inputs: readonly unknown[];
      readonly options: unknown;
      readonly tellsTokens: boolean;
    };
    event: { readonly truncation: Truncation } | { readonly token: WrittenToken };
    output: unknown[];
  };
  trace: {
    input: {
      readonly folder: string;
      readonly text: string;
      readonly target?: string;
      readonly addresses?: readonly string[];
    };
    event: never;
    output: TranslationTrace;
  };
  /** Goes on from token ids with a model folder; names as in Hugging Face's files. */
  generate: {
    input: { readonly folder: string; readonly inputs: unknown; readonly options: unknown };
    event: never;
    output: GeneratedIds;
  };
  traceModel: {
    input: { readonly folder: string; readonly inputs: unknown; readonly addresses?: readonly string[] };
    event: never;
    output: TracedValue[];
  };
  /** Opens a model folder and tells its architecture; later calls of `runModel` and `writeWithModel` use it. */
  openModel: {
    input: { readonly folder: string; readonly options: ModelOptions & { readonly adapter?: string } };
    event: never;
    output: string;
  };
  runModel: {
    input: { readonly inputs: unknown; readonly wanted: WantedValues };
    event: never;
    output: TracedValue[];
  };
  writeWithModel: {
    input: { readonly inputs: unknown; readonly options: unknown; readonly wanted: WantedValues };
    event: never;
    output: WrittenWithValues;
  };
}

export type TaskName = keyof WorkerTasks;

/** What the worker is started with. */
export interface WorkerSettings {
  /** Default: as many as the device chooses. */
  readonly threads?: number;
  /** Whether models are laid out anew; see `ModelFolderOptions`. */
  readonly prepacking?: boolean;
  /** Where it is told to stop: read between two runs of the engine, and whenever a task reports something. */
  readonly control: MessagePort;
}

/** One call, as it goes to the worker. */
export type Request = {
  readonly [Name in TaskName]: {
    readonly id: number;
    readonly task: Name;
    readonly input: WorkerTasks[Name]["input"];
  };
}[TaskName];

/** On the control port: one call shall stop, stand still or go on, or all is over. */
export type ControlMessage =
  | { readonly kind: "abort"; readonly id: number }
  | { readonly kind: "brake"; readonly id: number; readonly isOn: boolean }
  | {
      readonly kind: "quit";
    };

export type Reply =
  | { readonly id: number; readonly kind: "event"; readonly event: WorkerTasks[TaskName]["event"] }
  | { readonly id: number; readonly kind: "result"; readonly output: WorkerTasks[TaskName]["output"] }
  | { readonly id: number; readonly kind: "failure"; readonly error: CarriedError };

/** An error in a form that crosses threads; class and code of an Error object would get lost. */
export interface CarriedError {
  readonly name: string;
  readonly message: string;
  readonly code?: ErrorCode;
  readonly stack?: string;
  readonly cause?: CarriedError;
}

/** Takes an error apart for the way to another thread. */
export function carryError(error: unknown): CarriedError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  return {
    name: error.name,
    message: error.message,
    ...(error instanceof QkvError && { code: error.code }),
    ...(error.stack !== undefined && { stack: error.stack }),
    ...(error.cause !== undefined && { cause: carryError(error.cause) }),
  };
}

/** The error that was taken apart, with the stack that it had. */
export function restoreError({ name, message, code, stack, cause }: CarriedError): Error {
  const options = cause === undefined ? {} : { cause: restoreError(cause) };
  const error = code === undefined ? new Error(message, options) : new QkvError(code, message, options);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
