import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { isUsersMistake, QkvError } from "../util/errors.ts";
import { defineAnswer } from "./commands/answer.ts";
import { defineClassify } from "./commands/classify.ts";
import { defineCompare } from "./commands/compare.ts";
import { defineComplete } from "./commands/complete.ts";
import { defineDashboard } from "./commands/dashboard.ts";
import { defineData } from "./commands/data.ts";
import { defineDownload } from "./commands/download.ts";
import { defineEmbed } from "./commands/embed.ts";
import { defineEvaluate } from "./commands/evaluate.ts";
import { defineExperiment } from "./commands/experiment.ts";
import { defineFillMask } from "./commands/fill-mask.ts";
import { defineGenerate } from "./commands/generate.ts";
import { defineHub } from "./commands/hub.ts";
import { defineInfo } from "./commands/info.ts";
import { defineMerge } from "./commands/merge.ts";
import { defineRecipes } from "./commands/recipes.ts";
import { defineReport } from "./commands/report.ts";
import { defineScore } from "./commands/score.ts";
import { defineSearch } from "./commands/search.ts";
import { defineSummarize } from "./commands/summarize.ts";
import { defineTag } from "./commands/tag.ts";
import { defineTokenize } from "./commands/tokenize.ts";
import { defineTokenizer } from "./commands/tokenizer.ts";
import { defineTrace } from "./commands/trace.ts";
import { defineTrain } from "./commands/train.ts";
import { defineTranslate } from "./commands/translate.ts";
import { BrokenPipe, watchPipes } from "./stopping.ts";

/** Exit codes: 0 done, 1 the run failed, 2 the user's mistake, 130 interrupted. */
export const exitCodes = { done: 0, failed: 1, mistake: 2, interrupted: 130 } as const;

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** All commands. What a command needs besides its options is loaded when it runs, so that starting is quick. */
export function createProgram(): Command {
  const program = new Command("qkv")
    .description("Train, run and look inside Transformers: from raw text to raw text.")
    .version(version())
    .addHelpText("after", "\nFor a first look: qkv train toy --out runs/toy");
  const define = [
    defineTranslate,
    defineComplete,
    defineFillMask,
    defineClassify,
    defineTag,
    defineAnswer,
    defineSummarize,
    defineEmbed,
    defineSearch,
    defineTrain,
    defineDashboard,
    defineReport,
    defineCompare,
    defineEvaluate,
    defineExperiment,
    defineScore,
    defineTokenize,
    defineTokenizer,
    defineTrace,
    defineGenerate,
    defineMerge,
    defineInfo,
    defineRecipes,
    defineData,
    defineDownload,
    defineHub,
  ];
  for (const add of define) add(program);
  for (const command of allCommands(program)) {
    command
      .exitOverride()
      .showSuggestionAfterError()
      .showHelpAfterError(`(${nameOf(command)} --help shows what there is)`)
      .option("--debug", "show where an error arose");
  }
  return program;
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

/** Runs the command line and returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  watchPipes();
  try {
    await createProgram().parseAsync([...args], { from: "user" });
    return Number(process.exitCode ?? exitCodes.done);
  } catch (error) {
    return report(error, args.includes("--debug"));
  }
}

function report(error: unknown, debug: boolean): number {
  if (error instanceof BrokenPipe) return exitCodes.done;
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.mistake;
  const isInterrupted = error instanceof QkvError && error.code === "interrupted";
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`qkv: ${debug && error instanceof Error ? stackOf(error) : message}\n`);
  if (isInterrupted) return exitCodes.interrupted;
  if (isUsersMistake(error)) return exitCodes.mistake;
  if (!debug && !(error instanceof QkvError)) {
    process.stderr.write("This is an error of qkv's own; --debug shows where it arose.\n");
  }
  return exitCodes.failed;
}

function stackOf(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own;
}
