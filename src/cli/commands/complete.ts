import type { Command } from "commander";
import { examples, wholeNumber } from "../arguments.ts";
import {
  addStreamOptions,
  addTaskOptions,
  mostStreamed,
  printStream,
  runOnLines,
  type StreamFlags,
  type TaskFlags,
} from "../task-command.ts";
import { onOneLine, print } from "../text-files.ts";
import { addDecodingOptions, type DecodingFlags, decodingOptions } from "./translate.ts";

export function defineComplete(program: Command): void {
  const command = program
    .command("complete")
    .description("go on from texts: the arguments, a file, or standard input line by line")
    .argument("[text...]", "beginnings");
  addStreamOptions(
    addDecodingOptions(addTaskOptions(command, "a text file, one beginning a line", "shakespeare-gpt")),
  )
    .option("--num-return-sequences <n>", "write this many for each text", wholeNumber(1))
    .addHelpText(
      "after",
      examples(
        'qkv complete "ROMEO:"',
        'qkv complete --model models/gpt2 "Once upon a time"',
        'qkv complete --model models/gpt2 --do-sample --top-p 0.9 --max-new-tokens 60 "Once upon a time"',
      ),
    )
    .action(async (texts: string[], flags: TaskFlags & DecodingFlags & StreamFlags, self: Command) => {
      const shown = texts.length > 0 ? (text: string) => text : onOneLine;
      await runOnLines(
        "text-generation",
        texts,
        flags,
        self,
        (pipe, chunk) => pipe(chunk, decodingOptions(flags)),
        (text, results) => {
          if (flags.json) {
            const [first] = results;
            return JSON.stringify({
              text,
              completions: results.map(({ generated_text }) => generated_text),
              ...(first?.truncated && { truncated: true }),
            });
          }
          return results.map(({ generated_text }) => shown(generated_text)).join("\n");
        },
        {
          most: mostStreamed(flags, self),
          run: async (pipe, text, until) => {
            await until(print(shown(text)));
            await printStream(pipe.stream(text, decodingOptions(flags)), until, shown);
          },
        },
      );
    });
}
