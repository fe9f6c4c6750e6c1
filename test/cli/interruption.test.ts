/** A run that is stopped or killed, and resumed, ends with the very bytes of one that was not. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { RandomStream, randomKey } from "../../src/util/random.ts";
import { makeFolder, output, qkv, start, tiny, writeCorpus } from "./qkv.ts";

const folder = makeFolder();
const { en, de } = writeCorpus(folder, "train", 400);
const steps = 60;
const train = (name: string) => [
  ...["train", "--source", en, "--target", de, "--out", join(folder, name), "--json"],
  ...["--max-steps", String(steps), "--threads", "2", ...tiny],
  ...["--set", "dropout=0.3", "--set", "attention_dropout=0.1", "--set", "gradient_accumulation_steps=2"],
  ...["--set", "average_checkpoints=3", "--set", "save_total_limit=3"],
];
const model = (name: string) => readFileSync(join(folder, name, "model.safetensors"));

/** Starts a training and sends a signal after so many milliseconds, or when it has told something. */
async function interrupt(
  args: readonly string[],
  signal: NodeJS.Signals,
  when: { readonly milliseconds: number } | { readonly told: string },
) {
  const { child, result } = start(args);
  if ("milliseconds" in when) {
    setTimeout(() => child.kill(signal), when.milliseconds);
  } else {
    let text = "";
    let isSent = false;
    child.stdout!.on("data", (piece: string) => {
      text += piece;
      if (isSent || !text.includes(when.told)) return;
      isSent = true;
      child.kill(signal);
    });
  }
  return await result;
}

let whole: Buffer;
let milliseconds: number;
beforeAll(async () => {
  const begin = performance.now();
  await output(train("whole"));
  milliseconds = performance.now() - begin;
  whole = model("whole");
});

describe("SIGKILL", () => {
  test.each([1, 2, 3])("at random moments, and --resume: the same bytes (series %d)", async (series) => {
    const random = new RandomStream(randomKey(series, "kill"));
    const args = [...train(`killed${series}`), "--resume"];
    let kills = 0;
    let patience = milliseconds;
    for (;;) {
      // Later and later, so that the run comes to its end.
      const wait = patience * (0.1 + random.uniform() * (0.5 + 0.2 * kills));
      const { code, signal, stderr } = await interrupt(args, "SIGKILL", { milliseconds: wait });
      if (signal === "SIGKILL") {
        kills++;
        continue;
      }
      expect(code, stderr).toBe(0);
      if (kills > 0) break;
      // The machine has become faster since the whole run was timed: once more, sooner.
      rmSync(join(folder, `killed${series}`), { recursive: true });
      patience /= 2;
    }
    expect(model(`killed${series}`).equals(whole)).toBe(true);
    const best = (name: string) => readFileSync(join(folder, name, "best", "model.safetensors"));
    expect(best(`killed${series}`).equals(best("whole"))).toBe(true);
    const leftovers = readdirSync(join(folder, `killed${series}`, "checkpoints")).filter((name) =>
      name.startsWith("."),
    );
    expect(leftovers).toEqual([]);
  });
});

describe("Ctrl-C", () => {
  test("saves, ends with 130, and --resume ends with the same bytes, however often", async () => {
    const args = train("stopped");
    let from = 0;
    for (const step of [7, 18, 28, 38]) {
      const resumed = step === 7 ? args : [...args, "--resume"];
      const { code, stdout, stderr } = await interrupt(resumed, "SIGINT", {
        told: `"type":"step","step":${step},`,
      });
      // On a busy machine the run may come to its end before the signal comes to it.
      if (code === 0 && from > 0) {
        expect(stdout.trim().split("\n").at(-1)).toBe('{"type":"end","outcome":"finished"}');
        break;
      }
      expect(code, stderr).toBe(130);
      expect(stdout.trim().split("\n").at(-1)).toBe('{"type":"end","outcome":"interrupted"}');
      const saved = Number(/Interrupted: saved at step (\d+)/.exec(stdout)![1]);
      expect(saved).toBeGreaterThanOrEqual(step);
      if (from > 0) expect(stdout).toContain(`Resumed at step ${from}.`);
      from = saved;
      if (from >= steps) break;
    }
    await output([...args, "--resume"]);
    expect(model("stopped").equals(whole)).toBe(true);
  });

  test("before the first step leaves nothing that stands in the way", async () => {
    const long = [...train("early"), "--max-steps", "100000"];
    const { code, stdout } = await interrupt(long, "SIGINT", { told: '"type":"preparing"' });
    expect(code, stdout).toBe(130);
    await output([...train("early"), "--resume"]);
    expect(model("early").equals(whole)).toBe(true);
  });

  test("twice leaves at once", async () => {
    const { child, result } = start([...train("twice"), "--max-steps", "100000"]);
    await new Promise<void>((resolve) => {
      child.stdout!.on("data", (text: string) => text.includes('"type":"step"') && resolve());
    });
    child.kill("SIGINT");
    child.kill("SIGINT");
    setTimeout(() => child.kill("SIGINT"), 5);
    const { code, signal } = await result;
    expect(code === 130 || signal === "SIGINT").toBe(true);
  });
});

test("a change of threads on resume is said aloud", async () => {
  const args = train("threads").map((argument) => (argument === String(steps) ? "2" : argument));
  await output(args);
  const { stdout } = await qkv([...args, "--resume", "--threads", "1", "--max-steps", "3"]);
  expect(stdout).toMatch(/The run began with .*2 threads and goes on with .*1 thread/);
});
