import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { RunEvent, TrainingJob } from "../../node.ts";
import { commandsOfTask } from "../../runs/commands.ts";
import type { Dashboard } from "../../runs/node/dashboard-server.ts";
import { modelTaskNames } from "../../training/model-tasks.ts";
import { formatFixed, formatWhole, nameOfMetric, shortenToWidth } from "../../util/format.ts";
import { collect, examples, given, portNumber, threadsOption, wholeNumber } from "../arguments.ts";
import { stoppable } from "../stopping.ts";
import { createProgress, formatCount, type Progress } from "../terminal.ts";

interface TrainFlags {
  source?: string;
  target?: string;
  validationSource?: string;
  validationTarget?: string;
  task?: string;
  train?: string[];
  validation?: string[];
  model?: string;
  out: string;
  resume?: boolean;
  data?: string;
  set?: string[];
  maxSteps?: number;
  seed?: number;
  threads?: number;
  dashboard?: number | true;
  json?: boolean;
}

export function defineTrain(program: Command): void {
  program
    .command("train")
    .description("train a model by a recipe, for a task from files, or a translator from two text files")
    .argument("[recipe]", "a shipped recipe (see qkv recipes), a folder with recipe.json, or a JSON file")
    .requiredOption("--out <folder>", "the run's folder: log, curves, checkpoints, and the model itself")
    .option("--source <file>", "instead of a recipe: source sentences, one a line")
    .option("--target <file>", "and their translations, line by line")
    .option("--validation-source <file>", "default: one pair in fifty is held out, 1,000 at most")
    .option("--validation-target <file>")
    .option("--task <name>", `instead of a recipe: what to train for (${modelTaskNames.join(", ")})`)
    .option("--train <file...>", "with --task: text, JSON lines, CSV, TSV, CoNLL or Parquet")
    .option("--validation <file...>", "default: one record in twenty is held out")
    .option(
      "--model <folder>",
      "with --task: the model to go on from, or its name (default: a new small one)",
    )
    .option(
      "--data <folder>",
      "where the recipe's data lie (default: data/RECIPE, or beside a recipe of your own)",
    )
    .option("--resume", "go on with the run in --out, if there is one; alone it needs no recipe")
    .option("--set <key=value>", "another value for a key of the recipe; may be given several times", collect)
    .option("--max-steps <n>", "the same as --set max_steps=n", wholeNumber(1))
    .option("--seed <n>", "the same as --set seed=n", wholeNumber(0))
    .addOption(threadsOption())
    .option(
      "--dashboard [port]",
      "show the run on a local page (default: port 8680, or any that is free)",
      portNumber,
    )
    .option("--json", "print every event as a line of JSON")
    .addHelpText(
      "after",
      `${examples(
        "qkv train toy --out runs/toy",
        "qkv train --source train.en --target train.de --out runs/mine",
        "qkv train --task text-classification --train reviews.csv --model models/bert --out runs/reviews",
        "qkv train --out runs/mine --resume",
        "qkv train toy --out runs/toy --dashboard",
        "qkv train tatoeba-en-de --data data/tatoeba --out runs/tatoeba --set learning_rate=0.001",
      )}\nCtrl-C saves and leaves; once more leaves at once. Each key of a recipe: docs/recipes.md\n`,
    )
    .action(async (recipe: string | undefined, flags: TrainFlags) => {
      const { train } = await import("../../node.ts");
      const { source, target, validationSource, validationTarget, out, resume, data, set } = flags;
      const { task, train: records, validation, model, maxSteps, seed, threads, json } = flags;
      const files = given({ source, target, validationSource, validationTarget, data });
      const dashboard = await openDashboard(out, flags.dashboard);
      const ofTask = given({ task, train: records, validation, model });
      const job = train({
        out,
        ...files,
        ...ofTask,
        ...given({ recipe, resume, set, maxSteps, seed, threads }),
      });
      const show = json ? new EventLines() : new TrainingView();
      job.on("event", (event) => show.event(event));
      dashboard?.hold(job);
      if (dashboard !== undefined) process.stderr.write(`The run at ${dashboard.address}\n`);
      const outcome = await stoppable(
        () => {
          show.stopping();
          // A failure is reported where the run is awaited.
          job.stop().catch(() => {});
        },
        () => job.finished.finally(() => show.done()),
      ).finally(() => dashboard?.close("The training has ended; this page shows how it stood."));
      show.outcome(outcome, out);
      if (outcome === "interrupted") process.exitCode = 130;
    });
}

async function openDashboard(folder: string, asked: TrainFlags["dashboard"]): Promise<Dashboard | undefined> {
  if (asked === undefined) return undefined;
  const server = await import("../../runs/node/dashboard-server.ts");
  return await server.openDashboard({ folder, ...(asked !== true && { port: asked }) });
}

type Outcome = Awaited<TrainingJob["finished"]>;

/** What shows a training to somebody. */
interface View {
  event(event: RunEvent): void;
  stopping(): void;
  /** Nothing more is under way. */
  done(): void;
  outcome(outcome: Outcome, out: string): void;
}

/** A line of JSON for each event, for programs. */
class EventLines implements View {
  event(event: RunEvent): void {
    process.stdout.write(`${JSON.stringify(event)}\n`);
  }

  stopping(): void {}

  done(): void {}

  outcome(outcome: Outcome): void {
    process.stdout.write(`${JSON.stringify({ type: "end", outcome })}\n`);
  }
}

/** Progress bars and lines, for people. */
class TrainingView implements View {
  /** What is under way, and what it is. */
  #progress: Progress | undefined;
  #label: string | undefined;
  #perplexity: number | undefined;
  #sampledAt: number | undefined;
  #task = "";

  event(event: RunEvent): void {
    switch (event.type) {
      case "message":
        this.#line(event.text);
        break;
      case "preparing":
        this.#begin(event.what, event.total);
        this.#progress?.update({ step: event.done });
        break;
      case "start":
        this.#task = event.task;
        this.#line(
          `${formatCount(event.parameters)} parameters; from step ${formatWhole(event.step)} to ${formatWhole(event.maxSteps)}.`,
        );
        this.#begin("training", event.maxSteps);
        break;
      case "step": {
        const { step, loss, learningRate, gradientNorm, tokensPerSecond } = event;
        const perplexity = this.#perplexity === undefined ? {} : { perplexity: this.#perplexity };
        this.#progress?.update({ step, loss, learningRate, gradientNorm, tokensPerSecond, ...perplexity });
        break;
      }
      case "validation":
        this.#perplexity = event.metrics.perplexity;
        this.#line(validationLine(event));
        break;
      case "sample":
        // One of a validation's is enough here; the log and the report have all.
        if (event.step !== this.#sampledAt) {
          const width = process.stderr.columns || 120;
          const lines = [`  ${event.source}`, `  = ${event.target}`, `  → ${event.got}`];
          this.#line(lines.map((line) => shortenToWidth(line, width)).join("\n"));
        }
        this.#sampledAt = event.step;
        break;
      case "paused":
        this.#line(`Paused at step ${event.step}.`);
        break;
      case "resumed":
        this.#line(`Goes on at step ${event.step}.`);
        break;
      case "stopping":
        break;
    }
  }

  stopping(): void {
    this.#line("Stopping: the run is saved after this step. Ctrl-C once more leaves at once.");
  }

  done(): void {
    this.#progress?.done();
    this.#progress = undefined;
  }

  outcome(outcome: Outcome, out: string): void {
    if (outcome === "interrupted") return;
    const what = outcome === "finished" ? "Finished" : "Stopped early: validation got no better";
    const hasModel = existsSync(join(out, "config.json"));
    const [command] = hasModel ? commandsOfTask(this.#task, out) : [];
    process.stderr.write(`${what}.${command === undefined ? "" : ` Try it: ${command}`}\n`);
  }

  #begin(label: string, total: number | undefined): void {
    if (this.#label === label) return;
    this.#progress?.done();
    this.#label = label;
    this.#progress = createProgress(process.stderr, { label, total });
  }

  #line(text: string): void {
    if (this.#progress !== undefined) this.#progress.line(text);
    else process.stderr.write(`${text}\n`);
  }
}

function validationLine(event: Extract<RunEvent, { type: "validation" }>): string {
  const { step, loss, metrics, best, of } = event;
  const what = of === "average" ? "Mean of the last checkpoints" : `Step ${step}`;
  const numbers = [`loss ${formatFixed(loss, 4)}`];
  for (const [name, value] of Object.entries(metrics)) {
    numbers.push(`${nameOfMetric(name)} ${formatFixed(value, value < 1 ? 4 : 2)}`);
  }
  if (best) numbers.push("the best so far");
  return `${what}: validation ${numbers.join(", ")}`;
}
