import type { Command } from "commander";
import { examples, wholeNumber } from "../arguments.ts";
import { addTaskOptions, inCodePoints, sayTruncated, type TaskFlags, withPipeline } from "../task-command.ts";
import { onOneLine, print, readWholeText } from "../text-files.ts";

interface AnswerFlags extends TaskFlags {
  context?: string;
  topK: number;
  handleImpossibleAnswer?: boolean;
}

export function defineAnswer(program: Command): void {
  const command = program
    .command("answer")
    .description("find the answer to a question in a text, however long it is")
    .argument("<question>", "what to find out")
    .option("--context <text>", "where the answer stands (default: --input, or standard input)");
  addTaskOptions(command, "a text file, read as a whole")
    .option("--top-k <n>", "how many answers to print", wholeNumber(1), 1)
    .option("--handle-impossible-answer", 'let "no answer" be one of the answers')
    .addHelpText(
      "after",
      examples(
        'qkv answer "Who wrote it?" --model models/qa --context "The letter was written by Ada."',
        'qkv answer "Who wrote it?" --model models/qa --input letter.txt --top-k 3 --json',
      ),
    )
    .action(async (question: string, flags: AnswerFlags, self: Command) => {
      if (flags.context !== undefined && flags.input !== undefined) {
        self.error("error: the text stands in --context or in --input, not in both");
      }
      const context = flags.context ?? (await readWholeText(flags.input));
      const { topK, handleImpossibleAnswer = false } = flags;
      const onTruncated = sayTruncated.bind(undefined, "the text");
      await withPipeline("question-answering", flags, onTruncated, async (pipe, until) => {
        const answers = [await until(pipe(question, context, { topK, handleImpossibleAnswer }))].flat();
        const lines = answers.map((answer) =>
          flags.json
            ? JSON.stringify(inCodePoints(context, answer))
            : `${answer.score.toFixed(4)}\t${answer.answer === "" ? "(no answer)" : onOneLine(answer.answer)}`,
        );
        await until(print(lines.map((line) => `${line}\n`).join("")));
      });
    });
}
