/**
 * How much memory a training step takes, with and without gradient checkpointing. Run it with
 *
 *   npm run bench -- training-memory [--sizes deep,gpt2] [--threads 1] [--dropout 0] [--steps 2]
 *
 * Each line is a process of its own. "Without" is its largest resident size after a step on two texts of eight tokens:
 * parameters, moments, gradients and what the engine needs besides. "Largest" is that after steps on whole batches;
 * what lies between are activations.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openCpu } from "../src/runtime/node/engine.ts";
import { createSubject, type SizeName } from "./training-sizes.ts";

const { values: flags } = parseArgs({
  options: {
    sizes: { type: "string", default: "deep,gpt2" },
    threads: { type: "string", default: "1" },
    dropout: { type: "string", default: "0" },
    steps: { type: "string", default: "2" },
    one: { type: "string" },
  },
});

if (flags.one !== undefined) {
  const device = await openCpu({ threads: Number(flags.threads) });
  const subject = await createSubject(
    device,
    flags.sizes as SizeName,
    Number(flags.dropout),
    flags.one === "anew",
  );
  const largest = () => Math.round(process.resourceUsage().maxRSS / 1024);
  await subject.step(true);
  const without = largest();
  const times: number[] = [];
  for (let step = 0; step < Number(flags.steps); step++) {
    const start = performance.now();
    await subject.step();
    times.push(performance.now() - start);
  }
  console.log(
    `| ${flags.sizes} | ${flags.threads} | ${flags.dropout} | ${flags.one} | ${without} | ${largest()} | ` +
      `${largest() - without} | ${(Math.min(...times) / 1000).toFixed(1)} |`,
  );
  await device.dispose();
} else {
  console.log(
    "| size | threads | dropout | layers are | without, MB | largest, MB | activations, MB | s/step |",
  );
  console.log("|---|---|---|---|---|---|---|---|");
  for (const size of flags.sizes.split(",")) {
    for (const threads of flags.threads.split(",")) {
      for (const way of ["kept", "anew"]) {
        const args = ["--one", way, "--sizes", size, "--threads", threads, "--dropout", flags.dropout];
        spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...args, "--steps", flags.steps], {
          stdio: "inherit",
        });
      }
    }
  }
}
