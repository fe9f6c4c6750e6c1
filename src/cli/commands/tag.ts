import { type Command, Option } from "commander";
import { examples } from "../arguments.ts";
import { addTaskOptions, inCodePoints, runOnLines, type TaskFlags } from "../task-command.ts";
import { onOneLine } from "../text-files.ts";

interface TagFlags extends TaskFlags {
  aggregationStrategy: "none" | "simple";
}

export function defineTag(program: Command): void {
  const command = program
    .command("tag")
    .description("find names and other entities in texts; an empty line follows each text's")
    .argument("[text...]", "where to look");
  addTaskOptions(command, "a text file, one text a line")
    .addOption(
      new Option("--aggregation-strategy <name>", "simple joins the tokens of an entity")
        .choices(["none", "simple"])
        .default("simple"),
    )
    .addHelpText(
      "after",
      examples(
        'qkv tag --model models/ner "Ada Lovelace lived in London."',
        "qkv tag --model models/ner --input letters.txt --json",
      ),
    )
    .action(async (texts: string[], flags: TagFlags, self: Command) => {
      const { aggregationStrategy } = flags;
      await runOnLines(
        "token-classification",
        texts,
        flags,
        self,
        (pipe, chunk) => pipe(chunk, { aggregationStrategy }),
        (text, found) => {
          if (flags.json) {
            return JSON.stringify({ text, entities: found.map((place) => inCodePoints(text, place)) });
          }
          return found
            .map((own) => {
              const label = "entity" in own ? own.entity : own.entity_group;
              return `${own.score.toFixed(4)}\t${label}\t${onOneLine(own.word)}\n`;
            })
            .join("");
        },
      );
    });
}
