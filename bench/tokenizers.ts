/**
 * How fast texts are tokenized, line by line on one thread, beside `@huggingface/tokenizers`; how long a
 * `tokenizer.json` takes to load; and how long vocabularies take to learn. Run it with
 *
 *   npm run bench -- tokenizers [--gpt-tokenizer FOLDER] TEXT [FOLDER ...]
 *
 * TEXT is a text file, each FOLDER holds a `tokenizer.json`. "Fresh" is a tokenizer that has seen nothing yet,
 * "warm" one that has read the text once. All take turns; the ids must be those of the reference. FOLDER of
 * --gpt-tokenizer is that of an installed `gpt-tokenizer`, which stands beside the others for GPT-2's vocabulary.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { Tokenizer as Reference } from "@huggingface/tokenizers";
import { learnBytePairEncoding } from "../src/tokenizers/learning/byte-pair-encoding.ts";
import { learnUnigram } from "../src/tokenizers/learning/unigram.ts";
import { learnWordPiece } from "../src/tokenizers/learning/word-piece.ts";
import { Tokenizer } from "../src/tokenizers/tokenizer.ts";

const runs = 5;

/** The median time of a few runs, in milliseconds; what `prepare` makes is not part of it. */
function medianTime<Prepared>(prepare: () => Prepared, measured: (prepared: Prepared) => void): number {
  return medianTimes({ only: () => time(prepare, measured) }).only;
}

function time<Prepared>(prepare: () => Prepared, measured: (prepared: Prepared) => void): number {
  const prepared = prepare();
  const start = performance.now();
  measured(prepared);
  return performance.now() - start;
}

/** The median times of measurements that take turns, in milliseconds. */
function medianTimes<Name extends string>(measurements: Record<Name, () => number>): Record<Name, number> {
  const names = Object.keys(measurements) as Name[];
  const times = names.map(() => [] as number[]);
  for (let run = 0; run < runs; run++) {
    names.forEach((name, index) => {
      times[index]!.push(measurements[name]());
    });
  }
  const median = (list: number[]) => list.sort((one, other) => one - other)[Math.floor(runs / 2)]!;
  return Object.fromEntries(names.map((name, index) => [name, median(times[index]!)])) as Record<
    Name,
    number
  >;
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { "gpt-tokenizer": { type: "string" } },
});
const [textPath, ...folders] = positionals;
if (textPath === undefined) {
  console.error("bench/tokenizers: needs a text file; see the head of bench/tokenizers.ts");
  process.exit(2);
}
const text = readFileSync(textPath, "utf8");
const lines = text.split("\n");
const megabytes = Buffer.byteLength(text) / 1e6;
const speed = (milliseconds: number) => `${(megabytes / (milliseconds / 1000)).toFixed(2)} MB/s`;

/** `gpt-tokenizer` where it is named and has this vocabulary. */
async function gptTokenizer({ vocabSize }: Tokenizer): Promise<((text: string) => number[]) | undefined> {
  const path = flags["gpt-tokenizer"];
  if (path === undefined || vocabSize !== 50257) return undefined;
  const { encode } = await import(pathToFileURL(join(path, "esm", "encoding", "r50k_base.js")).href);
  return encode as (text: string) => number[];
}

for (const folder of folders) {
  const content = readFileSync(join(folder, "tokenizer.json"), "utf8");
  const load = () => Tokenizer.fromJson(JSON.parse(content));
  const encodeAll = (tokenizer: Tokenizer) => {
    for (const line of lines) tokenizer.encodeIds(line);
  };
  const warm = load();
  encodeAll(warm);
  const reference = new Reference(JSON.parse(content), {});
  // The reference refuses to take an empty text apart in some families.
  const encodeByReference = () => lines.map((line) => (line === "" ? [] : reference.encode(line).ids));
  const expected = encodeByReference();
  const peer = await gptTokenizer(warm);
  const found = lines.map((line) => warm.encodeIds(line));
  const isDifferent = (rows: readonly (readonly number[])[]) => (line: string, index: number) =>
    line !== "" && expected[index]!.join() !== rows[index]!.join();
  const all = {
    fresh: () => time(load, encodeAll),
    warm: () => time(() => warm, encodeAll),
    "with places": () =>
      time(
        () => warm,
        (tokenizer) => {
          for (const line of lines) tokenizer.encode(line);
        },
      ),
    decoding: () =>
      time(
        () => warm,
        (tokenizer) => {
          for (const row of found) tokenizer.decode(row);
        },
      ),
    "@huggingface/tokenizers": () => time(() => 0, encodeByReference),
    ...(peer !== undefined && {
      "gpt-tokenizer": () =>
        time(
          () => 0,
          () => lines.map(peer),
        ),
    }),
  };
  console.log(`${folder}: load ${medianTime(() => 0, load).toFixed(0)} ms`);
  for (const [name, milliseconds] of Object.entries(medianTimes<string>(all))) {
    console.log(`  ${name} ${speed(milliseconds)}`);
  }
  console.log(`  lines with other ids than the reference's: ${lines.filter(isDifferent(found)).length}`);
  if (peer !== undefined) {
    console.log(`  of gpt-tokenizer: ${lines.filter(isDifferent(lines.map(peer))).length}`);
  }
}

for (const [name, learn] of [
  ["byte-level BPE, 5,000 merges", () => learnBytePairEncoding(lines, { merges: 5000 })],
  ["WordPiece, 5,000 tokens", () => learnWordPiece(lines, { vocabSize: 5000 })],
  ["unigram, 5,000 tokens", () => learnUnigram(lines, { vocabSize: 5000 })],
] as const) {
  const start = performance.now();
  const { vocabSize } = await learn();
  console.log(`learning ${name}: ${((performance.now() - start) / 1000).toFixed(2)} s, ${vocabSize} tokens`);
}
