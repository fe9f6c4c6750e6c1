import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

/** The packed package, unpacked into another project. */
const root = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);
let project: string;
let files: string[];

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), "qkv-package-"));
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project], {
    cwd: root,
    maxBuffer: 1e8,
  });
  const parsed: unknown = JSON.parse(stdout);
  const [packed] = (Array.isArray(parsed) ? parsed : Object.values(parsed as object)) as {
    filename: string;
    files: { path: string }[];
  }[];
  files = packed!.files.map(({ path }) => path);
  await run("tar", ["xzf", join(project, packed!.filename), "-C", project]);
  await mkdir(join(project, "node_modules"));
  await rename(join(project, "package"), join(project, "node_modules", "qkv"));
  for (const name of await readdir(join(root, "node_modules"))) {
    if (!name.startsWith(".") && name !== "qkv")
      symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  }
  await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
});
afterAll(() => {
  rmSync(project, { recursive: true, force: true });
});

test("holds what it needs and nothing else", () => {
  for (const needed of [
    "bin/qkv.js",
    "dist/node.js",
    "dist/node.d.ts",
    "dist/tasks/node/worker.js",
    "dist/runs/page/hover.js",
    "dist/runs/page/dashboard.js",
    "README.md",
    "LICENSE",
  ]) {
    expect(files).toContain(needed);
  }
  expect(files.filter((path) => /^(src|test|bench|node_modules|\.)/.test(path))).toEqual([]);
});

test("its main entry and its parts can be imported", async () => {
  const script = `
    import { Tokenizer, corpusBleu, train, loadTranslator } from "qkv";
    import { tokenizeForBleu } from "qkv/metrics/bleu-tokenizers";
    import { scoreEntities } from "qkv/metrics/entity-score";
    import { perplexity } from "qkv/metrics/perplexity";
    import { recallAtK } from "qkv/metrics/retrieval";
    import { contract } from "qkv/graph/build";
    const parts = [tokenizeForBleu, scoreEntities, perplexity, recallAtK, contract];
    console.log([Tokenizer, corpusBleu, train, loadTranslator, ...parts].map((value) => typeof value).join());
  `;
  await writeFile(join(project, "use.js"), script);
  const { stdout } = await run(process.execPath, ["use.js"], { cwd: project });
  expect(stdout.trim()).toBe(Array(9).fill("function").join());
});

test("its command runs", async () => {
  const { stdout } = await run(
    process.execPath,
    [join(project, "node_modules/qkv/bin/qkv.js"), "--version"],
    { cwd: project },
  );
  expect(stdout).toMatch(/^\d+\.\d+\.\d+/);
});
