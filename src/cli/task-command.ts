/** What the commands have in common that run a task on texts. */
import { type Command, Option } from "commander";
import type { PipelineOf, PipelineTask, Truncation, WrittenToken } from "../node.ts";
import { addEngineOptions, given } from "./arguments.ts";
import { type HubFlags, modelFolder, offlineOption } from "./models.ts";
import { interruptible } from "./stopping.ts";
import { inputChunks, print } from "./text-files.ts";

export interface TaskFlags extends HubFlags {
  model?: string;
  adapter?: string;
  input?: string;
  threads?: number;
  prepacking?: boolean;
  json?: boolean;
}

/**
 * The options of every such command.
 * @param text - what its texts are @param shipped - the model that is used where none is named; without it one must be
 */
export function addTaskOptions(command: Command, text: string, shipped?: string): Command {
  const model = new Option(
    "--model <folder>",
    "a model folder, as Hugging Face writes it, or a name on the hub",
  );
  if (shipped === undefined) model.makeOptionMandatory();
  else model.description += ` (default: the shipped ${shipped})`;
  command
    .addOption(model)
    .addOption(offlineOption())
    .option("--adapter <folder>", "an adapter that the model gets, as PEFT writes it (LoRA)")
    .option("--input <file>", text);
  return addEngineOptions(command).option("--json", "print JSON, one object a line");
}

/** The option of a command whose texts come token by token. */
export function addStreamOptions(command: Command): Command {
  return command
    .option("--stream", "print each token as soon as it is there (the default on a terminal); not with beams")
    .option("--no-stream", "print texts when they are finished");
}

export interface StreamFlags {
  stream?: boolean;
  json?: boolean;
  output?: string;
  numReturnSequences?: number;
}

/**
 * How many texts of a chunk are run one after another, so that their tokens are printed as they come; larger chunks are
 * run together, which takes less time. By default that is a single text, on a terminal.
 */
export function mostStreamed(
  { stream, json, output, numReturnSequences = 1 }: StreamFlags,
  self: Command,
): number {
  const isPlain = !json && output === undefined && numReturnSequences === 1;
  if (stream && !isPlain) {
    self.error("error: --stream prints plain text; leave out --json, --output and --num-return-sequences");
  }
  if (stream !== undefined) return stream ? Number.POSITIVE_INFINITY : 0;
  return process.stdout.isTTY && isPlain ? 1 : 0;
}

/** Prints a text as its tokens come, and a line break. @param format - what is printed of a piece */
export async function printStream(
  tokens: AsyncIterator<WrittenToken>,
  until: Until,
  format = (text: string) => text,
): Promise<void> {
  for (;;) {
    const { done, value } = await until(tokens.next());
    if (done) break;
    await until(print(format(value.text)));
  }
  await until(print("\n"));
}

export type Until = <Value>(value: Promise<Value>) => Promise<Value>;

/** Opens a pipeline for some work, and ends its thread afterwards, also at Ctrl-C. */
export async function withPipeline<Name extends PipelineTask>(
  task: Name,
  { model, adapter, threads, prepacking, ...flags }: TaskFlags,
  onTruncated: (truncation: Truncation) => void,
  work: (pipe: PipelineOf<Name>, until: Until) => Promise<void>,
): Promise<void> {
  const { pipeline } = await import("../node.ts");
  const { defaultModelOf } = await import("../tasks/node/shipped.ts");
  const folder = await modelFolder(model ?? defaultModelOf(task), flags);
  await interruptible(async (until) => {
    const engine = given({ threads, prepacking, adapter });
    const pipe = await until(pipeline(task, folder, { ...engine, onTruncated }));
    try {
      await work(pipe, until);
    } finally {
      await (pipe as { dispose(): Promise<void> }).dispose();
      process.stdin.destroy();
    }
  });
}

/** Lines that are run at once; those of similar length among them are put together. */
const linesPerChunk = 256;

/**
 * Runs a task on texts: the arguments, a file, or standard input, line by line, and prints the results in the same
 * order as they come.
 * @param format - the lines that a result is printed as, without the last line break
 * @param stream - runs one text and prints its result as it comes, in chunks of no more than `most`
 */
export async function runOnLines<Name extends PipelineTask, Result>(
  task: Name,
  texts: readonly string[],
  flags: TaskFlags,
  self: Command,
  run: (pipe: PipelineOf<Name>, chunk: string[]) => Promise<readonly Result[]>,
  format: (text: string, result: Result) => string,
  stream?: {
    readonly most: number;
    readonly run: (pipe: PipelineOf<Name>, text: string, until: Until) => Promise<void>;
  },
): Promise<void> {
  refuseTwoInputs(texts, flags, self);
  let line = 0;
  const onTruncated = (truncation: Truncation) =>
    sayTruncated(`line ${line + truncation.index + 1}`, truncation);
  const chunks = await inputChunks(texts, flags.input, linesPerChunk);
  await withPipeline(task, flags, onTruncated, async (pipe, until) => {
    for (;;) {
      const { done, value: chunk } = await until(Promise.resolve(chunks.next()));
      if (done) return;
      if (stream !== undefined && chunk.length <= stream.most) {
        for (const text of chunk) {
          await stream.run(pipe, text, until);
          line++;
        }
        continue;
      }
      const results = await until(run(pipe, chunk));
      await until(print(results.map((result, index) => `${format(chunk[index]!, result)}\n`).join("")));
      line += chunk.length;
    }
  });
}

export function refuseTwoInputs(texts: readonly string[], { input }: TaskFlags, self: Command): void {
  if (texts.length > 0 && input !== undefined) {
    self.error("error: texts stand in the arguments or in --input, not in both");
  }
}

export function sayTruncated(what: string, { tokens, limit }: Truncation): void {
  process.stderr.write(
    `qkv: ${what} has ${tokens} tokens, and the model reads ${limit}; the others were left out\n`,
  );
}

/** A place in a text counted in code points, as JSON of the command line has it. */
export function inCodePoints<Place extends { readonly start: number; readonly end: number }>(
  text: string,
  place: Place,
): Place {
  const count = (units: number) => [...text.slice(0, units)].length;
  return { ...place, start: count(place.start), end: count(place.end) };
}
