import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeModels, whyNotRun } from "./example-models.ts";

/** Compiles and runs the TypeScript that README and docs show, in a project that has qkv as a dependency. */
const root = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).map((name) => join("docs", name)),
].filter((page) => page.endsWith(".md"));
const blocks = pages.flatMap((page) => {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code], index) => {
    const reason = whyNotRun(code!);
    return {
      file: `${page.replace(/\W/g, "-")}-${index + 1}`,
      name: `${page}, block ${index + 1}${reason === undefined ? "" : ` (skipped: ${reason})`}`,
      code: code!,
      isRun: reason === undefined,
    };
  });
});

const numbered = (words: readonly string[]) =>
  Array.from({ length: 60 }, (_, index) => `${words[index % words.length]} ${index}.\n`).join("");

let project: string;
beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), "qkv-docs-"));
  await mkdir(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules", "qkv"));
  symlinkSync(join(root, "node_modules", "@types"), join(project, "node_modules", "@types"));
  await makeModels(project, root);
  await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
  await writeFile(join(project, "train.en"), numbered(["a cat", "the dog", "one tree"]));
  await writeFile(join(project, "train.de"), numbered(["eine Katze", "der Hund", "ein Baum"]));
  const reviews = "It is good,pos\nIt is bad,neg\n".repeat(30);
  await writeFile(join(project, "reviews.csv"), `text,label\n${reviews}`);
  for (const { file, code } of blocks) await writeFile(join(project, `${file}.ts`), code);
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

test("there is TypeScript to run", () => {
  expect(blocks.length).toBeGreaterThan(1);
});

test("all of it compiles, strictly", async () => {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const options = [
    "--strict",
    "--module",
    "NodeNext",
    "--target",
    "ES2023",
    "--skipLibCheck",
    "--types",
    "node",
  ];
  await run(process.execPath, [tsc, ...options, ...blocks.map(({ file }) => `${file}.ts`)], { cwd: project });
});

for (const { name, file, isRun } of blocks) {
  test.skipIf(!isRun)(name, async () => {
    const { stdout } = await run(process.execPath, [`${file}.js`], { cwd: project });
    expect(stdout.trim()).not.toBe("");
  });
}
