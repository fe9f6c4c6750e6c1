import type { Metric } from "./metric.ts";
import { readNumber } from "./read-items.ts";

export const pearson = defineCorrelation("Pearson", "pearsonr");
export const spearman = defineCorrelation("Spearman", "spearmanr");

/** @param name - as scipy calls it */
function defineCorrelation(person: string, name: "pearsonr" | "spearmanr"): Metric<number, number> {
  return {
    description: `${person} correlation of two files of numbers, as scipy computes it`,
    options: () => [],
    decimals: 4,
    references: "one",
    readHypothesis: readNumber,
    readReference: readNumber,
    async open() {
      const { pearsonCorrelation, spearmanCorrelation } = await import("../../metrics/correlation.ts");
      const correlate = { pearsonr: pearsonCorrelation, spearmanr: spearmanCorrelation }[name];
      return {
        corpus(hypotheses, [references]) {
          const score = correlate(hypotheses, references!);
          return {
            score,
            details: { [name]: score, total: hypotheses.length },
            text: `${name} = ${score.toFixed(4)}  pairs = ${hypotheses.length}`,
          };
        },
      };
    },
  };
}
