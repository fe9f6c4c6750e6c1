/** The worker as it is built: tests run it from dist. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadTranslator, QkvError, type RunEvent, type TrainOptions, train } from "../../../src/node.ts";
import { EngineWorker } from "../../../src/tasks/node/worker-client.ts";
import { carryError, restoreError } from "../../../src/tasks/node/worker-protocol.ts";
import { tiny, writeCorpus } from "../../cli/qkv.ts";

const folder = mkdtempSync(join(tmpdir(), "qkv-worker-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { en, de } = writeCorpus(folder, "train", 200);
const set = tiny.filter((argument) => argument !== "--set");
const options = (name: string): TrainOptions => ({
  source: en,
  target: de,
  out: join(folder, name),
  set,
  maxSteps: 10,
  threads: 1,
});

describe("errors on their way between threads", () => {
  test("keep class, code, message, stack and cause", () => {
    const cause = Object.assign(new TypeError("inner"), { code: "ENOENT" });
    const error = new QkvError("data", "outer", { cause });
    const restored = restoreError(structuredClone(carryError(error)));
    expect(restored).toBeInstanceOf(QkvError);
    expect(restored).toMatchObject({ code: "data", message: "outer", stack: error.stack });
    expect(restored.cause).toMatchObject({ name: "TypeError", message: "inner" });
  });

  test("may be anything", () => {
    expect(restoreError(carryError("text")).message).toBe("text");
  });

  test("arrive from the worker as they were thrown", async () => {
    const worker = new EngineWorker({ threads: 1 });
    await expect(worker.call("openTranslator", { folder })).rejects.toMatchObject({
      name: "QkvError",
      code: "file",
      message: expect.stringContaining("config.json"),
    });
    await worker.dispose();
    await expect(worker.call("openTranslator", { folder })).rejects.toMatchObject({ code: "interrupted" });
  });
});

describe("train", () => {
  test("tells events to listeners and iterators, then how it ended", async () => {
    const job = train(options("run"));
    const heard: RunEvent[] = [];
    job.on("event", (event) => heard.push(event));
    const iterated: RunEvent[] = [];
    for await (const event of job) iterated.push(event);
    expect(await job.finished).toBe("finished");
    expect(iterated).toEqual(heard);
    expect(heard.filter(({ type }) => type === "step")).toHaveLength(10);
  });

  test("stop saves; the main thread stays free meanwhile", async () => {
    const job = train({ ...options("stopped"), maxSteps: 100_000 });
    let turns = 0;
    const timer = setInterval(() => turns++, 5);
    await new Promise<void>((resolve) => {
      job.on("event", (event) => event.type === "step" && event.step >= 5 && resolve());
    });
    expect(await job.stop()).toBe("interrupted");
    clearInterval(timer);
    expect(turns).toBeGreaterThan(20);
  });

  test("a paused training stands still, goes on, and ends with the same bytes", async () => {
    const model = (name: string) => readFileSync(join(folder, name, "model.safetensors"));
    const job = train(options("paused"));
    const heard: RunEvent[] = [];
    job.on("event", (event) => heard.push(event));
    await job.pause();
    expect(job.isPaused).toBe(true);
    expect(heard.at(-1)).toEqual({ type: "paused", step: 0 });
    const told = heard.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(heard).toHaveLength(told);
    job.resume();
    await new Promise<void>((resolve) => {
      job.on("event", (event) => event.type === "step" && event.step >= 4 && resolve());
    });
    await job.pause();
    job.resume();
    expect(await job.finished).toBe("finished");
    expect(heard).toContainEqual({ type: "resumed", step: 0 });
    expect(await Promise.race([job.pause(), job.stop()])).toBeUndefined();
    expect(heard.map(({ type }) => type)).not.toContain("stopping");
    expect(model("paused").equals(model("run"))).toBe(true);
    const steps = readFileSync(join(folder, "paused", "log.jsonl"), "utf8").match(/"type":"step"/g);
    expect(steps).toHaveLength(10);
  });

  test("a paused training can be stopped; time that it stood still is not the training's", async () => {
    const job = train({ ...options("held"), maxSteps: 100_000 });
    const heard: RunEvent[] = [];
    job.on("event", (event) => heard.push(event));
    await new Promise<void>((resolve) => {
      job.on("event", (event) => event.type === "step" && event.step >= 2 && resolve());
    });
    await job.pause();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const before = heard.filter((event) => event.type === "step").at(-1)!;
    job.resume();
    await new Promise<void>((resolve) => {
      job.on("event", (event) => event.type === "step" && resolve());
    });
    const after = heard.filter((event) => event.type === "step").find(({ step }) => step > before.step)!;
    expect(after.seconds - before.seconds).toBeLessThan(2.9);
    await job.pause();
    expect(await job.stop()).toBe("interrupted");
    expect(heard).toContainEqual({ type: "stopping" });
    const journal = readFileSync(join(folder, "held", "events.jsonl"), "utf8")
      .trim()
      .split("\n");
    const types = journal.map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types[0]).toBe("session");
    expect(types.filter((type) => type === "paused" || type === "resumed")).toEqual([
      "paused",
      "resumed",
      "paused",
    ]);
    expect(JSON.parse(journal.at(-1)!)).toMatchObject({ type: "end", outcome: "interrupted" });
  });

  test("shows the same texts at each validation, and keeps them in the log", async () => {
    const records = readFileSync(join(folder, "run", "log.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as RunEvent);
    const samples = records.filter((record) => record.type === "sample");
    expect(samples.map(({ step }) => step)).toEqual([10, 10, 10, 10]);
    expect(new Set(samples.map(({ source }) => source)).size).toBe(4);
    for (const { source, target, got } of samples) {
      expect(source).not.toBe("");
      expect(target).not.toBe("");
      expect(typeof got).toBe("string");
    }
  });

  test("failures reject, and end a loop over the events", async () => {
    const job = train({ source: en, target: join(folder, "nowhere"), out: join(folder, "bad") });
    const loop = async () => {
      for await (const _ of job);
    };
    await expect(loop()).rejects.toMatchObject({ code: "file" });
    await expect(job.finished).rejects.toThrow("nowhere: cannot read");
  });

  test("unknown options and a missing folder are refused", async () => {
    const misspelled = { ...options("x"), maxStep: 3 } as TrainOptions;
    await expect(train(misspelled).finished).rejects.toThrow(
      'unknown option "maxStep" (did you mean "maxSteps"?)',
    );
    await expect(train({} as TrainOptions).finished).rejects.toThrow("out must name the folder");
  });

  test("takes a recipe as an object, and settings as one", async () => {
    const recipe = { data: { train_source: en, train_target: de }, training: { max_steps: 1 } };
    const small = Object.fromEntries(
      set.map((assignment) => assignment.split("=")).map(([key, value]) => [key, Number(value)]),
    );
    const job = train({ recipe, out: join(folder, "object"), set: small, threads: 1 });
    expect(await job.finished).toBe("finished");
  });
});

describe("loadTranslator", () => {
  test("translates, several calls at once too, and can be closed", async () => {
    const translator = await loadTranslator(join(folder, "run"), { threads: 1 });
    const decoding = { numBeams: 1, maxNewTokens: 8 };
    const texts = ["one tree", "", "two cats and one tree"];
    const [together, first, last] = await Promise.all([
      translator.translate(texts, decoding),
      translator.translate([texts[0]!], decoding),
      translator.translate([texts[2]!], decoding),
    ]);
    expect(together.map(({ text }) => text)).toEqual([first[0]!.text, "", last[0]!.text]);
    await expect(translator.translate(texts, { numBeam: 3 } as never)).rejects.toThrow(
      'did you mean "numBeams"',
    );
    await expect(translator.translate("one tree" as never)).rejects.toThrow("takes a list of texts");
    const open = translator.translate(texts, { numBeams: 8, maxNewTokens: 60 });
    const closed = translator.dispose();
    await expect(open).rejects.toMatchObject({ code: "interrupted" });
    await closed;
  });

  test("says what is wrong with a folder", async () => {
    await expect(loadTranslator(folder)).rejects.toThrow("is no model folder, since it holds no config.json");
    const file = join(folder, "file");
    writeFileSync(file, "");
    await expect(loadTranslator(file)).rejects.toThrow("a model is a folder; got a file");
    await expect(loadTranslator(folder, { thread: 1 } as never)).rejects.toThrow('did you mean "threads"');
    await expect(loadTranslator(join(folder, "run"), { threads: 0 })).rejects.toThrow("threads: must be");
  });
});
