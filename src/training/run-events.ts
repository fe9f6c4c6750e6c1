import type { Recipe } from "./recipe.ts";

/** What a training tells while it runs; the log keeps the records of steps and validations. */
export interface StepRecord {
  readonly type: "step";
  readonly step: number;
  readonly epoch: number;
  /** Mean loss of a token since the last record, in nats; with label smoothing, if the recipe has it. */
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  readonly tokensPerSecond: number;
  /** Target tokens learned from so far. */
  readonly tokens: number;
  /** Seconds of training so far. */
  readonly seconds: number;
}

/** What a model was measured to be on held-out data. */
export interface Measured {
  /** The mean loss of what counts (a token, say), without label smoothing. */
  readonly loss: number;
  /** The metrics of the task, by name; all but the loss, perplexity and bits per byte are the better the greater. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface ValidationRecord extends Measured {
  readonly type: "validation";
  readonly step: number;
  /** Whether it is the best so far. */
  readonly best: boolean;
  /** What the numbers are of, where not of the training's own last step. */
  readonly of?: "average";
  readonly seconds: number;
}

/** A text of the validation data, and what the model makes of it at some step. */
export interface SampleRecord {
  readonly type: "sample";
  readonly step: number;
  readonly source: string;
  /** What would be right. */
  readonly target: string;
  readonly got: string;
}

/** What a validation gives. */
export interface Validated extends Measured {
  /** What the model makes of some texts, the same at each validation. */
  readonly samples?: readonly Omit<SampleRecord, "type" | "step">[];
}

/** What the log keeps. */
export type LogRecord = StepRecord | ValidationRecord | SampleRecord;

export type RunEvent =
  | StepRecord
  | ValidationRecord
  | SampleRecord
  | { readonly type: "message"; readonly text: string }
  /** `total` is left out where it is not known before. */
  | { readonly type: "preparing"; readonly what: string; readonly done: number; readonly total?: number }
  | {
      readonly type: "start";
      readonly task: Recipe["task"];
      readonly step: number;
      readonly maxSteps: number;
      readonly parameters: number;
    }
  /** The run stands still before the step that comes after this one, and goes on. */
  | { readonly type: "paused"; readonly step: number }
  | { readonly type: "resumed"; readonly step: number }
  /** Somebody asked it to save and end. */
  | { readonly type: "stopping" };

export type RunOutcome = "finished" | "stopped early" | "interrupted";

/** What happened when: what the measurements in the log do not say. */
export type JournalRecord = { readonly time: string } & JournalEntry;

/** The events that the journal keeps as they are. */
export type ToldEvent = Extract<RunEvent, { readonly type: "message" | "start" | "paused" | "resumed" }>;

export type JournalEntry =
  | ToldEvent
  /** The run begins or goes on, in a process of this number. */
  | {
      readonly type: "session";
      readonly engine: string;
      readonly threads: number;
      readonly process: number;
      readonly continues: boolean;
    }
  | { readonly type: "end"; readonly outcome: RunOutcome }
  | { readonly type: "failure"; readonly text: string };
