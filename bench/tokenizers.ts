/**
 * How fast texts are tokenized, line by line on one thread, beside `@huggingface/tokenizers`; how long a
 * `tokenizer.json` takes to load; and how long vocabularies take to learn. Run it with
 *
 *   npx tsc -p tsconfig.json --noEmit false --rootDir . --outDir node_modules/.cache/bench
 *   node node_modules/.cache/bench/bench/tokenizers.js TEXT [FOLDER ...]
 *
 * TEXT is a text file, each FOLDER holds a `tokenizer.json`. "Fresh" is a tokenizer that has seen nothing yet,
 * "warm" one that has read the text once; the ids must be those of the reference.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as Reference } from "@huggingface/tokenizers";
import { learnBytePairEncoding } from "../src/tokenizers/learning/byte-pair-encoding.ts";
import { learnUnigram } from "../src/tokenizers/learning/unigram.ts";
import { learnWordPiece } from "../src/tokenizers/learning/word-piece.ts";
import { Tokenizer } from "../src/tokenizers/tokenizer.ts";

const runs = 5;

/** The median time of a few runs, in milliseconds; what `prepare` makes is not part of it. */
function medianTime<Prepared>(prepare: () => Prepared, measured: (prepared: Prepared) => void): number {
  const times = Array.from({ length: runs }, () => {
    const prepared = prepare();
    const start = performance.now();
    measured(prepared);
    return performance.now() - start;
  });
  return times.sort((one, other) => one - other)[Math.floor(runs / 2)]!;
}

const [textPath, ...folders] = process.argv.slice(2);
if (textPath === undefined) {
  console.error("bench/tokenizers: needs a text file; see the head of bench/tokenizers.ts");
  process.exit(2);
}
const text = readFileSync(textPath, "utf8");
const lines = text.split("\n");
const megabytes = Buffer.byteLength(text) / 1e6;
const speed = (milliseconds: number) => `${(megabytes / (milliseconds / 1000)).toFixed(2)} MB/s`;

for (const folder of folders) {
  const content = readFileSync(join(folder, "tokenizer.json"), "utf8");
  const load = () => Tokenizer.fromJson(JSON.parse(content));
  const encodeAll = (tokenizer: Tokenizer) => {
    for (const line of lines) tokenizer.encodeIds(line);
  };
  const warm = load();
  encodeAll(warm);
  const reference = new Reference(JSON.parse(content), {});
  let different = 0;
  const start = performance.now();
  for (const line of lines) {
    // The reference refuses to take an empty text apart in some families.
    if (line !== "" && reference.encode(line).ids.join() !== warm.encodeIds(line).join()) different++;
  }
  const referenceTime = performance.now() - start;
  const ids = lines.map((line) => warm.encodeIds(line));
  console.log(
    [
      folder,
      `  load ${medianTime(() => 0, load).toFixed(0)} ms`,
      `  ids, fresh ${speed(medianTime(load, encodeAll))}, warm ${speed(medianTime(() => warm, encodeAll))}`,
      `  with places ${speed(
        medianTime(
          () => warm,
          (tokenizer) => {
            for (const line of lines) tokenizer.encode(line);
          },
        ),
      )}`,
      `  decoding ${speed(
        medianTime(
          () => warm,
          (tokenizer) => {
            for (const row of ids) tokenizer.decode(row);
          },
        ),
      )}`,
      `  @huggingface/tokenizers ${speed(referenceTime)} (with the comparison); lines with other ids: ${different}`,
    ].join("\n"),
  );
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
