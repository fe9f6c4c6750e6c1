import type { Command } from "commander";
import { QkvError } from "../../util/errors.ts";
import { examples, wholeNumber } from "../arguments.ts";
import { addTaskOptions, sayTruncated, withPipeline } from "../task-command.ts";
import { inputChunks, print } from "../text-files.ts";
import { type EmbeddingFlags, poolingOption, vectorsOf } from "./embed.ts";

interface Hit {
  readonly score: number;
  /** The line's number, from 1 on. */
  readonly line: number;
  readonly text: string;
}

export function defineSearch(program: Command): void {
  const command = program
    .command("search")
    .description("rank the lines of a file by how near in meaning they are to a query")
    .argument("<query>", "what to look for");
  addTaskOptions(command, "the text file (default: standard input); empty lines are left out")
    .addOption(poolingOption())
    .option("--top-k <n>", "how many lines to print", wholeNumber(1), 10)
    .addHelpText(
      "after",
      examples(
        'qkv search "a pet that sleeps" --model models/minilm --input sentences.txt',
        'qkv search "a pet that sleeps" --model models/minilm --input sentences.txt --top-k 3 --json',
      ),
    )
    .action(async (query: string, flags: EmbeddingFlags & { topK: number }) => {
      if (query.trim() === "")
        throw new QkvError("option", "search: the query is empty; say what to look for");
      const options = { pooling: flags.pooling, normalize: true };
      const chunks = await inputChunks([], flags.input, 256);
      let places: number[] = [];
      const onTruncated: Parameters<typeof withPipeline>[2] = (truncation) => {
        const line = places[truncation.index];
        sayTruncated(line === undefined ? "the query" : `line ${line}`, truncation);
      };
      await withPipeline("feature-extraction", flags, onTruncated, async (pipe, until) => {
        const [wanted] = vectorsOf(await until(pipe([query], options)));
        let hits: Hit[] = [];
        let first = 1;
        for (;;) {
          const { done, value: lines } = await until(Promise.resolve(chunks.next()));
          if (done) break;
          const texts = lines.map((text, index) => ({ text, line: first + index }));
          first += lines.length;
          const kept = texts.filter(({ text }) => text.trim() !== "");
          if (kept.length === 0) continue;
          places = kept.map(({ line }) => line);
          const vectors = vectorsOf(
            await until(
              pipe(
                kept.map(({ text }) => text),
                options,
              ),
            ),
          );
          hits.push(...kept.map((own, index) => ({ score: product(wanted!, vectors[index]!), ...own })));
          hits = hits
            .sort((left, right) => right.score - left.score || left.line - right.line)
            .slice(0, flags.topK);
        }
        const format = ({ score, line, text }: Hit) =>
          flags.json ? JSON.stringify({ score, line, text }) : `${score.toFixed(4)}\t${line}\t${text}`;
        await until(print(hits.map((hit) => `${format(hit)}\n`).join("")));
      });
    });
}

/** The cosine of two vectors of length 1. */
function product(left: Float32Array, right: Float32Array): number {
  return left.reduce((sum, value, axis) => sum + value * right[axis]!, 0);
}
