/**
 * Reads the import lines of src/ and keeps the architecture as docs/architecture.md draws it: imports go down
 * only, and what belongs to one engine or platform stays where it is listed here.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/**
 * The floor of each package and of each file at the top of src/. Siblings on one floor do not import each
 * other.
 */
const floors: Readonly<Record<string, number>> = {
  util: 0,
  graph: 1,
  autodiff: 2,
  onnx: 2,
  nn: 2,
  tokenizers: 2,
  metrics: 2,
  weights: 2,
  runtime: 3,
  data: 3,
  models: 3,
  training: 4,
  generation: 4,
  tracing: 4,
  tasks: 5,
  runs: 5,
  "node-training.ts": 6,
  "node.ts": 7,
  "web.ts": 7,
  cli: 8,
  server: 8,
};

const longestFile = 400;

/** Files that may be longer, each with its reason. */
const longerFiles: Readonly<Record<string, string>> = {};

interface Import {
  readonly line: number;
  readonly target: string;
  /** `import type`, of which nothing is left at run time. */
  readonly typesOnly: boolean;
}

/** Where `node:` modules may be imported: not in what a browser loads. */
function mayUseNode(path: string): boolean {
  return (
    /^src\/(node(-training)?\.ts$|cli\/|server\/)/.test(path) || path.split("/").slice(0, -1).includes("node")
  );
}

/**
 * Where ONNX Runtime may be imported: its builds in few places, the types that they share in all of runtime/.
 */
function mayUseEngine(path: string, { target, typesOnly }: Import): boolean {
  if (target === "onnxruntime-common" && typesOnly && path.startsWith("src/runtime/")) return true;
  return /^src\/(node\.ts$|web\.ts$|runtime\/node\/|runtime\/web\/)/.test(path);
}

/** What a file imports, by whatever means: statements, `import(...)`, and the URL of a worker's file. */
function importsOf(text: string): Import[] {
  const names = String.raw`[\w$*\s{},]*`;
  const patterns = [
    new RegExp(String.raw`^import\s+(?:type\b)?${names}?\bfrom\s*["']([^"']+)["']`, "gm"),
    /^import\s*["']([^"']+)["']/gm,
    new RegExp(
      String.raw`^export\s+(?:type\b\s*)?(?:\*${names}|\{${names}\})\s*from\s*["']([^"']+)["']`,
      "gm",
    ),
    /\bimport\s*\(\s*["'`]([^"'`]+)["'`]/g,
    /\brequire\s*\(\s*["'`]([^"'`]+)["'`]/g,
    /\bnew URL\(\s*["'`]([^"'`]+\.[cm]?[jt]s)["'`]\s*,\s*import\.meta\.url/g,
  ];
  const found: Import[] = [];
  for (const pattern of patterns) {
    for (const match of text.matchAll(pattern)) {
      const before = text.slice(0, match.index + match[0].length).split("\n");
      const line = before.length;
      if (!/^\s*(\*|\/\/|\/\*)/.test(before[line - 1]!)) {
        found.push({ line, target: match[1]!, typesOnly: /^(import|export)\s+type\b/.test(match[0]) });
      }
    }
  }
  return found.sort((left, right) => left.line - right.line);
}

/** The package of a path in src/, or the file's own name where it lies at the top. */
function packageOf(path: string): string {
  return path.split("/")[1]!;
}

/** Every rule that a file breaks, as "path:line: rule; got ...; way out". */
function violations(path: string, text: string): string[] {
  const broken: string[] = [];
  const report = (line: number, rule: string) => broken.push(`${path}:${line}: ${rule}`);
  const home = packageOf(path);
  const floor = floors[home];
  if (floor === undefined)
    report(1, `a package of src/ has a floor; got "${home}"; add it to the table in floors.test.ts`);
  for (const found of importsOf(text)) {
    if (found.target.startsWith(".")) checkRelative(path, found.target, (rule) => report(found.line, rule));
    else checkExternal(path, found, (rule) => report(found.line, rule));
  }
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    if (/^export\s+default\b|^export\s*\{[^}]*\bas\s+default\b/.test(line)) {
      report(index + 1, `no default exports; got "${line.trim()}"; give it a name`);
    }
  }
  const count = text.endsWith("\n") ? lines.length - 1 : lines.length;
  if (count > longestFile && longerFiles[path] === undefined) {
    report(longestFile + 1, `a file has ${longestFile} lines at most; got ${count}; divide it by subject`);
  }
  return broken;
}

function checkRelative(path: string, target: string, report: (rule: string) => void): void {
  const resolved = posix.join(posix.dirname(path), target);
  if (!resolved.startsWith("src/")) {
    report(`src/ imports only from src/; got "${target}"`);
    return;
  }
  const [home, other] = [packageOf(path), packageOf(resolved)];
  const [floor, otherFloor] = [floors[home], floors[other]];
  if (home !== other && floor !== undefined && otherFloor !== undefined && otherFloor >= floor) {
    const rule =
      otherFloor > floor ? "imports go down only" : "packages on one floor do not import each other";
    report(
      `${rule}; got "${target}" (${home} is on floor ${floor}, ${other} on floor ${otherFloor}); ` +
        `move what both need to a lower floor, or hand it in as an argument`,
    );
  } else if (mayUseNode(resolved) && !mayUseNode(path)) {
    report(
      `what a browser loads does not import code for Node; got "${target}"; hand it in from src/node.ts or src/cli`,
    );
  }
}

function checkExternal(path: string, found: Import, report: (rule: string) => void): void {
  const { target } = found;
  const name = target.replace(/^node:/, "");
  if ((target !== name || builtinModules.includes(name.split("/")[0]!)) && !mayUseNode(path)) {
    report(
      `Node's modules are imported only in src/node.ts, cli/, server/ and folders named node; got "${target}"`,
    );
  }
  if (target.startsWith("onnxruntime-") && !mayUseEngine(path, found)) {
    report(
      `ONNX Runtime is imported only in src/runtime/{node,web}, src/node.ts and src/web.ts; got "${target}"`,
    );
  }
}

/** All TypeScript files of src/, as paths from the repository's root. */
function sourceFiles(): string[] {
  const folder = join(root, "src");
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => `src/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts"))
    .sort();
}

describe("src/", () => {
  const files = sourceFiles();

  test("keeps the rules of the house", () => {
    expect(files.length).toBeGreaterThan(0);
    const broken = files.flatMap((path) => violations(path, readFileSync(join(root, path), "utf8")));
    expect(broken.join("\n")).toBe("");
  });

  test("has only files in the list of longer ones that need to be there", () => {
    for (const [path, reason] of Object.entries(longerFiles)) {
      expect(files, `${path} (${reason}): is excused for its length and does not exist`).toContain(path);
      const count = readFileSync(join(root, path), "utf8").split("\n").length - 1;
      expect(count, `${path} (${reason}): is excused for its length and does not need it`).toBeGreaterThan(
        longestFile,
      );
    }
  });
});

describe("the rules find", () => {
  const cases: [what: string, path: string, text: string, expected: string | undefined][] = [
    ["an import upwards", "src/graph/a.ts", 'import { x } from "../nn/b.ts";', ":1: imports go down only"],
    [
      "an import of types upwards",
      "src/graph/a.ts",
      'import type { X } from "../nn/b.ts";',
      ":1: imports go down",
    ],
    [
      "an import of a sibling",
      "src/nn/a.ts",
      'import * as b from "../onnx/b.ts";',
      ":1: packages on one floor",
    ],
    [
      "an import over many lines",
      "src/nn/a.ts",
      '\nimport {\n  a,\n  type B,\n} from "../data/b.ts";',
      ":5: imports go",
    ],
    ["an import for its effects", "src/nn/a.ts", 'import "../data/b.ts";', ":1: imports go down only"],
    [
      "an import on demand",
      "src/nn/a.ts",
      'const b = await import("../data/b.ts");',
      ":1: imports go down only",
    ],
    ["a type's import", "src/nn/a.ts", 'let x: import("../data/b.ts").X;', ":1: imports go down only"],
    ["an export from above", "src/nn/a.ts", 'export { a } from "../data/b.ts";', ":1: imports go down only"],
    [
      "an export of all from above",
      "src/nn/a.ts",
      'export * from "../data/b.ts";',
      ":1: imports go down only",
    ],
    [
      "a worker above",
      "src/nn/a.ts",
      'new Worker(new URL("../data/b.ts", import.meta.url));',
      ":1: imports go",
    ],
    ["an import at the top", "src/tasks/a.ts", 'import { x } from "../node.ts";', ":1: imports go down only"],
    [
      "an import from outside",
      "src/nn/a.ts",
      'import { x } from "../../test/a.ts";',
      ":1: src/ imports only from src/",
    ],
    ["a package without floor", "src/other/a.ts", "", ':1: a package of src/ has a floor; got "other"'],
    ["a module of Node", "src/nn/a.ts", 'import { open } from "node:fs/promises";', ":1: Node's modules"],
    [
      "a module of Node without prefix",
      "src/nn/a.ts",
      'import { open } from "fs/promises";',
      ":1: Node's modules",
    ],
    ["code for Node", "src/data/a.ts", 'import { x } from "../util/node/b.ts";', ":1: what a browser loads"],
    [
      "an engine",
      "src/onnx/a.ts",
      'import * as ort from "onnxruntime-node";',
      ":1: ONNX Runtime is imported only",
    ],
    [
      "an engine's types",
      "src/models/a.ts",
      'import type { A } from "onnxruntime-common";',
      ":1: ONNX Runtime",
    ],
    [
      "values of the engine's types",
      "src/runtime/a.ts",
      'import { A } from "onnxruntime-common";',
      ":1: ONNX",
    ],
    [
      "nothing in the engine's types",
      "src/runtime/a.ts",
      'import type { A } from "onnxruntime-common";',
      undefined,
    ],
    ["a default export", "src/nn/a.ts", "const a = 1;\nexport default a;", ":2: no default exports"],
    [
      "a default export by name",
      "src/nn/a.ts",
      "const a = 1;\nexport { a as default };",
      ":2: no default exports",
    ],
    ["a long file", "src/nn/a.ts", "//\n".repeat(401), ":401: a file has 400 lines at most; got 401"],
    ["nothing in 400 lines", "src/nn/a.ts", "//\n".repeat(400), undefined],
    ["nothing in an import downwards", "src/nn/a.ts", 'import { x } from "../util/b.ts";', undefined],
    [
      "nothing in an import within",
      "src/nn/a/b.ts",
      'import { x } from "../c.ts";\nimport "./d.ts";',
      undefined,
    ],
    ["nothing in a package's import", "src/onnx/a.ts", 'import { x } from "@bufbuild/protobuf";', undefined],
    [
      "nothing where Node is allowed",
      "src/data/node/a.ts",
      'import { x } from "../../util/node/b.ts";',
      undefined,
    ],
    [
      "nothing in the command line",
      "src/cli/a.ts",
      'import { x } from "node:fs";\nimport "../node.ts";',
      undefined,
    ],
    [
      "nothing in an engine's place",
      "src/runtime/web/a.ts",
      'import * as ort from "onnxruntime-web";',
      undefined,
    ],
    ["nothing in a comment", "src/nn/a.ts", '/**\n * import { x } from "../data/b.ts"\n */', undefined],
    ["nothing in a file called node.ts", "src/data/node.ts", 'import { x } from "./b.ts";', undefined],
  ];
  test.each(cases)("%s", (_, path, text, expected) => {
    const broken = violations(path, text);
    if (expected === undefined) expect(broken).toEqual([]);
    else expect(broken).toEqual([expect.stringContaining(`${path}${expected}`)]);
  });
});
