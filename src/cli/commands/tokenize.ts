import { type Command, Option } from "commander";
import type { Encoding } from "../../tokenizers/encoding.ts";
import { codePointOffsets } from "../../tokenizers/offsets.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { QkvError } from "../../util/errors.ts";
import { examples } from "../arguments.ts";
import { type HubFlags, offlineOption, withDownloads } from "../models.ts";
import { print, readInputLines } from "../text-files.ts";

interface TokenizeFlags extends HubFlags {
  text?: string;
  input?: string;
  side: "source" | "target";
  decode?: boolean;
  skipSpecialTokens?: boolean;
  ids?: boolean;
  json?: boolean;
}

export function defineTokenize(program: Command): void {
  program
    .command("tokenize")
    .description("cut text into the pieces that a model reads, or put ids together again")
    .argument(
      "<model>",
      "a folder with a tokenizer, a tokenizer.json, a name on the hub, or the name of a shipped model",
    )
    .option("--text <text>", "what to cut")
    .option("--input <file>", "a text file, one text a line, split at \\n only (default: standard input)")
    .addOption(
      new Option("--side <name>", "where a model has two tokenizers")
        .choices(["source", "target"])
        .default("source"),
    )
    .option("--ids", "print the ids, which --decode reads")
    .option("--decode", "the input is lines of ids: turn them back into text")
    .option("--skip-special-tokens", "with --decode: leave special tokens out")
    .addOption(offlineOption())
    .option("--json", "print one JSON object a line: ids, tokens, offsets (in code points)")
    .addHelpText(
      "after",
      examples(
        'qkv tokenize tatoeba-en-de --text "Transformers translate."',
        "qkv tokenize runs/mine --input test.en --json",
        'qkv tokenize tatoeba-en-de --decode --text "300 301 302"',
      ),
    )
    .action(async (model: string, flags: TokenizeFlags, command: Command) => {
      if (flags.text !== undefined && flags.input !== undefined) {
        command.error("error: the text stands in --text or in --input, not in both");
      }
      const { openTokenizer } = await import("../../tasks/node/tokenizer-folder.ts");
      const tokenizer = await withDownloads(flags, (hub) => openTokenizer(model, flags.side, hub));
      const format = flags.decode ? decoder(tokenizer, flags) : encoder(tokenizer, flags);
      let number = 0;
      for await (const lines of linesOf(flags)) {
        await print(lines.map((line) => `${format(line, ++number)}\n`).join(""));
      }
    });
}

async function* linesOf({ text, input }: TokenizeFlags): AsyncGenerator<string[], void, undefined> {
  if (text !== undefined) yield [text];
  else if (input === undefined) yield* readInputLines(process.stdin.isTTY ? 1 : 512, { exact: true });
  else {
    const { readLines } = await import("../../data/node/line-reader.ts");
    for (const line of readLines(input, { exact: true })) yield [line];
  }
}

function decoder(tokenizer: Tokenizer, { skipSpecialTokens = false, json }: TokenizeFlags) {
  return (line: string, number: number): string => {
    const fields = line.split(/[\s,[\]]+/).filter((field) => field !== "");
    const wrong = fields.find((field) => !/^\d+$/.test(field));
    if (wrong !== undefined) {
      throw new QkvError(
        "data",
        `line ${number}: must hold ids, whole numbers with spaces between; got "${wrong}"`,
      );
    }
    const text = tokenizer.decode(fields.map(Number), { skipSpecialTokens });
    return json ? JSON.stringify({ text }) : text;
  };
}

function encoder(tokenizer: Tokenizer, flags: TokenizeFlags) {
  const { stdout } = process;
  const isColored = stdout.isTTY === true && !process.env.NO_COLOR && stdout.hasColors?.() === true;
  return (line: string): string => {
    const encoding = tokenizer.encode(line);
    if (flags.ids) return encoding.ids.join(" ");
    if (flags.json) {
      const { ids, tokens } = encoding;
      return JSON.stringify({ ids, tokens, offsets: codePointOffsets(encoding, line) });
    }
    const pieces = readablePieces(tokenizer, encoding, line);
    if (!isColored) return pieces.join("│");
    return pieces
      .map((piece, index) => `\x1b[${index % 2 === 0 ? "30;46" : "30;43"}m${piece}\x1b[0m`)
      .join("");
  };
}

/**
 * The text of each piece as it stands in the line. Pieces that share a character are shown as what they decode to: a
 * space that the tokenizer has put in front, or a part of a character, by its own name.
 */
function readablePieces(tokenizer: Tokenizer, { ids, offsets, tokens }: Encoding, line: string): string[] {
  return offsets.map(([start, end], index) => {
    const shares = (other: [number, number] | undefined) =>
      other !== undefined && other[0] < end && start < other[1];
    if (start < end && !shares(offsets[index - 1]) && !shares(offsets[index + 1])) {
      return line.slice(start, end);
    }
    const text = tokenizer.decode([ids[index]!]);
    return text.includes("\uFFFD") ? `‹${tokens[index]}›` : text || " ";
  });
}
