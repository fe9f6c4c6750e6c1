/** Training with each optimizer: it learns, and a run in two parts ends with the bytes of one in one part. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeFolder, output, qkv, tiny, writeCorpus } from "./qkv.ts";

const folder = makeFolder();
const { en, de } = writeCorpus(folder, "train", 400);
const valid = writeCorpus(folder, "valid", 20, 8);
const files = ["--source", en, "--target", de];
const validation = ["--validation-source", valid.en, "--validation-target", valid.de];
const args = (name: string, steps: number, ...assignments: string[]) => [
  ...["train", ...files, ...validation, "--out", join(folder, name), "--max-steps", String(steps), ...tiny],
  ...["lr_scheduler_type=constant", "dropout=0.1", ...assignments].flatMap((item) => ["--set", item]),
];
const losses = (name: string) =>
  readFileSync(join(folder, name, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; loss: number })
    .filter(({ type }) => type === "step")
    .map(({ loss }) => loss);

describe.each([
  ["adamw", ["weight_decay=0.1", "layerwise_lr_decay=0.9", 'freeze=["encoder.layers.0.selfAttention.*"]']],
  ["adafactor", ["adafactor_scale_parameter=true", "adafactor_beta1=0.9", "learning_rate=0.1"]],
  ["sgd", ["learning_rate=0.5", "sgd_nesterov=true", "ema_decay=0.9"]],
])("%s", (optimizer, assignments) => {
  test("learns, and goes on where it was stopped", async () => {
    const set = [`optimizer=${optimizer}`, ...assignments];
    await output(args(`${optimizer}-whole`, 20, ...set));
    await output(args(`${optimizer}-parts`, 10, ...set));
    await output(["train", "--out", join(folder, `${optimizer}-parts`), "--resume", "--max-steps", "20"]);
    for (const file of ["model.safetensors", "checkpoints/step-20/optimizer.safetensors"]) {
      const bytes = (name: string) => readFileSync(join(folder, name, file));
      expect(bytes(`${optimizer}-parts`).equals(bytes(`${optimizer}-whole`)), file).toBe(true);
    }
    const course = losses(`${optimizer}-whole`);
    expect(course).toEqual(losses(`${optimizer}-parts`));
    expect(course.at(-1)!).toBeLessThan(course[0]! - 0.05);
  });
});

test("frozen parameters that there are not are a mistake of the user's", async () => {
  const { code, stderr } = await qkv(args("bad", 2, 'freeze=["encoder.layer.0.*"]'));
  expect(stderr).toContain('freeze: no parameter has the address "encoder.layer.0.*"');
  expect(code).toBe(2);
});

test("another optimizer cannot go on with a run", async () => {
  await output(args("other", 2));
  const resume = ["train", "--out", join(folder, "other"), "--resume", "--max-steps", "3"];
  const { code, stderr } = await qkv([...resume, "--set", "optimizer=sgd"]);
  expect(stderr).toMatch(/optimizer\.safetensors: must hold .*momentum_buffer/);
  expect(code).toBe(2);
});
