import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
  expect(await output(["recipes"])).toMatch(
    /^recipes, for qkv train NAME:.*^ {2}toy +Counted things.*^experiments, for qkv experiment NAME:/ms,
  );
  const names = parse(await output(["recipes", "--json"])).map(({ name }) => name);
  for (const name of ["multi30k-en-de", "tatoeba-en-de", "toy"]) expect(names).toContain(name);
});

test("qkv --version loads what commands are asked by, and no more", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const coverage = join(folder, "coverage");
  expect(await output(["--version"], { env: { NODE_V8_COVERAGE: coverage } })).toBe(`${version}\n`);
  const [file] = readdirSync(coverage);
  const { result } = JSON.parse(readFileSync(join(coverage, file!), "utf8")) as { result: { url: string }[] };
  const loaded = result.map(({ url }) => url).filter((url) => url.startsWith("file:"));
  expect(loaded.filter((url) => url.includes("/dist/cli/"))).not.toEqual([]);
  const packages = loaded.map((url) => /.*\/node_modules\/([^/]+)/.exec(url)?.[1]);
  expect(new Set(packages.filter((name) => name !== undefined))).toEqual(new Set(["commander"]));
});
