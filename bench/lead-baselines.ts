/**
 * ROUGE of what needs no model: the first one, two and three sentences of each text in place of a summary. The least
 * that a summarizer must beat.
 *
 * npm run bench -- lead-baselines FILE.jsonl SOURCE TARGET
 *
 * FILE has one JSON object a line; SOURCE and TARGET are the names of its fields. Sentences are those of Unicode's
 * rules (UAX 29); ROUGE is that of training: stemmed, F measure, 0 to 100.
 */
import { readFileSync } from "node:fs";
import { corpusRouge } from "../src/metrics/rouge.ts";

const [file, source, target] = process.argv.slice(2);
if (file === undefined || source === undefined || target === undefined) {
  throw new Error("lead-baselines: needs FILE.jsonl SOURCE TARGET");
}
const records = readFileSync(file, "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as Record<string, string>);
const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });
const sentences = records.map((record) =>
  Array.from(segmenter.segment(record[source]!), ({ segment }) => segment.trim()).filter(
    (text) => text !== "",
  ),
);
const references = records.map((record) => record[target]!);
const types = ["rouge1", "rouge2", "rougeL"] as const;
console.log(`${records.length} texts of ${file}`);
for (const count of [1, 2, 3]) {
  const leads = sentences.map((own) => own.slice(0, count).join(" "));
  const scores = corpusRouge(leads, [references], { types, useStemmer: true });
  const cells = types.map((type) => `${type} ${(100 * scores[type]!.fmeasure).toFixed(2)}`);
  console.log(`lead-${count}: ${cells.join(", ")}`);
}
