import type { Command } from "commander";
import { examples } from "../arguments.ts";
import {
  addStreamOptions,
  addTaskOptions,
  mostStreamed,
  printStream,
  refuseTwoInputs,
  type StreamFlags,
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
  addStreamOptions(addDecodingOptions(addTaskOptions(command, "a text file, read as a whole")))
    .addHelpText(
      "after",
      examples(
        "qkv summarize --model models/bart-cnn --input article.txt",
        "cat article.txt | qkv summarize --model models/t5 --num-beams 4 --max-new-tokens 80",
      ),
    )
    .action(async (texts: string[], flags: TaskFlags & DecodingFlags & StreamFlags, self: Command) => {
      refuseTwoInputs(texts, flags, self);
      const sources = texts.length > 0 ? texts : [await readWholeText(flags.input)];
      const onTruncated = sayTruncated.bind(undefined, "the text");
      const isStreamed = sources.length <= mostStreamed(flags, self);
      await withPipeline("summarization", flags, onTruncated, async (pipe, until) => {
        if (isStreamed) {
          for (const source of sources) {
            await printStream(pipe.stream(source, decodingOptions(flags)), until);
          }
          return;
        }
        const summaries = await until(pipe(sources, decodingOptions(flags)));
        const lines = summaries.map(({ summary_text: summary, truncated }) =>
          flags.json ? JSON.stringify({ summary, ...(truncated && { truncated }) }) : summary,
        );
        await until(print(lines.map((line) => `${line}\n`).join("")));
      });
    });
}
