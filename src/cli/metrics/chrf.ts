import { Option } from "commander";
import type { ChrfOptions, ChrfScore } from "../../metrics/chrf.ts";
import { number, wholeNumber } from "../arguments.ts";
import type { Metric, MetricResult } from "./metric.ts";
import { lowercaseOption } from "./options.ts";
import { readText, readTextOrNull } from "./read-items.ts";

export const chrf = defineChrf("chrF, as sacreBLEU counts", 0);
export const chrfPlusPlus = defineChrf("chrF++, as sacreBLEU counts", 2);

function defineChrf(
  description: string,
  wordOrder: number,
): Metric<string, string | null, Partial<ChrfOptions>> {
  return {
    description,
    options: () => [
      new Option("--char-order <n>", "chrF's longest n-gram of characters (default: 6)").argParser(
        wholeNumber(0),
      ),
      new Option("--word-order <n>", "chrF's longest n-gram of words (default: 0; 2 for chrF++)").argParser(
        wholeNumber(0),
      ),
      new Option("--beta <x>", "how much more recall weighs in chrF (default: 2)").argParser(number),
      new Option("--whitespace", "white space counts in chrF"),
      new Option("--eps-smoothing", "chrF's F scores are averaged over all orders, as chrF++.py does"),
      lowercaseOption(),
    ],
    decimals: 2,
    references: "several",
    readHypothesis: readText,
    readReference: readTextOrNull,
    async open(flags) {
      const { corpusChrf, sentenceChrf } = await import("../../metrics/chrf.ts");
      const options = { wordOrder, ...flags };
      const result = (score: ChrfScore): MetricResult => ({
        score: score.score,
        details: {
          signature: score.signature,
          char_order: options.charOrder ?? 6,
          word_order: options.wordOrder,
          beta: options.beta ?? 2,
          stats: score.counts.flatMap(({ hypothesis, reference, matches }) => [
            hypothesis,
            reference,
            matches,
          ]),
        },
        text: `${score.text}\n${score.signature}`,
      });
      return {
        corpus: (hypotheses, references) => result(corpusChrf(hypotheses, references, options)),
        sentence: (hypothesis, references) =>
          result(
            sentenceChrf(
              hypothesis,
              references.filter((reference) => reference !== null),
              options,
            ),
          ),
      };
    },
  };
}
