import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BatchPosition } from "../../data/batches.ts";
import type { Device, DeviceArray } from "../../runtime/device.ts";
import type { Brake } from "../../util/brake.ts";
import { QkvError } from "../../util/errors.ts";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { chosenMetric, isBetter, keepsMean } from "../best-metric.ts";
import { drawCurves, seriesOfLog } from "../curves.ts";
import { Learner, type Objective } from "../learner.ts";
import { endlessWarmup, learnerOptionsOf, scheduleOf } from "../optimization-choices.ts";
import type { Recipe } from "../recipe.ts";
import type { LogRecord, RunEvent, RunOutcome, Validated, ValidationRecord } from "../run-events.ts";
import { learningRateAt } from "../schedules.ts";
import {
  averageParameters,
  listCheckpoints,
  loadCheckpoint,
  makeRunFolder,
  pruneCheckpoints,
  saveCheckpoint,
  type TrainingState,
} from "./checkpoint.ts";
import { LogWindow } from "./log-window.ts";
import { RunLog } from "./run-log.ts";

/** A batch and where to go on after it. */
export interface NextBatch<Batch> {
  readonly batch: Batch;
  readonly position: BatchPosition;
  readonly next: BatchPosition;
}

/** A recipe whose number of steps is known. */
export type RunRecipe = Recipe & { readonly training: { readonly max_steps: number } };

/** What a training needs besides the recipe's numbers. */
export interface RunParts<Tree, Batch> {
  readonly directory: string;
  readonly recipe: RunRecipe;
  readonly device: Device;
  readonly objective: Objective<Tree, Batch>;
  /** Batches without end from a position on: a pure function of the position. */
  batchesFrom(position: BatchPosition): Iterator<NextBatch<Batch>>;
  /** Measures parameters on the validation data; nothing where there is none. */
  validate(parameters: ReadonlyMap<string, DeviceArray>): Promise<Validated | undefined>;
  /** Writes parameters as a model folder. */
  writeModel(folder: string, parameters: ReadonlyMap<string, DeviceArray>): Promise<void>;
  /** First values of parameters that do not begin at random. */
  initialize?(parameters: ReadonlyMap<string, DeviceArray>): Promise<void>;
  onEvent(event: RunEvent): void;
  /** Asks the run to save and leave. */
  readonly signal: AbortSignal;
  /** Lets the run stand still between two steps. */
  readonly brake?: Brake;
}

/** Runs a training from its beginning or its last checkpoint to its end. */
export async function runTraining<Tree, Batch>(
  parts: RunParts<Tree, Batch>,
  resume: boolean,
): Promise<RunOutcome> {
  const run = await TrainingRun.open(parts, resume);
  try {
    return await run.toTheEnd();
  } finally {
    await run.dispose();
  }
}

class TrainingRun<Tree, Batch> {
  readonly #parts: RunParts<Tree, Batch>;
  readonly #learner: Learner<Tree, Batch>;
  readonly #log: RunLog;
  #state: TrainingState;
  readonly #window: LogWindow;

  private constructor(
    parts: RunParts<Tree, Batch>,
    learner: Learner<Tree, Batch>,
    log: RunLog,
    state: TrainingState,
  ) {
    this.#parts = parts;
    this.#learner = learner;
    this.#log = log;
    this.#state = state;
    this.#window = new LogWindow(state.window);
  }

  static async open<Tree, Batch>(
    parts: RunParts<Tree, Batch>,
    resume: boolean,
  ): Promise<TrainingRun<Tree, Batch>> {
    const { directory, recipe, device } = parts;
    const { training } = recipe;
    await makeRunFolder(directory);
    const options = learnerOptionsOf(training, parts.objective, training.seed);
    const learner = await Learner.create(device, parts.objective, options);
    let state = firstState(recipe, device);
    const last = (await listCheckpoints(directory)).at(-1);
    if (resume && last !== undefined) {
      const saved = await loadCheckpoint(directory, last, learner.arrays);
      learner.step = saved.step;
      announceChanges(parts, saved, state);
      const { metric_for_best_model: metric } = training;
      // What is best by one metric says nothing of another.
      const isOther = saved.best !== null && (saved.best.metric ?? metric) !== metric;
      state = {
        ...saved,
        ...(isOther && { best: null, validationsSinceBest: 0 }),
        ...{ engine: state.engine, threads: state.threads, recipe: state.recipe },
      };
      parts.onEvent({ type: "message", text: `Resumed at step ${saved.step}.` });
    } else {
      await parts.initialize?.(learner.parameters);
    }
    return new TrainingRun(parts, learner, await RunLog.open(directory, state.step), state);
  }

  async toTheEnd(): Promise<RunOutcome> {
    const { recipe, signal, onEvent } = this.#parts;
    const { training } = recipe;
    onEvent({
      type: "start",
      task: recipe.task,
      step: this.#state.step,
      maxSteps: training.max_steps,
      parameters: this.#learner.parameterCount,
    });
    const text = endlessWarmup(training, training.max_steps);
    if (text !== undefined) onEvent({ type: "message", text });
    const batches = this.#parts.batchesFrom(this.#state.position);
    this.#window.restart();
    while (this.#state.step < training.max_steps && !this.#outOfPatience()) {
      await this.#standStill();
      if (signal.aborted) {
        await this.#save();
        onEvent({
          type: "message",
          text: `Interrupted: saved at step ${this.#state.step}; --resume goes on from there.`,
        });
        return "interrupted";
      }
      await this.#oneStep(batches);
      if (this.#state.step % training.eval_steps === 0 || this.#state.step === training.max_steps) {
        await this.#validateAndSave();
        this.#window.restart();
      }
    }
    await this.#finish();
    return this.#state.step < training.max_steps ? "stopped early" : "finished";
  }

  /** Waits while the brake is on; that time is not the training's. */
  async #standStill(): Promise<void> {
    const { brake, signal, onEvent } = this.#parts;
    if (brake === undefined || !brake.isOn || signal.aborted) return;
    onEvent({ type: "paused", step: this.#state.step });
    await brake.released(signal);
    if (!signal.aborted) onEvent({ type: "resumed", step: this.#state.step });
    this.#window.restart();
  }

  async #oneStep(batches: Iterator<NextBatch<Batch>>): Promise<void> {
    const { training } = this.#parts.recipe;
    const group: NextBatch<Batch>[] = [];
    while (group.length < training.gradient_accumulation_steps) {
      const next = batches.next();
      if (next.done) throw new QkvError("internal", "training: the batches came to an end");
      group.push(next.value);
    }
    const step = this.#state.step + 1;
    const learningRate = learningRateAt(step, scheduleOf(training, training.max_steps));
    const result = await this.#learner.update(
      group.map(({ batch }) => batch),
      learningRate,
    );
    const seconds = this.#window.add(result.loss * result.count, result.count);
    this.#state = {
      ...this.#state,
      step,
      position: group.at(-1)!.next,
      tokens: this.#state.tokens + result.count,
      seconds: this.#state.seconds + seconds,
    };
    if (step % training.logging_steps !== 0) return;
    const record = {
      type: "step" as const,
      step,
      epoch: group.at(-1)!.position.epoch,
      ...this.#window.take(),
      learningRate,
      gradientNorm: result.gradientNorm,
      tokens: this.#state.tokens,
      seconds: milliseconds(this.#state.seconds),
    };
    await this.#log.add(record);
    this.#parts.onEvent(record);
  }

  async #validateAndSave(): Promise<void> {
    const { recipe, validate, directory, writeModel, onEvent } = this.#parts;
    const measured = await validate.call(this.#parts, this.#learner.modelParameters);
    const value = chosenMetric(recipe, measured);
    const known = this.#state.best;
    // Where nothing is measured, or not yet, the latest model is the best that is known.
    const best =
      known === null ||
      measured === undefined ||
      (value !== undefined && isBetter(recipe, value, known.value));
    if (best) {
      await writeModel.call(this.#parts, join(directory, "best"), this.#learner.modelParameters);
      await writeModel.call(this.#parts, directory, this.#learner.modelParameters);
    }
    if (measured !== undefined) {
      const record = validationRecord(this.#state, measured, best);
      await this.#log.add(record);
      onEvent(record);
      await this.#tellSamples(measured.samples ?? []);
      this.#state = {
        ...this.#state,
        best:
          best && value !== undefined
            ? { step: this.#state.step, value, metric: recipe.training.metric_for_best_model }
            : known,
        validationsSinceBest: best ? 0 : this.#state.validationsSinceBest + 1,
      };
    }
    await this.#save();
    await this.#drawCurves();
  }

  async #tellSamples(samples: NonNullable<Validated["samples"]>): Promise<void> {
    for (const sample of samples) {
      const record = { type: "sample", step: this.#state.step, ...sample } as const;
      await this.#log.add(record);
      this.#parts.onEvent(record);
    }
  }

  async #save(): Promise<void> {
    const { directory, recipe } = this.#parts;
    await saveCheckpoint(directory, this.#learner.arrays, { ...this.#state, window: this.#window.sums });
    await pruneCheckpoints(
      directory,
      Math.max(recipe.training.save_total_limit, recipe.training.average_checkpoints),
      (step) => this.#isRegular(step),
    );
  }

  /** Whether an uninterrupted run has a checkpoint there too. */
  #isRegular(step: number): boolean {
    const { eval_steps: every, max_steps: last } = this.#parts.recipe.training;
    return step % every === 0 || step === last;
  }

  #outOfPatience(): boolean {
    const patience = this.#parts.recipe.training.early_stopping_patience;
    return patience !== null && this.#state.validationsSinceBest >= patience;
  }

  /** Puts the final model into the run's folder: the mean of the last checkpoints, or the best. */
  async #finish(): Promise<void> {
    const { directory, recipe, device, onEvent } = this.#parts;
    const { average_checkpoints: wanted } = recipe.training;
    // Where a run was interrupted by hand there is a checkpoint more; it must not change the result.
    const regular = (await listCheckpoints(directory)).filter((step) => this.#isRegular(step));
    // The folder holds the best already, unless the run was over before and kept a mean.
    const isMean = (record: LogRecord) => record.type === "validation" && record.of === "average";
    const holdsBest = this.#state.best === null || !this.#log.records.some(isMean);
    const holdBest = async () => {
      if (!holdsBest) await copyFiles(join(directory, "best"), directory);
    };
    if (wanted > 1 && regular.length > 0) {
      const steps = regular.slice(-wanted);
      const mean =
        steps.length > 1
          ? `mean of the checkpoints at steps ${steps.join(", ")}`
          : `model of step ${steps[0]}`;
      if (steps.length === 1 && this.#state.best?.step === steps[0]) {
        // It was measured.
        await holdBest();
        onEvent({ type: "message", text: `Kept the ${mean}.` });
        return await this.#drawCurves();
      }
      const parameters = new Map<string, DeviceArray>(this.#parts.objective.fixed);
      const of = recipe.training.ema_decay === null ? "parameters" : "averages";
      for (const [address, { shape, data }] of await averageParameters(directory, steps, of)) {
        const array = device.allocate("float32", shape);
        await array.write(data);
        parameters.set(address, array);
      }
      const measured = await this.#parts.validate(parameters);
      if (measured !== undefined) {
        const record: ValidationRecord = { ...validationRecord(this.#state, measured, false), of: "average" };
        await this.#log.add(record);
        onEvent(record);
      }
      const { best } = this.#state;
      if (best === null || keepsMean(recipe, chosenMetric(recipe, measured), best.value)) {
        await this.#parts.writeModel(directory, parameters);
        onEvent({ type: "message", text: `Kept the ${mean}.` });
      } else {
        await holdBest();
        onEvent({
          type: "message",
          text: `Kept the model of step ${best.step}, which is better than the ${mean}.`,
        });
      }
    } else await holdBest();
    await this.#drawCurves();
  }

  async #drawCurves(): Promise<void> {
    const svg = drawCurves(seriesOfLog(this.#log.records), {
      title: this.#parts.recipe.name,
    });
    await writeFileAtomically(join(this.#parts.directory, "curves.svg"), svg);
  }

  async dispose(): Promise<void> {
    await this.#learner.dispose();
  }
}

/** Copies the files of a folder into another, each as a whole. */
async function copyFiles(from: string, to: string): Promise<void> {
  for (const name of await readdir(from, { recursive: true })) {
    const path = join(from, name);
    if ((await stat(path)).isFile()) await writeFileAtomically(join(to, name), createReadStream(path));
  }
}

/** Tells recipes apart, but for what may change from one part of a run to the next. */
function digestOfRecipe({ training, ...rest }: Recipe): string {
  const { max_steps, logging_steps, save_total_limit, gradient_checkpointing, ...decisive } = training;
  return createHash("sha256")
    .update(JSON.stringify([rest, decisive]))
    .digest("hex")
    .slice(0, 16);
}

function firstState(recipe: Recipe, device: Device): TrainingState {
  return {
    step: 0,
    position: { epoch: 0, batch: 0 },
    best: null,
    validationsSinceBest: 0,
    tokens: 0,
    seconds: 0,
    engine: device.description,
    threads: device.threads,
    recipe: digestOfRecipe(recipe),
  };
}

function announceChanges<Tree, Batch>(
  { onEvent }: RunParts<Tree, Batch>,
  saved: TrainingState,
  now: TrainingState,
): void {
  const say = (text: string) => onEvent({ type: "message", text });
  if (saved.engine !== now.engine) {
    say(
      `The run began with ${saved.engine} and goes on with ${now.engine}: results may differ in the last bits.`,
    );
  }
  if (saved.recipe !== now.recipe)
    say("The recipe has changed since the last checkpoint; the run goes on with the new one.");
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000) / 1000;

function validationRecord(
  state: TrainingState,
  { samples, ...measured }: Validated,
  best: boolean,
): ValidationRecord {
  return { type: "validation", step: state.step, ...measured, best, seconds: milliseconds(state.seconds) };
}
