import type { Command } from "commander";
import { examples } from "../arguments.ts";
import { print } from "../text-files.ts";

export function defineReport(program: Command): void {
  program
    .command("report")
    .description("write a report of a run: one HTML file with curves, recipe, metrics and samples")
    .argument("<run>", "a run's folder")
    .option("--out <file>", "default: report.html in the run's folder")
    .addHelpText("after", examples("qkv report runs/mine", "qkv report runs/mine --out mine.html"))
    .action(async (run: string, { out }: { out?: string }) => {
      const { writeReport } = await import("../../runs/node/write-report.ts");
      const { path, problems } = await writeReport(run, out);
      warn(problems);
      await print(`${path}\n`);
    });
}

/** Tells what was left out. */
export function warn(problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`qkv: ${problem}\n`);
}
