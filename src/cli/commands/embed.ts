import { type Command, Option } from "commander";
import type { FeatureTensor } from "../../node.ts";
import { examples } from "../arguments.ts";
import { addTaskOptions, runOnLines, type TaskFlags } from "../task-command.ts";

export interface EmbeddingFlags extends TaskFlags {
  pooling: "mean" | "cls";
}

/** The option of how vectors are made. */
export function poolingOption(): Option {
  return new Option("--pooling <name>", "a text's vector: the mean of its tokens', or its first token's")
    .choices(["mean", "cls"])
    .default("mean");
}

/** The vectors of texts, one each. */
export function vectorsOf({ dims, data }: FeatureTensor): Float32Array[] {
  const [texts = 0, width = 0] = dims;
  return Array.from({ length: texts }, (_, text) => data.subarray(text * width, (text + 1) * width));
}

export function defineEmbed(program: Command): void {
  const command = program
    .command("embed")
    .description("turn texts into vectors: the arguments, a file, or standard input line by line")
    .argument("[text...]", "what to turn");
  addTaskOptions(command, "a text file, one text a line")
    .addOption(poolingOption())
    .option("--normalize", "make each vector's length 1")
    .addHelpText(
      "after",
      examples(
        'qkv embed --model models/minilm --normalize "The cat sleeps."',
        "qkv embed --model models/minilm --input sentences.txt --json > vectors.jsonl",
      ),
    )
    .action(async (texts: string[], flags: EmbeddingFlags & { normalize?: boolean }, self: Command) => {
      const { pooling, normalize = false } = flags;
      await runOnLines(
        "feature-extraction",
        texts,
        flags,
        self,
        async (pipe, chunk) => vectorsOf(await pipe(chunk, { pooling, normalize })),
        (text, vector) => (flags.json ? JSON.stringify({ text, embedding: [...vector] }) : vector.join(" ")),
      );
    });
}
