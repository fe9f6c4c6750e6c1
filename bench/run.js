/**
 * Compiles the benchmarks and runs one: `npm run bench -- NAME [ARGUMENTS]`. Without a name it lists them.
 * (Node 20 cannot run TypeScript by itself.)
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
const root = dirname(folder);
const compiled = join(root, "node_modules", ".cache", "bench");

/** The benchmarks and the first sentence of each one's head; files without a head are parts of others. */
function benchmarks() {
  const found = new Map();
  for (const file of readdirSync(folder)) {
    const head = /^\/\*\*\n((?: \*.*\n)+?) \*\//.exec(readFileSync(join(folder, file), "utf8"))?.[1];
    if (!file.endsWith(".ts") || head === undefined) continue;
    const text = head.replaceAll(/^ \* ?/gm, "").replaceAll("\n", " ");
    found.set(file.slice(0, -3), `${text.split(/[.;](?: |$)/)[0]}.`);
  }
  return found;
}

const [name, ...rest] = process.argv.slice(2);
const known = benchmarks();
if (name === undefined || !known.has(name)) {
  if (name !== undefined) console.error(`bench: there is no benchmark "${name}"`);
  for (const [each, what] of known) console.log(`npm run bench -- ${each}\n    ${what}`);
  process.exit(name === undefined ? 0 : 2);
}
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
const options = ["--noEmit", "false", "--noCheck", "--rootDir", root, "--outDir", compiled];
const built = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.json"), ...options], {
  stdio: "inherit",
});
if (built.status !== 0) process.exit(built.status ?? 1);
const run = spawnSync(process.execPath, [join(compiled, "bench", `${name}.js`), ...rest], {
  stdio: "inherit",
});
process.exit(run.status ?? 1);
