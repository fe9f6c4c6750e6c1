import { Option } from "commander";
import { commonRougeTypes, type RougeScores, type RougeType, rougeTypes } from "../../metrics/rouge.ts";
import { given, listOf } from "../arguments.ts";
import type { Metric, MetricResult } from "./metric.ts";
import { readText, readTextOrNull } from "./read-items.ts";

export interface RougeFlags {
  readonly rougeTypes?: readonly RougeType[];
  readonly stemmer?: boolean;
  readonly newline?: string;
}

export const rouge: Metric<string, string | null, RougeFlags> = {
  description: "ROUGE-1, -2, -L and -Lsum, as rouge_score counts",
  options: () => [
    new Option(
      "--rouge-types <names>",
      `with commas between: rouge1 to rouge9, rougeL, rougeLsum (default: ${commonRougeTypes.join(",")})`,
    ).argParser(listOf(rougeTypes)),
    new Option("--stemmer", "ROUGE compares words by their Porter stem"),
    new Option("--newline <mark>", "what stands for a line break within a line, for rougeLsum, such as <n>"),
  ],
  decimals: 4,
  references: "several",
  readHypothesis: readText,
  readReference: readTextOrNull,
  async open({ rougeTypes: types, stemmer: useStemmer, newline }) {
    const { corpusRouge, sentenceRouge } = await import("../../metrics/rouge.ts");
    const options = given({ types, useStemmer });
    const text = (line: string) => (newline ? line.replaceAll(newline, "\n") : line);
    const textOrNull = (line: string | null) => (line === null ? null : text(line));
    return {
      corpus: (hypotheses, references) =>
        result(
          corpusRouge(
            hypotheses.map(text),
            references.map((stream) => stream.map(textOrNull)),
            options,
          ),
        ),
      sentence: (hypothesis, references) =>
        result(
          sentenceRouge(
            text(hypothesis),
            references.filter((reference) => reference !== null).map(text),
            options,
          ),
        ),
    };
  },
};

function result(scores: RougeScores): MetricResult {
  const lines = Object.entries(scores).map(([type, { precision, recall, fmeasure }]) =>
    [
      type.padEnd(10),
      `precision = ${precision.toFixed(4)}`,
      `recall = ${recall.toFixed(4)}`,
      `fmeasure = ${fmeasure.toFixed(4)}`,
    ].join("  "),
  );
  const headline = scores.rougeL ?? Object.values(scores)[0]!;
  return { score: headline.fmeasure, details: scores, text: lines.join("\n") };
}
