/**
 * How long a training step (forward, backward, clipping, AdamW) takes, beside PyTorch's where a Python with torch is
 * found. Run it with
 *
 *   npm run bench -- training-step [--sizes nano,mid,mt,recipe] [--threads 1,2] [--dropout 0,0.1]
 *     [--rounds 5] [--steps 8] [--peer torch_step.py] [--python /usr/bin/python3] [--json FILE]
 *
 * Every round runs each side of each pair once, in a process of its own, so that what else the machine does falls on
 * both. The figures are medians over the rounds of each round's median step. The peak is ONNX Runtime's own product of
 * two 1024 x 1024 matrices, measured in the same process right before and after the steps; the share of it counts the
 * matrix products of a step and nothing else. Memory is the process's largest resident size.
 */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { contract, input } from "../src/graph/build.ts";
import { dim } from "../src/graph/dims.ts";
import type { Device } from "../src/runtime/device.ts";
import { openCpu } from "../src/runtime/node/engine.ts";
import { createSubject, type SizeName } from "./training-sizes.ts";

interface Measurement {
  readonly msPerStep: number;
  readonly parameters: number;
  readonly tokensPerSecond: number;
  readonly peakMemoryMB: number;
  /** Of ours only: the share of the matrix peak. */
  readonly share?: number;
  readonly peakGflops?: number;
}

const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)]!;

/** The additions and multiplications per nanosecond of ONNX Runtime's product of two square matrices. */
async function matrixPeak(device: Device, size = 1024): Promise<number> {
  const [row, over, column] = ["row", "over", "column"].map((name) => dim(name, size));
  const product = contract(input("left", [row!, over!]), input("right", [over!, column!]), "over");
  const program = await device.compile(new Map([["product", product]]));
  const numbers = { data: new Float32Array(size * size).fill(0.5), shape: [size, size] };
  const times: number[] = [];
  for (let run = 0; run < 20; run++) {
    const start = performance.now();
    await program.run({ left: numbers, right: numbers }, new Map());
    times.push(performance.now() - start);
  }
  await program.dispose();
  return (2 * size ** 3) / Math.min(...times) / 1e6;
}

async function measureOurs(size: SizeName, threads: number, dropout: number, steps: number) {
  const device = await openCpu({ threads });
  const peakBefore = await matrixPeak(device);
  const subject = await createSubject(device, size, dropout);
  const times: number[] = [];
  const warmUp = Math.max(2, Math.floor(steps / 4));
  for (let step = 0; step < warmUp + steps; step++) {
    const start = performance.now();
    await subject.step();
    if (step >= warmUp) times.push(performance.now() - start);
  }
  const peakMemoryMB = Math.round(process.resourceUsage().maxRSS / 1024);
  const peakGflops = Math.max(peakBefore, await matrixPeak(device));
  await device.dispose();
  const msPerStep = median(times);
  const measurement: Measurement = {
    msPerStep,
    parameters: subject.parameterCount,
    tokensPerSecond: Math.round((subject.tokens / msPerStep) * 1e3),
    peakMemoryMB,
    share: subject.floatingPointOperations / msPerStep / 1e6 / peakGflops,
    peakGflops: Math.round(peakGflops),
  };
  return measurement;
}

function runProcess(command: string, args: readonly string[]): Measurement | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return JSON.parse(stdout.trim().split("\n").at(-1)!) as Measurement;
  console.error(stderr.trim().split("\n").at(-1));
  return undefined;
}

/** More steps where they are short. */
const stepsOf = (size: SizeName, steps: number): number => (size === "nano" ? 10 * steps : steps);

interface Row {
  readonly size: SizeName;
  readonly threads: number;
  readonly side: string;
  readonly dropout: number;
  readonly rounds: Measurement[];
}

function report(rows: readonly Row[]): void {
  console.log(
    "| size | threads | side | dropout | ms/step (median) | fastest round | tokens/s | share of peak | memory MB |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|");
  for (const { size, threads, side, dropout, rounds } of rows) {
    if (rounds.length === 0) continue;
    const of = (value: (round: Measurement) => number) => median(rounds.map(value));
    const share = rounds[0]!.share === undefined ? "" : `${(100 * of((round) => round.share!)).toFixed(1)} %`;
    const fastest = Math.min(...rounds.map((round) => round.msPerStep));
    console.log(
      `| ${size} | ${threads} | ${side} | ${dropout} | ${of((round) => round.msPerStep).toFixed(1)} | ` +
        `${fastest.toFixed(1)} | ${of((round) => round.tokensPerSecond)} | ${share} | ` +
        `${Math.max(...rounds.map((round) => round.peakMemoryMB))} |`,
    );
  }
}

const { values: flags } = parseArgs({
  options: {
    sizes: { type: "string", default: "nano,mid,mt,recipe" },
    threads: { type: "string", default: "1,2" },
    dropout: { type: "string", default: "0,0.1" },
    rounds: { type: "string", default: "5" },
    steps: { type: "string", default: "8" },
    peer: { type: "string" },
    python: { type: "string", default: "/usr/bin/python3" },
    json: { type: "string" },
    one: { type: "boolean", default: false },
  },
});
const list = (text: string) => text.split(",");
const steps = Number(flags.steps);

if (flags.one) {
  const size = flags.sizes as SizeName;
  const result = await measureOurs(size, Number(flags.threads), Number(flags.dropout), stepsOf(size, steps));
  console.log(JSON.stringify(result));
} else {
  const hasPeer = flags.peer !== undefined && existsSync(flags.peer);
  if (!hasPeer) console.log("No peer: give --peer the path of torch_step.py to compare with PyTorch.");
  const rows: Row[] = list(flags.sizes).flatMap((size) =>
    list(flags.threads).flatMap((threads) =>
      [
        ...list(flags.dropout).map((dropout) => ({ side: "qkv", dropout: Number(dropout) })),
        ...(hasPeer && size !== "recipe" ? [{ side: "torch", dropout: 0 }] : []),
      ].map((side) => ({ size: size as SizeName, threads: Number(threads), ...side, rounds: [] })),
    ),
  );
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const { size, threads, side, dropout, rounds } of rows) {
      const counts = [`--size${side === "qkv" ? "s" : ""}`, size, "--threads", `${threads}`];
      const measured =
        side === "qkv"
          ? runProcess(process.execPath, [
              fileURLToPath(import.meta.url),
              "--one",
              ...counts,
              ...["--dropout", `${dropout}`, "--steps", `${steps}`],
            ])
          : runProcess(flags.python, [
              flags.peer!,
              ...counts,
              ...["--steps", `${stepsOf(size, steps)}`, "--warmup", "2"],
            ]);
      if (measured !== undefined) rounds.push(measured);
    }
  }
  report(rows);
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(rows, undefined, 2)}\n`);
}
