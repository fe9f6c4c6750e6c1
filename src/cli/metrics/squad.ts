import type { Metric, MetricResult } from "./metric.ts";
import { readAlternatives, readTextOrNull } from "./read-items.ts";

export const squad: Metric<string | null, readonly string[]> = {
  description: "exact match and F1 of answers, as SQuAD counts",
  options: () => [],
  decimals: 2,
  references: "several",
  readHypothesis: readTextOrNull,
  // An empty list, or null, says that the text has no answer.
  readReference: (item, place) =>
    item === null || (Array.isArray(item) && item.length === 0) ? [] : readAlternatives(item, place),
  async open() {
    const { scoreAnswers } = await import("../../metrics/squad.ts");
    const corpus = (
      hypotheses: readonly (string | null)[],
      references: readonly (readonly (readonly string[])[])[],
    ): MetricResult => {
      const { exactMatch, f1 } = scoreAnswers(
        hypotheses.map((prediction, line) => ({
          prediction,
          answers: references.flatMap((stream) => stream[line]!),
        })),
      );
      return {
        score: f1,
        details: { exact_match: exactMatch, f1, total: hypotheses.length },
        text: `F1 = ${f1.toFixed(2)}  exact match = ${exactMatch.toFixed(2)}  questions = ${hypotheses.length}`,
      };
    };
    return {
      corpus,
      sentence: (hypothesis, references) =>
        corpus(
          [hypothesis],
          references.map((answers) => [answers]),
        ),
    };
  },
};
