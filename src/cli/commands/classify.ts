import type { Command } from "commander";
import { examples, wholeNumber } from "../arguments.ts";
import { addTaskOptions, runOnLines, type TaskFlags } from "../task-command.ts";

export function defineClassify(program: Command): void {
  const command = program
    .command("classify")
    .description("tell the label of texts: the arguments, a file, or standard input line by line")
    .argument("[text...]", "what to classify");
  addTaskOptions(command, "a text file, one text a line")
    .option("--top-k <n>", "how many labels to print for each text", wholeNumber(1), 1)
    .addHelpText(
      "after",
      examples(
        'qkv classify --model models/sentiment "I would see it again at once."',
        "qkv classify --model models/sentiment --input reviews.txt --json",
      ),
    )
    .action(async (texts: string[], flags: TaskFlags & { topK: number }, self: Command) => {
      await runOnLines(
        "text-classification",
        texts,
        flags,
        self,
        async (pipe, chunk) => (await pipe(chunk, { topK: flags.topK })).map((result) => [result].flat()),
        (text, labels) =>
          flags.json
            ? JSON.stringify({ text, labels })
            : labels.map(({ label, score }) => `${score.toFixed(4)}\t${label}`).join("\n"),
      );
    });
}
