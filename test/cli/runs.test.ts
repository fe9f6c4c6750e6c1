/** What a person sees of a run: report and comparison, as commands. */
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { makeFolder, output, qkv, tiny, writeCorpus } from "./qkv.ts";

const folder = makeFolder();
const { en, de } = writeCorpus(folder, "train", 200);
const run = (name: string) => join(folder, name);

beforeAll(async () => {
  for (const [name, rate] of [
    ["one", "0.001"],
    ["two", "0.004"],
  ] as const) {
    const args = ["train", "--source", en, "--target", de, "--out", run(name), "--max-steps", "20"];
    await output([...args, ...tiny, "--set", `learning_rate=${rate}`, "--threads", "1"]);
  }
});

describe("qkv report", () => {
  test("a training writes one; it can be written again, elsewhere", async () => {
    const path = join(run("one"), "report.html");
    const written = readFileSync(path, "utf8");
    expect(written).toContain("How to use it");
    expect(written).toContain('<span class="status finished">');
    expect(await output(["report", run("one")])).toBe(`${path}\n`);
    expect(readFileSync(path, "utf8")).toBe(written);
    const other = join(folder, "other.html");
    expect(await output(["report", run("one"), "--out", other])).toBe(`${other}\n`);
    expect(readFileSync(other, "utf8")).toBe(written);
  });

  test("a damaged line of the log is told with its number and left out", async () => {
    cpSync(run("one"), run("damaged"), { recursive: true });
    const log = join(run("damaged"), "log.jsonl");
    const lines = readFileSync(log, "utf8").split("\n");
    lines[2] = lines[2]!.slice(0, 20);
    writeFileSync(log, lines.join("\n"));
    appendFileSync(log, '{"type":"st');
    const { code, stderr } = await qkv(["report", run("damaged")]);
    expect(code).toBe(0);
    expect(stderr).toBe(
      `qkv: ${log}:3: is no JSON object; the line is left out\n` +
        `qkv: ${log}:${lines.length}: is no JSON object; the line is left out\n`,
    );
    expect(readFileSync(join(run("damaged"), "report.html"), "utf8")).toContain("Could not be read");
  });

  test("what is no run is refused, with the way out", async () => {
    mkdirSync(run("empty"));
    cpSync(run("one"), run("unmeasured"), { recursive: true });
    writeFileSync(join(run("unmeasured"), "log.jsonl"), "");
    for (const [args, message] of [
      [["report", run("nowhere")], `${run("nowhere")}: cannot read; there is no such file or folder`],
      [["report", en], `${en}: a run is a folder; got a file`],
      [["report", run("empty")], `${run("empty")}: is no run's folder, since it holds neither log.jsonl nor`],
      [["report", run("unmeasured")], "log.jsonl: must hold what was measured; got nothing"],
      [["compare", run("one"), run("empty")], "is no run's folder"],
      [["compare", run("one")], "takes two or more runs; got 1"],
      [
        ["compare", run("one"), run("two"), "--out", "x.png"],
        '--out: must end in .html or .svg; got "x.png"',
      ],
      [["compare", run("one"), run("two"), "--by", "tokens"], "step, time"],
      [["dashboard", run("empty")], "is no run's folder"],
      [["dashboard", run("one"), "--port", "70000"], "A port is a whole number from 0 to 65535."],
    ] as const) {
      const { code, stderr } = await qkv(args);
      expect(stderr).toContain(message);
      expect(code).toBe(2);
    }
    expect(existsSync(join(run("empty"), "report.html"))).toBe(false);
  });
});

describe("qkv compare", () => {
  test("prints results with their courses, and where the recipes differ", async () => {
    const lines = (await output(["compare", run("one"), run("two")])).split("\n");
    expect(lines[0]!.trim().split(/\s+/)).toEqual(["one", "two"]);
    const line = (name: string) => lines.find((text) => text.startsWith(name))!;
    expect(line("steps")).toMatch(/20 of 20 +20 of 20/);
    expect(line("best validation loss")).toMatch(/\d\.\d{4} at 20 +\d\.\d{4} at 20/);
    expect(line("training loss (log)")).toMatch(/█.* +█/);
    const differing = lines.slice(lines.indexOf("") + 1, -1);
    expect(differing).toHaveLength(1);
    expect(differing[0]).toMatch(/^training\.learning_rate +0\.001 +0\.004$/);
  });

  test("writes the curves over each other, and prints JSON", async () => {
    for (const name of ["curves.svg", "curves.html"]) {
      const path = join(folder, name);
      const json = await output(["compare", run("one"), run("two"), "--by", "time", "--out", path, "--json"]);
      const { runs, differing } = JSON.parse(json) as {
        runs: { name: string; step: number }[];
        differing: object;
      };
      expect(runs).toMatchObject([
        { name: "one", step: 20, status: "finished", best: { step: 20 } },
        { name: "two", step: 20 },
      ]);
      expect(differing).toEqual([{ key: "training.learning_rate", values: [0.001, 0.004] }]);
      expect(readFileSync(path, "utf8")).toContain(">seconds<");
    }
    expect(readFileSync(join(folder, "curves.svg"), "utf8")).toMatch(/^<svg /);
    expect(readFileSync(join(folder, "curves.html"), "utf8")).toContain("Where the recipes differ");
  });
});
