import { Option } from "commander";
import { wholeNumber } from "../arguments.ts";
import type { Metric } from "./metric.ts";
import { readWords } from "./read-items.ts";

export interface RetrievalFlags {
  readonly k?: number;
}

type Retrieval = Metric<readonly string[], readonly string[], RetrievalFlags>;

const idsPerLine = {
  decimals: 4,
  references: "one",
  readHypothesis: readWords,
  readReference: readWords,
} as const;

function depthOption(): Option {
  return new Option(
    "--k <n>",
    "how many of the first results count (default: 10 for recall-at-k, all for mrr)",
  ).argParser(wholeNumber(1));
}

export const recallAtK: Retrieval = {
  description: "recall of the first k results; a line is a query's ranked ids, or its relevant ids",
  options: () => [depthOption()],
  ...idsPerLine,
  async open({ k = 10 }) {
    const { recallAtK: recall } = await import("../../metrics/retrieval.ts");
    return {
      corpus(rankings, [relevant]) {
        const score = recall(rankings, relevant!, k);
        const total = rankings.length;
        return {
          score,
          details: { [`recall@${k}`]: score, k, total },
          text: `recall@${k} = ${score.toFixed(4)}  queries = ${total}`,
        };
      },
    };
  },
};

export const mrr: Retrieval = {
  description: "mean reciprocal rank of the first relevant id; lines as for recall-at-k",
  options: () => [depthOption()],
  ...idsPerLine,
  async open({ k }) {
    const { meanReciprocalRank } = await import("../../metrics/retrieval.ts");
    return {
      corpus(rankings, [relevant]) {
        const score = meanReciprocalRank(rankings, relevant!, k);
        const total = rankings.length;
        const name = k === undefined ? "mrr" : `mrr@${k}`;
        return {
          score,
          details: { [name]: score, ...(k !== undefined && { k }), total },
          text: `${name} = ${score.toFixed(4)}  queries = ${total}`,
        };
      },
    };
  },
};
