import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { runExperiment } from "../../../src/tasks/node/run-experiment.ts";
import type { TrainOptions } from "../../../src/tasks/node/training-plan.ts";
import { drawErrorBars, meanAndDeviation } from "../../../src/training/error-bars.ts";
import { parseExperiment } from "../../../src/training/experiment.ts";

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
  const run = () =>
    runExperiment({
      experiment: parseExperiment(json, "e.json"),
      directory,
      dataFolder: "/data",
      signal: new AbortController().signal,
      onProgress: () => {},
      async train(options, onEvent) {
        asked.push(options);
        const { seed } = options.set as { seed: number };
        onEvent({ type: "start", task: "text-generation", step: 0, maxSteps: 1, parameters: 10 });
        onEvent({ type: "validation", step: 1, loss: 2 + seed, metrics: {}, best: true, seconds: 1 });
        return "finished";
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
    results.map(({ question, variant, seed, validationLoss }) => [question, variant, seed, validationLoss]),
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
  expect(readFileSync(join(directory, "results.md"), "utf8")).toContain("| 8 | 10 | – | 3.500 ± 0.707 |");
  expect(readFileSync(join(directory, "width.svg"), "utf8")).toContain("What does width do?");
});

test("mistakes in an experiment's file are told with their place", () => {
  expect(() => parseExperiment({ ...json, question: [] }, "e.json")).toThrow(
    /e\.json: unknown key "question" \(did you mean "questions"\?\)/,
  );
  expect(() =>
    parseExperiment({ ...json, questions: [json.questions[0], json.questions[0]] }, "e.json"),
  ).toThrow(/two questions have the id "width"/);
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
