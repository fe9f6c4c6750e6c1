import { join } from "node:path";
import type { Command } from "commander";
import { examples, given, wholeNumber } from "../arguments.ts";
import { stoppable } from "../stopping.ts";
import { createProgress } from "../terminal.ts";
import { print } from "../text-files.ts";

interface ExperimentFlags {
  out: string;
  data?: string;
  maxSteps?: number;
  seeds?: number[];
  jobs?: number;
  threads?: number;
  json?: boolean;
}

/** Whole numbers with commas between them. */
function wholeNumbers(text: string): number[] {
  return text.split(",").map(wholeNumber(0));
}

export function defineExperiment(program: Command): void {
  program
    .command("experiment")
    .description(
      "answer questions by small controlled trainings: variants of a recipe, several seeds of each",
    )
    .argument(
      "<experiment>",
      "a shipped experiment (see qkv recipes), a folder with experiment.json, or a JSON file",
    )
    .requiredOption(
      "--out <folder>",
      "results.md, results.json and a picture for each question; what is there is kept",
    )
    .option(
      "--data <folder>",
      "where the recipe's data lie (default: data/EXPERIMENT, or beside one of your own)",
    )
    .option("--max-steps <n>", "fewer steps than the recipe's, for a first look", wholeNumber(1))
    .option("--seeds <numbers>", "other seeds than the experiment's, with commas between them", wholeNumbers)
    .option("--jobs <n>", "trainings at a time (default: 1)", wholeNumber(1))
    .option(
      "--threads <n>",
      "threads of each (default: the cores, at most 8, divided among the jobs)",
      wholeNumber(1),
    )
    .option("--json", "print one JSON object for each training")
    .addHelpText(
      "after",
      examples(
        "qkv experiment four-questions --data data/tinyshakespeare --out runs/questions",
        "qkv experiment four-questions --data data/tinyshakespeare --out runs/questions --jobs 2",
      ),
    )
    .action(async (name: string, { out, json, ...flags }: ExperimentFlags) => {
      const { experiment } = await import("../../node.ts");
      const controller = new AbortController();
      let progress: ReturnType<typeof createProgress> | undefined;
      let doneBefore: number | undefined;
      /** What is done of each training that was begun, from 0 to 1. */
      const shares = new Map<string, number>();
      const results = await stoppable(
        () => controller.abort(),
        () =>
          experiment({
            experiment: name,
            out,
            ...given(flags),
            signal: controller.signal,
            onProgress: ({ done, total, question, variant, seed, training }) => {
              progress ??= createProgress(process.stderr, { total, label: "trainings" });
              if (training === undefined) progress.line(`${question}: ${variant}, seed ${seed}`);
              const { step, maxSteps, loss } = training ?? { step: 0, maxSteps: 1 };
              shares.set(`${question} ${variant} ${seed}`, step / maxSteps);
              doneBefore ??= done;
              const trained = [...shares.values()].reduce((sum, share) => sum + share, doneBefore);
              // A training is over when its model is measured, too.
              const reached = Math.max(done, Math.min(trained, total - 0.01));
              progress.update({ step: reached, ...(loss !== undefined && { loss }) });
            },
          }).finally(() => progress?.done()),
      );
      if (json) for (const result of results) await print(`${JSON.stringify(result)}\n`);
      else process.stderr.write(`The tables are in ${join(out, "results.md")}, the pictures beside it.\n`);
    });
}
