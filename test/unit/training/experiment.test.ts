import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { runExperiment } from "../../../src/tasks/node/run-experiment.ts";
import type { TrainOptions } from "../../../src/tasks/node/training-plan.ts";
import { drawErrorBars, meanAndDeviation } from "../../../src/training/error-bars.ts";
import { parseExperiment, type TrialResult } from "../../../src/training/experiment.ts";

const directory = mkdtempSync(join(tmpdir(), "qkv-experiment-"));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const json = {
  recipe: { task: "text-generation", data: { train: "a.txt" } },
  seeds: [1, 2],
  questions: [
    {
      id: "width",
      question: "What does width do?",
      variants: [{ name: "4" }, { name: "8", set: { "model.n_embd": 8 } }],
    },
    { id: "again", question: "The same?", variants: [{ name: "as it is" }] },
  ],
};

test("each variant is trained once with each seed; what is the same or done already is not trained again", async () => {
  const asked: TrainOptions[] = [];
  const trained = new Map<string, number>();
  const run = (experiment: object = json) =>
    runExperiment({
      experiment: parseExperiment(experiment, "e.json"),
      directory,
      dataFolder: "/data",
      signal: new AbortController().signal,
      onProgress: () => {},
      async train(options, onEvent) {
        asked.push(options);
        const { seed } = options.set as { seed: number };
        onEvent({ type: "start", task: "text-generation", step: 0, maxSteps: 1, parameters: 10 });
        trained.set(options.out, seed);
        return "finished";
      },
      check: () => Promise.resolve(["loss"]),
      measure: (out, split) => {
        expect(split).toBe("validation");
        return Promise.resolve({ loss: 2 + trained.get(out)!, metrics: {} });
      },
    });
  const results = await run();
  expect(asked.map(({ set }) => set)).toEqual([
    { seed: 1 },
    { seed: 2 },
    { "model.n_embd": 8, seed: 1 },
    { "model.n_embd": 8, seed: 2 },
  ]);
  expect(
    results.map(({ question, variant, seed, measured }) => [question, variant, seed, measured.loss]),
  ).toEqual([
    ["width", "4", 1, 3],
    ["width", "4", 2, 4],
    ["width", "8", 1, 3],
    ["width", "8", 2, 4],
    ["again", "as it is", 1, 3],
    ["again", "as it is", 2, 4],
  ]);
  expect(await run()).toEqual(results);
  expect(asked).toHaveLength(4);
  expect(readFileSync(join(directory, "results.md"), "utf8")).toContain(
    "| 8 | 10 | – | 3.500 ± 0.707 | 0 ± 0 |",
  );
  expect(readFileSync(join(directory, "width.svg"), "utf8")).toContain("What does width do?");
  // Other choices under the same name are another training, and what is not asked for is not told.
  const changed = {
    ...json,
    seeds: [2],
    questions: [{ ...json.questions[0]!, variants: [{ name: "4", set: { a: 1 } }] }],
  };
  expect((await run(changed)).map(({ variant, seed }) => [variant, seed])).toEqual([["4", 2]]);
  expect(asked).toHaveLength(5);
  await run({ ...json, seeds: [1] });
  expect(asked).toHaveLength(5);
});

test("results of other choices stay until they are measured anew, also where a training fails", async () => {
  const own = join(directory, "failing");
  let fails = false;
  const run = (set: object) =>
    runExperiment({
      experiment: parseExperiment(
        {
          ...json,
          seeds: [1],
          questions: [
            {
              ...json.questions[1],
              variants: [
                { name: "a", set },
                { name: "b", set: { ...set, b: 1 } },
              ],
            },
          ],
        },
        "e.json",
      ),
      directory: own,
      dataFolder: "/data",
      signal: new AbortController().signal,
      onProgress: () => {},
      train: async ({ out }) => {
        if (fails && out.includes("-b-")) throw new Error("no");
        return "finished";
      },
      check: () => Promise.resolve(["loss"]),
      measure: () => Promise.resolve({ loss: 2, metrics: {} }),
    });
  const stored = (): TrialResult[] => JSON.parse(readFileSync(join(own, "results.json"), "utf8"));
  const choicesOf = (variant: string) => stored().find((result) => result.variant === variant)?.choices;
  await run({ a: 1 });
  const [a, b] = [choicesOf("a"), choicesOf("b")];
  fails = true;
  await expect(run({ a: 2 })).rejects.toThrow("no");
  expect(choicesOf("a")).not.toBe(a);
  expect(choicesOf("b")).toBe(b);
  fails = false;
  await run({ a: 2 });
  expect(stored()).toHaveLength(2);
  expect(choicesOf("b")).not.toBe(b);
});

test("a training goes on from none of other choices, of another length or of what the recipe was before", async () => {
  mkdirSync(directory, { recursive: true });
  const recipe = join(directory, "recipe.json");
  const folders: string[] = [];
  const run = (rate: number, set: object, maxSteps?: number) => {
    writeFileSync(recipe, JSON.stringify({ training: { learning_rate: rate } }));
    return runExperiment({
      experiment: parseExperiment(
        {
          ...json,
          recipe,
          seeds: [1],
          questions: [{ ...json.questions[1], variants: [{ name: "a", set }] }],
        },
        "e.json",
      ),
      directory: join(directory, "changed"),
      dataFolder: "/data",
      ...(maxSteps !== undefined && { maxSteps }),
      signal: new AbortController().signal,
      onProgress: () => {},
      train: async ({ out }) => {
        folders.push(out);
        return "finished";
      },
      check: () => Promise.resolve(["loss"]),
      measure: () => Promise.resolve({ loss: 2, metrics: {} }),
    });
  };
  await run(0.1, {}, 20);
  await run(0.1, {});
  await run(0.1, { a: 1 });
  await run(0.2, { a: 1 });
  expect(new Set(folders).size).toBe(4);
  await run(0.2, { a: 1 });
  expect(folders).toHaveLength(4);
});

test("of a translator what its training measured of the model that it kept counts, also where it was done before", async () => {
  const validations = [
    { step: 2, loss: 1, best: true },
    { step: 4, loss: 1.3, best: false },
  ];
  const mean = { step: 4, loss: 1.1, best: false, of: "average" };
  const lossOf = async (seed: number, records: readonly object[]) => {
    const [result] = await runExperiment({
      experiment: parseExperiment({ ...json, seeds: [seed], questions: [json.questions[1]] }, "e.json"),
      directory,
      dataFolder: "/data",
      signal: new AbortController().signal,
      onProgress: () => {},
      // All was trained and measured before.
      train: async ({ out }, onEvent) => {
        onEvent({ type: "start", task: "translation", step: 4, maxSteps: 4, parameters: 10 });
        mkdirSync(out, { recursive: true });
        const common = { type: "validation", metrics: {}, seconds: 1 };
        const lines = records.map((record) => `${JSON.stringify({ ...common, ...record })}\n`);
        writeFileSync(join(out, "log.jsonl"), lines.join(""));
        const recipe = { task: "translation", data: { train_source: "a", train_target: "b" } };
        writeFileSync(join(out, "recipe.json"), JSON.stringify(recipe));
        return "finished";
      },
      check: () => Promise.resolve(["loss"]),
      measure: () => Promise.reject(new Error("not to be measured")),
    });
    return result!.measured.loss;
  };
  expect(await lossOf(1, validations)).toBe(1);
  expect(await lossOf(2, [...validations, mean])).toBe(1);
  expect(await lossOf(3, [...validations, { ...mean, loss: 0.9 }])).toBe(0.9);
  await expect(lossOf(4, [])).rejects.toThrow("its training measured nothing");
});

test("a metric that could not be computed leaves a gap", async () => {
  const results = await runExperiment({
    experiment: parseExperiment({ ...json, metric: "pearson", questions: [json.questions[0]] }, "e.json"),
    directory,
    dataFolder: "/data",
    signal: new AbortController().signal,
    onProgress: () => {},
    train: () => Promise.resolve("finished"),
    check: () => Promise.resolve(["loss", "pearson"]),
    measure: (run) =>
      Promise.resolve({ loss: 1, metrics: { pearson: run.includes("width-4-seed-2") ? 0.5 : Number.NaN } }),
  });
  expect(results.map(({ measured }) => measured.pearson)).toEqual([undefined, 0.5, undefined, undefined]);
  const table = readFileSync(join(directory, "results.md"), "utf8");
  expect(table).toContain("| 4 | 0 | – | 0.500 ± 0.000 |");
  expect(table).toContain("| 8 | 0 | – | – |");
  expect(readFileSync(join(directory, "width.svg"), "utf8")).not.toContain("NaN");
});

test("how far a training is is told when it begins and at its steps", async () => {
  const told: unknown[] = [];
  const step = { epoch: 0, tokensPerSecond: 1, learningRate: 1, gradientNorm: 1, tokens: 1, seconds: 1 };
  await runExperiment({
    experiment: parseExperiment({ ...json, seeds: [7], questions: [json.questions[1]] }, "e.json"),
    directory: join(directory, "progress"),
    dataFolder: "/data",
    signal: new AbortController().signal,
    onProgress: (progress) => told.push(progress),
    train: async (_, onEvent) => {
      onEvent({ type: "start", task: "text-generation", step: 0, maxSteps: 4, parameters: 10 });
      onEvent({ type: "step", step: 2, loss: 3, ...step });
      return "finished";
    },
    check: () => Promise.resolve(["loss"]),
    measure: () => Promise.resolve({ loss: 2, metrics: {} }),
  });
  const begun = { done: 0, total: 1, question: "again", variant: "as it is", seed: 7 };
  expect(told).toEqual([begun, { ...begun, training: { step: 2, maxSteps: 4, loss: 3 } }]);
});

test("a variant uses the run of one above; what is compared is a metric of the test data", async () => {
  const asked: TrainOptions[] = [];
  const taught = {
    ...json,
    metric: "accuracy",
    split: "test",
    questions: [
      {
        id: "teacher",
        question: "What does a teacher give?",
        variants: [
          { name: "The teacher" },
          { name: "student", set: { "teacher.from": "${run:The teacher}" } },
        ],
      },
    ],
  };
  const run = (experiment: object) =>
    runExperiment({
      experiment: parseExperiment(experiment, "e.json"),
      directory,
      dataFolder: "/data",
      signal: new AbortController().signal,
      onProgress: () => {},
      train(options, onEvent) {
        asked.push(options);
        onEvent({ type: "start", task: "text-generation", step: 0, maxSteps: 1, parameters: 10 });
        return Promise.resolve("finished");
      },
      check: () => Promise.resolve(["loss", "accuracy"]),
      measure: (out) =>
        Promise.resolve({ loss: 1, metrics: { accuracy: out.includes("teacher-student") ? 0.5 : 0.75 } }),
    });
  await run(taught);
  const folder = (seed: number) =>
    expect.stringMatching(new RegExp(`/runs/teacher-the-teacher-seed-${seed}-[0-9a-f]{8}$`));
  expect(asked.map(({ set }) => set)).toEqual([
    { seed: 1 },
    { seed: 2 },
    { "teacher.from": folder(1), seed: 1 },
    { "teacher.from": folder(2), seed: 2 },
  ]);
  const table = readFileSync(join(directory, "results.md"), "utf8");
  expect(table).toContain("| variant | parameters | training loss | test accuracy | seconds |");
  expect(table).toContain("| student | 10 | – | 0.500 ± 0.000 | 0 ± 0 |");
  await expect(run({ ...taught, seeds: [7], metric: "acuracy" })).rejects.toThrow(
    'metric must be one of loss, accuracy; got "acuracy" (did you mean "accuracy"?)',
  );
  // What is wrong is told before anything is trained.
  expect(asked).toHaveLength(4);
  const [question] = taught.questions;
  const reversed = { ...taught, questions: [{ ...question, variants: question!.variants.toReversed() }] };
  expect(() => parseExperiment(reversed, "e.json")).toThrow(
    'questions.teacher: "student" can use the runs of variants above it only; got "The teacher"',
  );
});

/** The name of a run's folder without what tells its choices. */
const nameOf = (run: string): string => basename(run).replace(/-[0-9a-f]{8}$/, "");

describe("several trainings at a time", () => {
  const taught = parseExperiment(
    {
      ...json,
      seeds: [1, 2],
      questions: [
        {
          id: "teacher",
          question: "What does a teacher give?",
          variants: [
            { name: "teacher" },
            { name: "student", set: { "teacher.from": "${run:teacher}" } },
            { name: "the same student", set: { "teacher.from": "${run:teacher}" } },
            { name: "alone", set: { "model.n_embd": 4 } },
          ],
        },
      ],
    },
    "e.json",
  );
  /** Trainings in the order in which they end; all that are under way go on one step after another. */
  const run = async (jobs: number, ended: string[] = [], fail?: string) => {
    let [running, most] = [0, 0];
    const end = runExperiment({
      experiment: taught,
      directory,
      dataFolder: "/data",
      jobs,
      signal: new AbortController().signal,
      onProgress: () => {},
      async train({ out, set }) {
        most = Math.max(most, ++running);
        const name = nameOf(out);
        const teacher = (set as Record<string, string>)["teacher.from"];
        if (teacher !== undefined) expect(ended).toContain(nameOf(teacher));
        for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
        running--;
        if (name === fail) throw new Error("no memory");
        ended.push(name);
        return "finished";
      },
      check: () => Promise.resolve(["loss"]),
      measure: () => Promise.resolve({ loss: 1, metrics: {} }),
    });
    const results = await end.catch((error: Error) => error.message);
    return { results, ended, most };
  };

  test("as many as wanted; a student waits for its teacher, and nothing is trained twice", async () => {
    const { results, ended, most } = await run(3);
    expect(most).toBe(3);
    expect(ended.toSorted()).toEqual(
      ["alone", "student", "teacher"].flatMap((name) => [1, 2].map((seed) => `teacher-${name}-seed-${seed}`)),
    );
    expect((results as TrialResult[]).map(({ variant, seed }) => `${variant} ${seed}`)).toEqual(
      ["teacher", "student", "the same student", "alone"].flatMap((name) => [`${name} 1`, `${name} 2`]),
    );
  });

  test("those that are under way end when one fails; no more are begun, and the rest is done later", async () => {
    const ended: string[] = [];
    expect((await run(2, ended, "teacher-teacher-seed-1")).results).toBe("no memory");
    expect(ended).toEqual(["teacher-teacher-seed-2"]);
    await run(1, ended);
    expect(ended).toHaveLength(6);
  });
});

test("questions of other recipes and data; the same choices for them are another training", async () => {
  const asked: TrainOptions[] = [];
  const two = parseExperiment(
    {
      ...json,
      seeds: [1],
      questions: [
        json.questions[1],
        { ...json.questions[1], id: "other", recipe: "sst2", data: "reviews" },
        { ...json.questions[1], id: "made", recipe: "small-questions", data: null },
      ],
    },
    "e.json",
  );
  await runExperiment({
    experiment: two,
    directory,
    dataFolder: "/data",
    signal: new AbortController().signal,
    onProgress: () => {},
    train(options) {
      asked.push(options);
      return Promise.resolve("finished");
    },
    check: () => Promise.resolve(["loss"]),
    measure: () => Promise.resolve({ loss: 1, metrics: {} }),
  });
  expect(asked.map(({ recipe, data }) => [recipe, data])).toEqual([
    [json.recipe, "/data"],
    ["sst2", "/data/reviews"],
    ["small-questions", undefined],
  ]);
  const { recipe: _, ...without } = json;
  expect(() => parseExperiment(without, "e.json")).toThrow("questions.width: needs a recipe");
});

test("mistakes in an experiment's file are told with their place", () => {
  expect(() => parseExperiment({ ...json, question: [] }, "e.json")).toThrow(
    /e\.json: unknown key "question" \(did you mean "questions"\?\)/,
  );
  const first = json.questions[0]!;
  expect(() => parseExperiment({ ...json, questions: [{ ...first, metrics: "loss" }] }, "e.json")).toThrow(
    'unknown key "questions.0.metrics" (did you mean "metric"?)',
  );
  const variants = [{ name: "a", sets: {} }];
  expect(() => parseExperiment({ ...json, questions: [{ ...first, variants }] }, "e.json")).toThrow(
    'unknown key "questions.0.variants.0.sets" (did you mean "set"?)',
  );
  expect(() =>
    parseExperiment({ ...json, questions: [json.questions[0], json.questions[0]] }, "e.json"),
  ).toThrow(/two questions have the id "width"/);
  const alike = [{ name: "4 layers" }, { name: "4-layers" }];
  expect(() =>
    parseExperiment({ ...json, questions: [{ ...json.questions[0]!, variants: alike }] }, "e.json"),
  ).toThrow('two variants would have the run "width-4-layers"');
  expect(() => parseExperiment({ recipe: {}, questions: [] }, "e.json")).toThrow(/questions: /);
});

test("mean and deviation of a sample; a picture has a mean and a dot for each seed", () => {
  expect(meanAndDeviation([1, 3])).toEqual({ mean: 2, deviation: Math.SQRT2 });
  expect(meanAndDeviation([5])).toEqual({ mean: 5, deviation: 0 });
  const svg = drawErrorBars([{ name: "a < b", values: [1, 3] }], { title: "T", axis: "loss" });
  expect(svg.match(/class="seed"/g)).toHaveLength(2);
  expect(svg.match(/class="mean"/g)).toHaveLength(1);
  expect(svg).toContain("a &lt; b");
});
