/**
 * How soon a GPT-2 of 124 million parameters is ready, how much memory it takes and how long a token takes. Run it with
 *
 *   npm run bench -- decoding [--folder FOLDER] [--threads N] [--runs N] [--generated]
 *
 * The checkpoint has random weights and is written to FOLDER (default: a folder of its own in the system's temporary
 * one, kept for the next time; 500 MB). Each measurement of loading is a process of its own, with the file in the
 * system's cache. Memory is told from /proc/self/smaps_rollup, so on Linux only. --generated lets one text grow to 1,000
 * tokens too, instead of prompts of these lengths only. Beside the time of a token stands the processor's time, which
 * on one thread holds up where a machine does other things too.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CausalGenerator } from "../src/generation/causal-language.ts";
import { openCpu } from "../src/runtime/node/engine.ts";
import { openModelFolder } from "../src/tasks/node/model-folder.ts";
import { gpt2Config, writeRandomCheckpoint } from "./random-checkpoint.ts";

const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: join(tmpdir(), "qkv-bench-gpt2") },
    threads: { type: "string", default: "2" },
    runs: { type: "string", default: "5" },
    measure: { type: "string" },
    prepacking: { type: "string", default: "default" },
    beams: { type: "string", default: "1" },
    generated: { type: "boolean", default: false },
  },
});
const folder = flags.folder;
const beams = Number(flags.beams);

type AnyCausal = Parameters<typeof CausalGenerator.create<object>>[1];

async function open() {
  const prepacking = { default: undefined, on: true }[flags.prepacking];
  const device = await openCpu({ threads: Number(flags.threads), spinning: Number(flags.threads) > 1 });
  const { model, weights } = await openModelFolder(folder, { withTokenizers: false, prepacking });
  const generator = await CausalGenerator.create(device, model.generation as unknown as AnyCausal, weights);
  return { device, generator };
}

/** A prompt that begins in another way each time. */
const prompt = (length: number, seed = 0): number[] =>
  Array.from({ length }, (_, index) => (index * 7919 + seed * 104729 + 11) % 50000);

/** Megabytes (10^6) of this process by what backs them. */
function memory(): { anonymous: number; file: number; peak: number } {
  const text = readFileSync("/proc/self/smaps_rollup", "utf8");
  const of = (name: string) => (Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(text)?.[1]) * 1024) / 1e6;
  const status = readFileSync("/proc/self/status", "utf8");
  const peak = (Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024) / 1e6;
  return { anonymous: of("Anonymous"), file: of("Rss") - of("Anonymous"), peak };
}

interface Loading {
  /** Milliseconds since the process began: when the model was ready, and when its first token was there. */
  readonly ready: number;
  readonly firstToken: number;
  /** Megabytes at the end of 32 tokens after a prompt of 8. */
  readonly memory: ReturnType<typeof memory>;
}

async function measureLoading(): Promise<Loading> {
  const { generator } = await open();
  const ready = performance.now();
  let firstToken = 0;
  await generator.generate([prompt(8)], { maxNewTokens: 32, minNewTokens: 32 }, new Map(), {
    onToken: () => {
      if (firstToken === 0) firstToken = performance.now();
    },
  });
  return { ready, firstToken, memory: memory() };
}

/** How many tokens each measurement of decoding takes the median of. */
const tokenCount = 16;
const contexts = [64, 512, 1000 - tokenCount];

/** Milliseconds of a token: passed, at least passed, and of the processor. */
interface TokenTime {
  readonly median: number;
  readonly fastest: number;
  readonly processor: number;
}

interface Decoding {
  /** After prompts of these lengths. */
  readonly prompts: readonly TokenTime[];
  /** Where all but 16 tokens were generated. */
  readonly generated: readonly TokenTime[];
  readonly memory: ReturnType<typeof memory>;
}

const ordered = (numbers: readonly number[]) => numbers.toSorted((left, right) => left - right);
const median = (numbers: readonly number[]): number => ordered(numbers)[Math.floor(numbers.length / 2)]!;

interface Sample {
  readonly time: number;
  readonly processor: number;
}

const summary = (samples: readonly Sample[]): TokenTime => ({
  median: median(samples.map(({ time }) => time)),
  fastest: ordered(samples.map(({ time }) => time))[0]!,
  processor: median(samples.map(({ processor }) => processor)),
});

/** The times of the tokens of one generation; it looks at the signal once for each, whatever the number of beams. */
async function tokenTimes(
  generator: CausalGenerator<object>,
  ids: readonly number[],
  count: number,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  let last: { readonly time: number; readonly processor: NodeJS.CpuUsage } | undefined;
  const signal = {
    get aborted() {
      if (last !== undefined) {
        const { user, system } = process.cpuUsage(last.processor);
        samples.push({ time: performance.now() - last.time, processor: (user + system) / 1000 });
      }
      last = { processor: process.cpuUsage(), time: performance.now() };
      return false;
    },
  } as AbortSignal;
  const options = { numBeams: beams, maxNewTokens: count, minNewTokens: count };
  await generator.generate([ids], options, new Map(), { signal });
  return samples;
}

async function measureDecoding(): Promise<Decoding> {
  const { generator } = await open();
  await tokenTimes(generator, prompt(16), 8);
  const samples = contexts.map(() => [] as Sample[]);
  for (let round = 0; round < 3; round++) {
    for (const [index, length] of contexts.entries()) {
      samples[index]!.push(...(await tokenTimes(generator, prompt(length, round), tokenCount)));
    }
  }
  const times = flags.generated ? await tokenTimes(generator, prompt(16, 9), 1000 - 16) : undefined;
  const generated = contexts.map((length) => {
    const end = Math.min(length - 16 + tokenCount, times?.length ?? 0);
    return summary(times?.slice(end - 2 * tokenCount, end) ?? []);
  });
  return { prompts: samples.map(summary), generated: flags.generated ? generated : [], memory: memory() };
}

/** Runs this file in a process of its own. */
function inProcess<Result>(measure: string, more: Record<string, string>): Result {
  const given = { folder, threads: flags.threads, measure, ...more };
  const list = Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]);
  if (flags.generated) list.push("--generated");
  const { stdout, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...list], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) process.exit(status ?? 1);
  return JSON.parse(stdout.toString()) as Result;
}

/** Times at each length of context, and how much they grow. */
function told(times: readonly TokenTime[]): string {
  const of = (name: keyof TokenTime) => {
    const list = times.map((time) => time[name]);
    const growth = (list.at(-1)! / list[0]!).toFixed(2);
    return `${name} ${list.map((value) => value.toFixed(1)).join(" / ")} (x ${growth})`;
  };
  return [of("median"), of("fastest"), of("processor")].join(", ");
}

function measureAll(): void {
  const runs = Number(flags.runs);
  console.log(`${flags.threads} threads; medians of ${runs} processes; megabytes are 10^6 bytes`);
  for (const prepacking of ["default", "on"]) {
    const loads = Array.from({ length: runs }, () => inProcess<Loading>("loading", { prepacking }));
    const of = (value: (load: Loading) => number) => median(loads.map(value)).toFixed(0);
    console.log(
      `prepacking ${prepacking}: ready ${of((load) => load.ready)} ms after the process began, first token at ` +
        `${of((load) => load.firstToken)}; not backed by a file ${of((load) => load.memory.anonymous)} MB, ` +
        `by files ${of((load) => load.memory.file)}, most at once ${of((load) => load.memory.peak)}`,
    );
  }
  for (const prepacking of ["default", "on"]) {
    for (const count of ["1", "4"]) {
      const found = inProcess<Decoding>("decoding", { prepacking, beams: count });
      console.log(
        `prepacking ${prepacking}, beams ${count}: ms a token at 64 / 512 / 1,000 tokens: ${told(found.prompts)}; ` +
          `${found.memory.anonymous.toFixed(0)} MB not backed by a file`,
      );
      if (flags.generated) console.log(`  of a text that grows: ${told(found.generated)}`);
    }
  }
}

await writeRandomCheckpoint(folder, gpt2Config);
if (flags.measure === "loading") console.log(JSON.stringify(await measureLoading()));
else if (flags.measure === "decoding") console.log(JSON.stringify(await measureDecoding()));
else measureAll();
