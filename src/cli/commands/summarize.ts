import type { Command } from "commander";
import { examples } from "../arguments.ts";
import {
  addTaskOptions,
  refuseTwoInputs,
  sayTruncated,
  type TaskFlags,
  withPipeline,
} from "../task-command.ts";
import { print, readWholeText } from "../text-files.ts";
import { addDecodingOptions, type DecodingFlags, decodingOptions } from "./translate.ts";

export function defineSummarize(program: Command): void {
  const command = program
    .command("summarize")
    .description("say in short what a text says: the arguments, a file, or standard input, read as a whole")
    .argument("[text...]", "texts, each with a summary of its own");
  addDecodingOptions(addTaskOptions(command, "a text file, read as a whole"))
    .addHelpText(
      "after",
      examples(
        "qkv summarize --model models/bart-cnn --input article.txt",
        "cat article.txt | qkv summarize --model models/t5 --num-beams 4 --max-new-tokens 80",
      ),
    )
    .action(async (texts: string[], flags: TaskFlags & DecodingFlags, self: Command) => {
      refuseTwoInputs(texts, flags, self);
      const sources = texts.length > 0 ? texts : [await readWholeText(flags.input)];
      const onTruncated = sayTruncated.bind(undefined, "the text");
      await withPipeline("summarization", flags, onTruncated, async (pipe, until) => {
        const summaries = await until(pipe(sources, decodingOptions(flags)));
        const lines = summaries.map(({ summary_text: summary, truncated }) =>
          flags.json ? JSON.stringify({ summary, ...(truncated && { truncated }) }) : summary,
        );
        await until(print(lines.map((line) => `${line}\n`).join("")));
      });
    });
}
