import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { makeFolder, output, qkv } from "./qkv.ts";

const folder = makeFolder();
const parse = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("qkv data", () => {
  test("lists corpora with their licences", async () => {
    expect(await output(["data", "list"])).toMatch(/^tinyshakespeare\n {2}.*\n {2}licence: /);
    expect(parse(await output(["data", "list", "--json"]))[0]).toMatchObject({
      name: "tinyshakespeare",
      bytes: 1_115_394,
    });
  });

  test("splits a file of pairs without sentences on two sides", async () => {
    const pairs = join(folder, "pairs.tsv");
    const lines = Array.from({ length: 60 }, (_, line) => `sentence ${line % 50}\tSatz ${line}`);
    writeFileSync(pairs, `${lines.join("\n")}\n`);
    const out = join(folder, "split");
    const args = ["data", "split", pairs, "--out", out, "--test", "10", "--validation", "5"];
    expect((await qkv(args)).stderr).toMatch(/: \d+ pairs for training, 5 for validation, 10 for test\n$/);
    const sources = (name: string) =>
      readFileSync(join(out, `${name}.en`), "utf8")
        .trim()
        .split("\n");
    const trained = new Set(sources("train"));
    expect([...sources("valid"), ...sources("test")].filter((line) => trained.has(line))).toEqual([]);
    writeFileSync(pairs, "only one column\n");
    const { code, stderr } = await qkv(args);
    expect(stderr).toContain("line 1: a line holds English, a tab and the translation");
    expect(code).toBe(2);
  });
});

test("qkv recipes lists what is shipped", async () => {
  expect(await output(["recipes"])).toMatch(/^toy +Counted things/m);
  const names = parse(await output(["recipes", "--json"])).map(({ name }) => name);
  for (const name of ["multi30k-en-de", "tatoeba-en-de", "toy"]) expect(names).toContain(name);
});

test("qkv --version starts quickly", async () => {
  const time = async (work: () => Promise<unknown>) => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(await output(["--version"])).toBe(`${version}\n`);
  // Other work on the machine makes runs slow: the fastest of some counts, against an empty program beside it.
  const own: number[] = [];
  const empty: number[] = [];
  for (let run = 0; run < 5; run++) {
    own.push(await time(() => output(["--version"])));
    empty.push(await time(() => promisify(execFile)(process.execPath, ["--eval", "0"])));
  }
  expect(Math.min(...own) / Math.min(...empty)).toBeLessThan(6);
});
