import type { Command } from "commander";
import type { DecodingOptions, LoadedTranslator, Translation, WrittenToken } from "../../node.ts";
import { addEngineOptions, examples, given, number, wholeNumber } from "../arguments.ts";
import { type HubFlags, modelFolder, offlineOption } from "../models.ts";
import { interruptible } from "../stopping.ts";
import { addStreamOptions, mostStreamed, type StreamFlags, type Until } from "../task-command.ts";
import { inputChunks, onOneLine, print } from "../text-files.ts";

export interface DecodingFlags {
  numBeams?: number;
  lengthPenalty?: number;
  numReturnSequences?: number;
  maxNewTokens?: number;
  doSample?: boolean;
  temperature?: number;
  topK?: number;
  topP?: number;
  seed?: number;
}

/** The options of generation, for every command that generates. */
export function addDecodingOptions(command: Command): Command {
  return command
    .option("--num-beams <n>", "hypotheses kept side by side; 1 = greedy", wholeNumber(1))
    .option("--length-penalty <x>", "above 0 favours long results, below 0 short ones", number)
    .option("--max-new-tokens <n>", "the longest result, in tokens", wholeNumber(1))
    .option("--do-sample", "draw each token at random by its probability")
    .option("--temperature <x>", "with --do-sample: below 1 is tamer, above 1 wilder", number)
    .option("--top-k <n>", "with --do-sample: among this many likeliest tokens", wholeNumber(0))
    .option("--top-p <x>", "with --do-sample: among the likeliest with this probability together", number)
    .option("--seed <n>", "with --do-sample: decides what is drawn", wholeNumber(0));
}

export function decodingOptions(flags: DecodingFlags): Partial<DecodingOptions> {
  const { numBeams, lengthPenalty, numReturnSequences, maxNewTokens, doSample } = flags;
  const { temperature, topK, topP, seed } = flags;
  const sampling = { doSample, temperature, topK, topP, seed };
  const chosen = given({ numBeams, lengthPenalty, numReturnSequences, maxNewTokens, ...sampling });
  // Sampling draws one hypothesis at a time, whatever the model's own number of beams.
  return doSample && numBeams === undefined ? { ...chosen, numBeams: 1 } : chosen;
}

interface TranslateFlags extends DecodingFlags, HubFlags, StreamFlags {
  model?: string;
  adapter?: string;
  input?: string;
  output?: string;
  threads?: number;
  prepacking?: boolean;
}

export function defineTranslate(program: Command): void {
  const command = program
    .command("translate")
    .description("translate texts: the arguments, a file, or standard input line by line")
    .argument("[text...]", "what to translate")
    .option(
      "--model <folder>",
      "a model folder, a name on the hub, or the name of a shipped model (default: tatoeba-en-de, English to German)",
    )
    .addOption(offlineOption())
    .option("--adapter <folder>", "an adapter that the model gets, as PEFT writes it (LoRA)")
    .option("--input <file>", "a text file, one sentence a line")
    .option("--output <file>", "write the translations here, as a whole or not at all");
  addStreamOptions(addEngineOptions(addDecodingOptions(command)))
    .option("--num-return-sequences <n>", "print this many of the best: score, tab, text", wholeNumber(1))
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      examples(
        'qkv translate "Where did you learn to play the piano?"',
        "qkv translate --input letters.en --output letters.de",
        "cat letters.en | qkv translate --num-beams 1",
        'qkv translate --num-return-sequences 3 --json "I would rather stay at home."',
      ),
    )
    .action(async (texts: string[], flags: TranslateFlags, self: Command) => {
      if (texts.length > 0 && flags.input !== undefined) {
        self.error("error: texts stand in the arguments or in --input, not in both");
      }
      const chunks = await inputChunks(
        texts.flatMap((text) => text.split(/\r?\n/)),
        flags.input,
        linesPerChunk,
      );
      const { loadTranslator } = await import("../../node.ts");
      const folder = await modelFolder(flags.model, flags);
      await interruptible(async (until) => {
        const translator = await loadTranslator(
          folder,
          given({ threads: flags.threads, prepacking: flags.prepacking, adapter: flags.adapter }),
        );
        try {
          const printed = translated(chunks, translator, flags, mostStreamed(flags, self), until);
          if (flags.output !== undefined) await writeFile(flags.output, printed);
          else for await (const text of printed) await until(print(text));
        } finally {
          await translator.dispose();
          if (flags.input === undefined) process.stdin.destroy();
        }
      });
    });
}

/** Lines translated at once; similar lengths among them are put together. */
const linesPerChunk = 512;

/** The lines to be printed, chunk by chunk. */
async function* translated(
  chunks: Iterator<string[]> | AsyncIterator<string[]>,
  translator: LoadedTranslator,
  flags: TranslateFlags,
  most: number,
  until: Until,
): AsyncGenerator<string, void, undefined> {
  const options = decodingOptions(flags);
  let line = 0;
  // While one chunk is translated the next is read.
  const read = async () => await chunks.next();
  let next = read();
  for (;;) {
    const { done, value: sources } = await until(next);
    if (done) return;
    next = read();
    next.catch(() => {});
    const sayCut = ({ truncated }: Translation) => {
      line++;
      if (truncated) {
        process.stderr.write(`qkv: line ${line} is longer than the model can read; its end was left out\n`);
      }
    };
    if (sources.length <= most) {
      for (const source of sources) {
        const onToken = ({ text }: WrittenToken) => process.stdout.write(onOneLine(text));
        const [translation] = await until(translator.translate([source], options, { onToken }));
        sayCut(translation!);
        yield "\n";
      }
      continue;
    }
    const translations = await until(translator.translate(sources, options));
    translations.forEach(sayCut);
    yield translations
      .map((translation, index) => `${format(sources[index]!, translation, flags)}\n`)
      .join("");
  }
}

function format(source: string, translation: Translation, flags: TranslateFlags): string {
  const { text, score, hypotheses, truncated } = translation;
  const several = (flags.numReturnSequences ?? 1) > 1;
  if (flags.json) {
    const more = { ...(several && { hypotheses }), ...(truncated && { truncated }) };
    return JSON.stringify({ source, translation: text, score, ...more });
  }
  if (!several) return onOneLine(text);
  return hypotheses
    .map((hypothesis) => `${hypothesis.score.toFixed(4)}\t${onOneLine(hypothesis.text)}`)
    .join("\n");
}

async function writeFile(path: string, texts: AsyncIterable<string>): Promise<void> {
  const { writeFileAtomically } = await import("../../util/node/atomic-file.ts");
  async function* bytes() {
    for await (const text of texts) yield Buffer.from(text);
  }
  await writeFileAtomically(path, bytes());
}
