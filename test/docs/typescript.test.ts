import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Compiles and runs the TypeScript that some pages show, in a project that has qkv as a dependency. */
const root = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);
const pages = ["README.md", "docs/runs.md", "docs/training.md"]
  .map((page) => readFileSync(join(root, page), "utf8"))
  .join("\n");
const blocks = [...pages.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);

const numbered = (words: readonly string[]) =>
  Array.from({ length: 60 }, (_, index) => `${words[index % words.length]} ${index}.\n`).join("");

test("there is TypeScript to run", () => {
  expect(blocks.length).toBeGreaterThan(1);
});

test.each(blocks)("block %#", async (code) => {
  const project = mkdtempSync(join(tmpdir(), "qkv-readme-"));
  try {
    await mkdir(join(project, "node_modules"));
    symlinkSync(root, join(project, "node_modules", "qkv"));
    symlinkSync(join(root, "node_modules", "@types"), join(project, "node_modules", "@types"));
    await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
    await writeFile(join(project, "use.ts"), code);
    await writeFile(join(project, "train.en"), numbered(["a cat", "the dog", "one tree"]));
    const reviews = "It is good,pos\nIt is bad,neg\n".repeat(30);
    await writeFile(join(project, "reviews.csv"), `text,label\n${reviews}`);
    await writeFile(join(project, "train.de"), numbered(["eine Katze", "der Hund", "ein Baum"]));
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
    await run(process.execPath, [tsc, ...options, "use.ts"], { cwd: project });
    const { stdout } = await run(process.execPath, ["use.js"], { cwd: project });
    expect(stdout.trim()).not.toBe("");
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});
