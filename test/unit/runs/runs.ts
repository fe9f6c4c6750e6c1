/** Runs as their folders would tell of them. */

import type { StoredRun } from "../../../src/runs/stored-run.ts";
import { parseRecipe } from "../../../src/training/recipe.ts";
import type { LogRecord } from "../../../src/training/run-events.ts";

const data = { train_source: "train.en", train_target: "train.de" };

/** The records of a training of that many steps with a validation at every tenth. */
export function recordsOf(steps: number, factor = 1): LogRecord[] {
  const records: LogRecord[] = [];
  for (let step = 1; step <= steps; step++) {
    records.push({
      type: "step",
      step,
      epoch: 0,
      loss: factor * (1 + 8 / step),
      learningRate: 0.001,
      gradientNorm: 1,
      tokensPerSecond: 1000,
      tokens: 500 * step,
      seconds: step / 2,
    });
    if (step % 10 !== 0) continue;
    const loss = factor * (1 + 5 / step);
    records.push({
      type: "validation",
      step,
      loss,
      metrics: { perplexity: Math.exp(loss), bleu: 2 * step },
      best: step <= 20,
      seconds: step / 2,
    });
    for (const source of ["one <b>", "two"]) {
      records.push({ type: "sample", step, source, target: "zwei", got: step < 20 ? `at ${step}` : "zwei" });
    }
  }
  return records;
}

export function storedRun(
  folder: string,
  changes: Partial<StoredRun> = {},
  training: object = {},
): StoredRun {
  return {
    folder,
    name: folder.split("/").at(-1)!,
    recipe: parseRecipe(
      { name: "small", description: "A <small> one.", data, training: { max_steps: 30, ...training } },
      "recipe",
    ),
    records: recordsOf(30),
    journal: [
      {
        time: "2026-11-25T10:00:00.000Z",
        type: "session",
        engine: "engine 1",
        threads: 2,
        process: 1,
        continues: false,
      },
      { time: "2026-11-25T10:00:01.000Z", type: "message", text: "train: 5 pairs & more" },
      {
        time: "2026-11-25T10:00:02.000Z",
        type: "start",
        task: "text-generation",
        step: 0,
        maxSteps: 30,
        parameters: 1234,
      },
      { time: "2026-11-25T10:01:00.000Z", type: "end", outcome: "finished" },
    ],
    problems: [],
    isAlive: false,
    state: { engine: "engine 1", threads: 2 },
    data: [
      {
        name: "train",
        counts: [
          ["pairs", 5000],
          ["sourceTokens", 60_000],
        ],
      },
    ],
    model: { tensors: 3, dtypes: ["F32"], numbers: 1234, bytes: 4936 },
    ...changes,
  };
}
