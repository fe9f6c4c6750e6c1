/** A run as its folder tells of it, and what it comes to. */
import type {
  JournalRecord,
  LogRecord,
  SampleRecord,
  StepRecord,
  ValidationRecord,
} from "../training/run-events.ts";

export interface StoredRun {
  readonly folder: string;
  /** The folder's own name. */
  readonly name: string;
  /** As it stands in recipe.json; undefined where there is none. */
  readonly recipe: unknown;
  readonly records: readonly LogRecord[];
  readonly journal: readonly JournalRecord[];
  /** What could not be read, one sentence each. */
  readonly problems: readonly string[];
  /** Whether the process of its last session runs. */
  readonly isAlive: boolean;
  readonly state: StoredState | undefined;
  readonly data: readonly DataSize[];
  readonly model: ModelSize | undefined;
}

/** Of the last checkpoint. */
export interface StoredState {
  readonly engine: string;
  readonly threads: number;
}

/** What one part of the data holds: "pairs", "sourceTokens" ... */
export interface DataSize {
  readonly name: string;
  readonly counts: readonly (readonly [what: string, count: number])[];
}

/** Of model.safetensors. */
export interface ModelSize {
  readonly tensors: number;
  readonly dtypes: readonly string[];
  readonly numbers: number;
  readonly bytes: number;
}

export type RunStatus =
  | "preparing"
  | "running"
  | "paused"
  | "finished"
  | "stopped early"
  | "interrupted"
  | "failed"
  /** Its process is gone without a word. */
  | "killed"
  /** It comes from a version that kept no journal. */
  | "unknown";

/** What a run comes to. */
export interface RunSummary {
  readonly name: string;
  readonly folder: string;
  readonly description: string;
  readonly task: string;
  readonly status: RunStatus;
  readonly step: number;
  readonly maxSteps: number | undefined;
  /** Seconds of training, without validations and pauses. */
  readonly seconds: number;
  /** Learned from. */
  readonly tokens: number;
  readonly tokensPerSecond: number | undefined;
  readonly parameters: number | undefined;
  readonly engine: string | undefined;
  readonly threads: number | undefined;
  /** The validation with the best value of what the recipe chooses by. */
  readonly best: ValidationRecord | undefined;
  /** The last of training's own. */
  readonly last: ValidationRecord | undefined;
  /** That of the mean of the last checkpoints. */
  readonly average: ValidationRecord | undefined;
  /** The names of the metrics besides the loss. */
  readonly metrics: readonly string[];
}

/** Sums a run up. */
export function summarize(run: StoredRun): RunSummary {
  const recipe = asObject(run.recipe);
  const steps = stepsOf(run);
  const validations = validationsOf(run);
  const own = validations.filter(({ of }) => of === undefined);
  const lastStep = steps.at(-1);
  const session = lastEntry(run, "session");
  const start = lastEntry(run, "start");
  const maxSteps = start?.maxSteps ?? numberOf(asObject(recipe.training).max_steps);
  const step = Math.max(lastStep?.step ?? 0, own.at(-1)?.step ?? 0, start?.step ?? 0);
  const { tokens = 0, seconds = 0 } = lastStep ?? {};
  return {
    name: run.name,
    folder: run.folder,
    description: textOf(recipe.description),
    task: textOf(recipe.task),
    status: statusOf(run, step, maxSteps),
    step,
    maxSteps,
    seconds,
    tokens,
    tokensPerSecond: seconds > 0 ? tokens / seconds : undefined,
    parameters: start?.parameters ?? run.model?.numbers,
    engine: run.state?.engine ?? session?.engine,
    threads: run.state?.threads ?? session?.threads,
    best: own.findLast(({ best }) => best),
    last: own.at(-1),
    average: validations.findLast(({ of }) => of === "average"),
    metrics: metricNames(validations),
  };
}

export function stepsOf({ records }: Pick<StoredRun, "records">): StepRecord[] {
  return records.filter((record) => record.type === "step");
}

export function validationsOf({ records }: Pick<StoredRun, "records">): ValidationRecord[] {
  return records.filter((record) => record.type === "validation");
}

/** What became of each text of the validation data, step by step. */
export interface SampleCourse {
  readonly source: string;
  readonly target: string;
  readonly course: readonly { readonly step: number; readonly got: string }[];
}

export function samplesOf({ records }: Pick<StoredRun, "records">): SampleCourse[] {
  const samples = records.filter((record) => record.type === "sample");
  const courses = new Map<string, SampleRecord[]>();
  for (const sample of samples) {
    const course = courses.get(sample.source) ?? [];
    course.push(sample);
    courses.set(sample.source, course);
  }
  return [...courses].map(([source, course]) => ({
    source,
    target: course.at(-1)!.target,
    course: course.map(({ step, got }) => ({ step, got })),
  }));
}

const notMetrics: ReadonlySet<string> = new Set(["step", "loss", "seconds"]);

/** The metrics of a validation by their names; a record of an early version has them among its other numbers. */
function metricsOf(record: ValidationRecord): [name: string, value: number][] {
  return Object.entries({ ...record, ...record.metrics }).filter(
    (entry): entry is [string, number] => Number.isFinite(entry[1]) && !notMetrics.has(entry[0]),
  );
}

function metricNames(validations: readonly ValidationRecord[]): string[] {
  return [...new Set(validations.flatMap((record) => metricsOf(record).map(([name]) => name)))];
}

/** A metric of a validation by its name. */
export function metricOf(record: ValidationRecord | undefined, name: string): number | undefined {
  return record === undefined ? undefined : new Map(metricsOf(record)).get(name);
}

function statusOf(run: StoredRun, step: number, maxSteps: number | undefined): RunStatus {
  const last = run.journal.findLast(({ type }) => type !== "message");
  if (last === undefined) return maxSteps !== undefined && step >= maxSteps ? "finished" : "unknown";
  if (last.type === "end") return last.outcome;
  if (last.type === "failure") return "failed";
  if (!run.isAlive) return "killed";
  if (last.type === "session") return "preparing";
  return last.type === "paused" ? "paused" : "running";
}

function lastEntry<Type extends JournalRecord["type"]>(run: StoredRun, type: Type) {
  return run.journal.findLast(
    (record): record is Extract<JournalRecord, { readonly type: Type }> => record.type === type,
  );
}

export function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

const numberOf = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
