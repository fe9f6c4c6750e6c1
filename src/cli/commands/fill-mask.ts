import type { Command } from "commander";
import { examples, wholeNumber } from "../arguments.ts";
import { addTaskOptions, runOnLines, type TaskFlags } from "../task-command.ts";
import { onOneLine } from "../text-files.ts";

export function defineFillMask(program: Command): void {
  const command = program
    .command("fill-mask")
    .description("guess the word under [MASK] or <mask>")
    .argument("[text...]", "texts with a mask each, spelled as the model's tokenizer has it");
  addTaskOptions(command, "a text file, one text a line")
    .option("--top-k <n>", "how many guesses to print", wholeNumber(1), 5)
    .addHelpText(
      "after",
      examples(
        'qkv fill-mask --model models/bert "Paris is the [MASK] of France."',
        'qkv fill-mask --model models/roberta --top-k 3 --json "Paris is the <mask> of France."',
      ),
    )
    .action(async (texts: string[], flags: TaskFlags & { topK: number }, self: Command) => {
      await runOnLines(
        "fill-mask",
        texts,
        flags,
        self,
        (pipe, chunk) => pipe(chunk, { topK: flags.topK }),
        (text, result) =>
          flags.json
            ? JSON.stringify({ text, fillings: result })
            : result
                .flat()
                .map(
                  ({ score, token_str, sequence }) =>
                    `${score.toFixed(4)}\t${onOneLine(token_str)}\t${onOneLine(sequence)}`,
                )
                .join("\n"),
      );
    });
}
