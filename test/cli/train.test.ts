import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeFolder, output, qkv, start, tiny, writeCorpus } from "./qkv.ts";

const folder = makeFolder();
const { en, de } = writeCorpus(folder, "train", 400);
const valid = writeCorpus(folder, "valid", 20, 8);
const files = ["--source", en, "--target", de];
const validation = ["--validation-source", valid.en, "--validation-target", valid.de];
const run = (name: string) => join(folder, name);
const records = (name: string) =>
  readFileSync(join(run(name), "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; step: number; loss: number });

describe("qkv train from two files", () => {
  test("writes a run's folder that is a model's", async () => {
    const { code, stderr } = await qkv(["train", ...files, "--out", run("a"), "--max-steps", "30", ...tiny]);
    expect(stderr).toContain("Held out 8 of 400 pairs for validation");
    expect(stderr).toContain("parameters; from step 0 to 30.");
    expect(stderr).toMatch(/Step 30: validation loss \d/);
    expect(code).toBe(0);
    expect(readdirSync(run("a")).sort()).toEqual([
      "best",
      "checkpoints",
      "config.json",
      "curves.svg",
      "data",
      "events.jsonl",
      "generation_config.json",
      "log.jsonl",
      "model.safetensors",
      "recipe.json",
      "report.html",
      "run.json",
      "start",
      "text",
      "tokenizer.json",
    ]);
    expect(readdirSync(join(run("a"), "checkpoints")).sort()).toEqual(["step-10", "step-20", "step-30"]);
    const steps = records("a").filter(({ type }) => type === "step");
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    expect(steps.at(-1)!.loss).toBeLessThan(steps[0]!.loss);
  });

  test("refuses a folder that holds a run, and says how to go on", async () => {
    const { code, stderr } = await qkv(["train", ...files, "--out", run("a"), ...tiny]);
    expect(stderr).toBe(
      `qkv: ${run("a")}: already holds a run; go on with it by --resume, or choose another folder\n`,
    );
    expect(code).toBe(2);
  });

  test("goes on with --resume alone, and with more steps", async () => {
    const { code, stderr } = await qkv(["train", "--out", run("a"), "--resume", "--max-steps", "35"]);
    expect(stderr).toContain("Resumed at step 30.");
    expect(stderr).toContain("from step 30 to 35.");
    expect(code).toBe(0);
    expect(records("a").filter(({ type }) => type === "step")).toHaveLength(35);
    const recipe = JSON.parse(readFileSync(join(run("a"), "recipe.json"), "utf8"));
    expect(recipe.training.max_steps).toBe(35);
    expect(recipe.model.d_model).toBe(16);
  });

  test("goes on with the files named again, and after the folder was moved", async () => {
    renameSync(run("a"), run("moved"));
    const args = ["train", ...files, "--out", run("moved"), "--resume", "--max-steps", "36"];
    const { code, stderr } = await qkv(args);
    expect(stderr).toContain("from step 35 to 36.");
    expect(code).toBe(0);
    const again = await qkv(["train", "--out", run("moved"), "--resume", "--set", "d_model=32"]);
    expect(again.stderr).toContain("got model.d_model 32 instead of 16");
    expect(again.code).toBe(2);
  });

  test("refuses to go on with other files, or to a step that is passed, and stays as it was", async () => {
    const other = writeCorpus(folder, "other", 400, 9);
    const args = ["--source", other.en, "--target", other.de];
    const { code, stderr } = await qkv(["train", ...args, "--out", run("moved"), "--resume"]);
    expect(stderr).toBe(
      `qkv: ${run("moved")}: a run goes on with the data that it began with; ` +
        "leave --source and --target out, or choose another folder\n",
    );
    expect(code).toBe(2);
    const back = await qkv(["train", "--out", run("moved"), "--resume", "--max-steps", "20"]);
    expect(back.stderr).toBe(
      `qkv: ${run("moved")}: has already made 36 steps; max_steps must be more; got 20; ask for more with --max-steps\n`,
    );
    expect(back.code).toBe(2);
    const again = await qkv(["train", "--out", run("moved"), "--resume"]);
    expect(again.stderr).toContain("from step 36 to 36.");
    expect(again.code).toBe(0);
  });

  test("--resume alone needs a run; one that was killed before its first checkpoint begins anew", async () => {
    const nope = await qkv(["train", "--out", run("nope"), "--resume"]);
    expect(nope.stderr).toBe(
      `qkv: ${run("nope")}: holds no run to go on with; check the folder, or begin one with a recipe, --task, ` +
        "or --source and --target\n",
    );
    expect(nope.code).toBe(2);
    const args = ["train", ...files, "--out", run("killed"), "--max-steps", "2", ...tiny];
    const { stderr } = await qkv(args);
    expect(stderr).toContain("Kept the model of step 2.");
    expect(stderr).toContain("Try it: qkv translate");
    expect(stderr.match(/: validation loss/g)).toHaveLength(1);
    const best = readFileSync(join(run("killed"), "best", "model.safetensors"));
    const model = () => readFileSync(join(run("killed"), "model.safetensors"));
    expect(model().equals(best)).toBe(true);
    for (const name of ["checkpoints", "config.json", "model.safetensors"]) {
      rmSync(join(run("killed"), name), { recursive: true });
    }
    const translate = await qkv(["translate", "--model", run("killed"), "one"]);
    expect(translate.stderr).toContain(
      "has not written a model yet (the first comes with the first validation); " +
        `go on with qkv train --out ${run("killed")} --resume`,
    );
    expect(translate.code).toBe(2);
    const again = await qkv(args);
    expect(again.stderr).toContain(
      "already holds a run; go on with it by --resume, or choose another folder",
    );
    expect(again.code).toBe(2);
    expect(await qkv(["train", "--out", run("killed"), "--resume"])).toMatchObject({ code: 0 });
    expect(model().equals(best)).toBe(true);
    // Without its checkpoints a finished model is not offered for going on, which would overwrite it.
    rmSync(join(run("killed"), "checkpoints"), { recursive: true });
    expect((await qkv(args)).stderr).toContain("already holds a model; choose another folder");
    const other = ["--source", en, "--target", valid.de];
    expect(await qkv(["train", ...other, "--out", run("killed"), "--resume"])).toMatchObject({ code: 2 });
  });

  test("a run that is stopped before its first validation has no model to try", async () => {
    const args = ["train", ...files, "--out", run("early"), "--max-steps", "100000", ...tiny];
    const { child, result } = start([...args, "--set", "eval_steps=100000"]);
    child.stderr!.on("data", (text: string) => {
      if (text.includes("from step 0 to 100,000.")) child.kill("SIGINT");
    });
    const { code, stderr } = await result;
    expect(stderr).toContain("Interrupted: saved at step");
    expect(code).toBe(130);
    const [, step] = /saved at step (\d+)/.exec(stderr)!;
    const resume = [
      "train",
      "--out",
      run("early"),
      "--resume",
      "--max-steps",
      String(Math.max(1, Number(step))),
    ];
    const finished = await qkv([...resume, "--set", "average_checkpoints=1"]);
    expect(finished.stderr).toContain("Finished.");
    expect(finished.stderr.includes("Try it")).toBe(existsSync(join(run("early"), "config.json")));
    expect(finished.code).toBe(0);
  });

  test("--resume starts where there is nothing yet; --json tells every event", async () => {
    const args = ["train", ...files, ...validation, "--out", run("new"), "--resume", "--max-steps", "2"];
    const stdout = await output([...args, "--json", ...tiny]);
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; outcome?: string });
    const types = new Set(events.map(({ type }) => type));
    for (const type of ["message", "preparing", "start", "step", "validation", "end"])
      expect(types).toContain(type);
    expect(events.at(-1)).toEqual({ type: "end", outcome: "finished" });
    expect(existsSync(join(run("new"), "text"))).toBe(false);
  });

  test("an attempt that failed at the data does not stand in the way of the next", async () => {
    const bad = join(folder, "bad.de");
    writeFileSync(bad, "eins\n");
    const first = await qkv(["train", "--source", en, "--target", bad, "--out", run("again"), ...tiny]);
    expect(first.code).toBe(2);
    const args = ["train", ...files, "--out", run("again"), "--max-steps", "1", ...tiny];
    expect(await qkv(args)).toMatchObject({ code: 0 });
  });

  test("the same seed gives the same model, another one another", async () => {
    const model = async (name: string, seed: string) => {
      const args = ["train", ...files, ...validation, "--out", run(name), "--seed", seed, "--max-steps", "3"];
      await output([...args, ...tiny]);
      return readFileSync(join(run(name), "model.safetensors"));
    };
    const one = await model("one", "5");
    expect(one.equals(await model("same", "5"))).toBe(true);
    expect(one.equals(await model("other", "6"))).toBe(false);
  });
});

describe("qkv train RECIPE", () => {
  test("toy makes its own data", async () => {
    const { code, stderr } = await qkv(["train", "toy", "--out", run("toy"), "--max-steps", "2", ...tiny]);
    expect(stderr).toContain("Made data (number-words): 20000 pairs to train on, 500 to validate on.");
    expect(code).toBe(0);
    expect(readdirSync(join(run("toy"), "text"))).toHaveLength(6);
    expect(await qkv(["train", "--out", run("toy"), "--resume"])).toMatchObject({ code: 0 });
    const other = await qkv(["train", ...files, "--out", run("toy"), "--resume"]);
    expect(other.stderr).toContain("a run goes on with the data that it began with");
    expect(other.code).toBe(2);
  });

  test("a recipe of one's own lies beside its data", async () => {
    const own = join(folder, "own");
    mkdirSync(own);
    writeCorpus(own, "text", 100);
    const data = { train_source: "text.en", train_target: "text.de" };
    writeFileSync(
      join(own, "recipe.json"),
      JSON.stringify({ name: "own", data, training: { max_steps: 1 } }),
    );
    expect(await qkv(["train", own, "--out", run("ownrun"), ...tiny])).toMatchObject({ code: 0 });
  });

  test("where the data are missing it says which, where it looked and how to get them", async () => {
    const { code, stderr } = await qkv(["train", "tatoeba-en-de", "--out", run("t")], { cwd: folder });
    expect(stderr).toContain(
      `${join(folder, "data", "tatoeba-en-de")}: must hold the data of the recipe tatoeba-en-de`,
    );
    expect(stderr).toContain("train.en, train.de, valid.en, valid.de are missing");
    expect(stderr).toMatch(/--data; where the data come from is told in .*README\.md/);
    expect(code).toBe(2);
    expect(existsSync(run("t"))).toBe(false);
  });
});
