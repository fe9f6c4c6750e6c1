/** What a run keeps: the best of its validations by the metric chosen, or the mean of its last checkpoints. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { multiply, sum } from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { ones, parameterSpec } from "../../../src/nn/parameters.ts";
import type { Device } from "../../../src/runtime/device.ts";
import { openCpu } from "../../../src/runtime/node/engine.ts";
import { type RunRecipe, runTraining } from "../../../src/training/node/training-run.ts";
import { parseRecipe } from "../../../src/training/recipe.ts";
import type { Validated } from "../../../src/training/run-events.ts";

/** One number's square is to become small. */
const objective = {
  parameters: { x: parameterSpec([dim("one", 1)], ones) },
  loss: ({ x }: { x: Tensor }) => sum(multiply(x, x), ["one"]),
  feeds: () => ({}),
  count: () => 1,
};

let directory: string;
let device: Device;
beforeAll(async () => {
  device = await openCpu({ threads: 1 });
});
afterAll(() => device.dispose());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "qkv-run-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/**
 * Trains to a step with a validation at every second, which gives what is told here.
 * @returns what was said of the model that was kept
 */
async function run(maxSteps: number, measured: readonly object[], training: object = {}) {
  const recipe = parseRecipe(
    {
      data: { train_source: "a", train_target: "b" },
      training: { max_steps: maxSteps, eval_steps: 2, warmup_steps: 0, ...training },
    },
    "test",
  ) as RunRecipe;
  const waiting = [...measured];
  let said = "";
  await runTraining(
    {
      directory,
      recipe,
      device,
      objective,
      *batchesFrom({ epoch, batch }) {
        for (let next = batch; ; next++)
          yield { batch: {}, position: { epoch, batch: next }, next: { epoch, batch: next + 1 } };
      },
      validate: async () => ({ loss: 9, metrics: {}, ...waiting.shift()! }) as Validated,
      async writeModel(folder, parameters) {
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, "model.txt"), String((await parameters.get("x")!.read())[0]));
      },
      onEvent(event) {
        if (event.type === "message" && event.text.startsWith("Kept")) said = event.text;
      },
      signal: new AbortController().signal,
    },
    true,
  );
  return said;
}
const held = (...path: string[]) => readFileSync(join(directory, ...path, "model.txt"), "utf8");

test("a run that goes on after it kept a mean holds the best where that is said", async () => {
  const average = { average_checkpoints: 2 };
  expect(await run(4, [{ loss: 1 }, { loss: 1.2 }, { loss: 0.9 }], average)).toBe(
    "Kept the mean of the checkpoints at steps 2, 4.",
  );
  const best = held("best");
  expect(held()).not.toBe(best);
  expect(await run(6, [{ loss: 1.5 }, { loss: 1.4 }], average)).toBe(
    "Kept the model of step 2, which is better than the mean of the checkpoints at steps 4, 6.",
  );
  expect(held()).toBe(best);
});

test("a run that wants no mean any more holds its best", async () => {
  await run(4, [{ loss: 1 }, { loss: 1.2 }, { loss: 0.9 }], { average_checkpoints: 2 });
  await run(6, [{ loss: 1.5 }], { average_checkpoints: 1 });
  expect(held()).toBe(held("best"));
});

test("what is best by one metric says nothing of another", async () => {
  const choose = (metric_for_best_model: string) => ({ average_checkpoints: 1, metric_for_best_model });
  await run(4, [{ loss: 2 }, { loss: 1 }], choose("loss"));
  const best = held();
  await run(6, [{ loss: 3, metrics: { bleu: 0.5 } }], choose("bleu"));
  expect(held()).not.toBe(best);
});

test("a run that was interrupted between two lines of its log writes the same lines", async () => {
  const logging = { logging_steps: 4, average_checkpoints: 1 };
  const losses = () =>
    readFileSync(join(directory, "log.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; loss: number })
      .flatMap(({ type, loss }) => (type === "step" ? [loss] : []));
  await run(3, [], logging);
  await run(8, [], logging);
  const inParts = losses();
  rmSync(directory, { recursive: true });
  await run(8, [], logging);
  expect(inParts).toEqual(losses());
  expect(inParts).toHaveLength(2);
});
