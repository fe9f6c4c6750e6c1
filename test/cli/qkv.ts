/** The built command line, and small things to run it on. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { numberSentences } from "../../src/data/number-words.ts";

export const program = fileURLToPath(new URL("../../bin/qkv.js", import.meta.url));

export interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  /** Besides the environment of the test. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `qkv`; the result comes when it has ended. */
export function start(
  args: readonly string[],
  { cwd, input, env: more }: RunOptions = {},
): { child: ChildProcess; result: Promise<Result> } {
  const env = { ...process.env, NO_COLOR: "1", ...more };
  const child = spawn(process.execPath, [program, ...args], { cwd, env, stdio: "pipe" });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // A command that ends without reading all of its input closes the pipe.
  child.stdin.on("error", () => {});
  child.stdin.end(input ?? "");
  const result = new Promise<Result>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, result };
}

/** Runs `qkv` to its end. */
export async function qkv(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return await start(args, options).result;
}

/** Runs `qkv` and returns what it printed; fails with its messages where it does not end well. */
export async function output(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await qkv(args, options);
  if (code !== 0) throw new Error(`qkv ${args.join(" ")}: exit code ${code}\n${stderr}`);
  return stdout;
}

/** A folder for the files of one test file, removed at its end. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "qkv-cli-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Some sentences of a toy language pair as two files, NAME.en and NAME.de. */
export function writeCorpus(
  folder: string,
  name: string,
  count: number,
  seed = 7,
): { en: string; de: string } {
  const pairs = numberSentences(seed);
  const lines = Array.from({ length: count }, () => pairs.next().value);
  const en = join(folder, `${name}.en`);
  const de = join(folder, `${name}.de`);
  writeFileSync(en, lines.map(({ source }) => `${source}\n`).join(""));
  writeFileSync(de, lines.map(({ target }) => `${target}\n`).join(""));
  return { en, de };
}

/** Makes a training so small that it takes a second or two; dropout stays on. */
export const tiny: readonly string[] = [
  "d_model=16",
  "ffn_dim=16",
  "num_attention_heads=2",
  "encoder_layers=1",
  "decoder_layers=1",
  "vocab_size=320",
  "max_tokens=256",
  "warmup_steps=10",
  "logging_steps=1",
  "eval_steps=10",
  "eval_bleu_sentences=4",
  "average_checkpoints=2",
].flatMap((assignment) => ["--set", assignment]);
