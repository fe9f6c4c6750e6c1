import { type Command, Option } from "commander";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { QkvError } from "../../util/errors.ts";
import { examples, given, wholeNumber } from "../arguments.ts";
import { createProgress, type Progress } from "../terminal.ts";

const kinds = ["bpe", "wordpiece", "unigram"] as const;
const words = ["byteLevel", "metaspace", "whitespace"] as const;

interface LearnFlags {
  input: string[];
  out: string;
  vocabSize: number;
  type: (typeof kinds)[number];
  preTokenizer?: (typeof words)[number];
  minFrequency?: number;
  lowercase?: boolean;
}

export function defineTokenizer(program: Command): void {
  program
    .command("tokenizer")
    .description("learn a tokenizer from text")
    .command("learn")
    .description("learn a vocabulary from text files and write it as a Hugging Face tokenizer.json")
    .requiredOption("--input <file...>", "text files, one sentence a line")
    .requiredOption("--out <file>", "the tokenizer.json to write")
    .option("--vocab-size <n>", "pieces, special ones included", wholeNumber(1), 8000)
    .addOption(new Option("--type <name>", "the kind of model").choices(kinds).default("bpe"))
    .addOption(
      new Option("--pre-tokenizer <name>", "what bpe cuts text into first (default: byteLevel)").choices(
        words,
      ),
    )
    .option("--min-frequency <n>", "bpe merges no pair that is rarer (default: 2)", wholeNumber(1))
    .option("--lowercase", "put text into small letters first")
    .addHelpText(
      "after",
      examples("qkv tokenizer learn --input train.en train.de --vocab-size 8000 --out tokenizer.json"),
    )
    .action(async (flags: LearnFlags) => {
      const { readLines } = await import("../../data/node/line-reader.ts");
      let count = 0;
      function* lines() {
        for (const file of flags.input) {
          for (const line of readLines(file)) {
            count++;
            yield line;
          }
        }
        if (count > 0) return;
        throw new QkvError(
          "data",
          `${flags.input.join(", ")}: must hold text to learn from; got empty files`,
        );
      }
      let progress: Progress | undefined;
      const learned = await learn(flags, lines(), (done, goal) => {
        progress ??= createProgress(process.stderr, { total: goal, label: "learning" });
        progress.update({ step: done });
      });
      progress?.done();
      const { writeFileAtomically } = await import("../../util/node/atomic-file.ts");
      await writeFileAtomically(flags.out, `${JSON.stringify(learned.toJson(), null, 2)}\n`);
      process.stderr.write(`${flags.out}: ${learned.vocabSize} pieces, learned from ${count} lines\n`);
    });
}

async function learn(
  { type, vocabSize, lowercase, preTokenizer, minFrequency }: LearnFlags,
  lines: Iterable<string>,
  tell: (done: number, goal: number) => void,
): Promise<Tokenizer> {
  const options = { vocabSize, ...given({ lowercase }) };
  if (type === "bpe") {
    const { learnBytePairEncoding } = await import("../../tokenizers/learning/byte-pair-encoding.ts");
    return await learnBytePairEncoding(lines, {
      ...options,
      ...given({ preTokenizer, minFrequency }),
      onProgress: (done, goal = vocabSize) => tell(done, goal),
    });
  }
  const [name] = Object.keys(given({ preTokenizer, minFrequency }));
  if (name !== undefined) {
    throw new QkvError("option", `tokenizer learn: ${name} goes with --type bpe; got ${type}; leave it out`);
  }
  if (type === "wordpiece") {
    const { learnWordPiece } = await import("../../tokenizers/learning/word-piece.ts");
    return await learnWordPiece(lines, options);
  }
  const { learnUnigram } = await import("../../tokenizers/learning/unigram.ts");
  return await learnUnigram(lines, options);
}
