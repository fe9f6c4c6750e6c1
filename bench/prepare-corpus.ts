/**
 * How much time and memory it takes to prepare five million generated sentence pairs, to open the result, and to cut
 * an epoch into batches. Run it with
 *
 *   npx tsc -p tsconfig.json --noEmit false --rootDir . --outDir node_modules/.cache/bench
 *   node node_modules/.cache/bench/bench/prepare-corpus.js [PAIRS]
 *
 * It needs about 1.2 GB of disk in the folder for temporary files. The tokenizer is a table of words, so that what is
 * measured is the reading, checking and writing around it. Each phase runs in a process of its own, whose peak memory
 * is that of the phase.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { epochBatches } from "../src/data/batches.ts";
import { collate } from "../src/data/collate.ts";
import { readLines } from "../src/data/node/line-reader.ts";
import { openParallelCorpus, prepareParallelCorpus } from "../src/data/node/parallel-corpus.ts";
import { RandomStream, randomKey } from "../src/util/random.ts";

const vocabSize = 30_000;

/** The word of an id: letters of two scripts' width, most words short. */
function wordOf(id: number): string {
  return `${id % 7 === 0 ? "ü" : ""}${id.toString(36)}${id % 3 === 0 ? "en" : ""}`;
}

/** Writes a text of so many lines, 3 to 30 words each. */
function writeText(path: string, lines: number, seed: number): void {
  const random = new RandomStream(randomKey(seed, "bench.text"));
  const phrases = Array.from({ length: 65_536 }, () =>
    Array.from({ length: 3 }, () => wordOf(Math.floor(vocabSize * random.uniform() ** 3))).join(" "),
  );
  const file = openSync(path, "w");
  for (let line = 0; line < lines; ) {
    const block: string[] = [];
    for (const last = Math.min(lines, line + 10_000); line < last; line++) {
      const bits = random.word();
      const count = 1 + Math.min(bits & 7, (bits >>> 3) & 7) + ((bits >>> 6) & 1) * 2;
      for (let phrase = 0; phrase < count; phrase++) {
        block.push(phrases[random.word() & 0xffff]!, phrase + 1 < count ? " " : "\n");
      }
    }
    writeSync(file, block.join(""));
  }
  closeSync(file);
}

function wordTokenizer(): (line: string) => Uint16Array {
  const ids = new Map<string, number>();
  for (let id = 0; id < vocabSize; id++) ids.set(wordOf(id), id);
  const buffer = new Uint16Array(4096);
  return (line) => {
    let count = 0;
    for (const word of line.split(" ")) buffer[count++] = ids.get(word)!;
    return buffer.subarray(0, count);
  };
}

const phases: Record<string, (folder: string, pairs: number) => Promise<string> | string> = {
  generate: (folder, pairs) => {
    writeText(join(folder, "source.txt"), pairs, 1);
    writeText(join(folder, "target.txt"), pairs, 2);
    return `${pairs} pairs`;
  },
  "read lines": (folder) => {
    let characters = 0;
    for (const line of readLines(join(folder, "source.txt"))) characters += line.length;
    return `${(characters / 1e6).toFixed(0)} million characters`;
  },
  prepare: async (folder) => {
    const encode = wordTokenizer();
    const report = await prepareParallelCorpus({
      sourceFile: join(folder, "source.txt"),
      targetFile: join(folder, "target.txt"),
      folder: join(folder, "corpus"),
      // One buffer serves both sides, so the source must be kept apart until the target is there.
      encodeSource: (line) => encode(line).slice(),
      encodeTarget: encode,
      sourceVocabSize: vocabSize,
      targetVocabSize: vocabSize,
      tokenizer: "words",
    });
    return `${report.pairs} pairs, ${((report.sourceTokens + report.targetTokens) / 1e6).toFixed(0)} million tokens`;
  },
  batches: (folder) => {
    const start = performance.now();
    const corpus = openParallelCorpus(join(folder, "corpus"));
    const opened = performance.now();
    const batches = epochBatches(corpus, { tokensPerBatch: 4096, seed: 1, epoch: 0 });
    const cut = performance.now();
    const options = { padId: 0, bosId: 1, eosId: 2 };
    const count = Math.min(batches.length, 2000);
    for (let batch = 0; batch < count; batch++)
      collate(corpus, batches.pairs(batch), { ...options, eosId: 65_535 });
    const collated = (performance.now() - cut) / count;
    return (
      `opened in ${(opened - start).toFixed(0)} ms, ${batches.length} batches in ${(cut - opened).toFixed(0)} ms, ` +
      `${collated.toFixed(3)} ms to collate one`
    );
  },
};

async function runPhase(name: string, folder: string, pairs: number): Promise<void> {
  const start = performance.now();
  const result = await phases[name]!(folder, pairs);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const megabytes = (process.resourceUsage().maxRSS / 1024).toFixed(0);
  console.log(`${name.padEnd(11)} ${seconds.padStart(6)} s  peak ${megabytes.padStart(5)} MB  ${result}`);
}

const [first = "5000000", folder, pairs] = process.argv.slice(2);
if (folder !== undefined) {
  await runPhase(first, folder, Number(pairs));
} else {
  const temporary = mkdtempSync(join(tmpdir(), "qkv-bench-"));
  try {
    for (const phase of Object.keys(phases)) {
      const { status } = spawnSync(
        process.execPath,
        [fileURLToPath(import.meta.url), phase, temporary, first],
        {
          stdio: "inherit",
        },
      );
      if (status !== 0) throw new Error(`the phase "${phase}" failed`);
    }
  } finally {
    rmSync(temporary, { recursive: true });
  }
}
