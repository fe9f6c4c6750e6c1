import { Option } from "commander";
import { type BleuOptions, type BleuScore, bleuSmoothMethods } from "../../metrics/bleu.ts";
import { bleuTokenizations } from "../../metrics/bleu-tokenizers.ts";
import { mosesTokenizations } from "../../metrics/moses-tokenizer.ts";
import { number, oneOf, wholeNumber } from "../arguments.ts";
import type { Metric, MetricResult } from "./metric.ts";
import { lowercaseOption } from "./options.ts";
import { readText, readTextOrNull } from "./read-items.ts";

const tokenizations = [...bleuTokenizations, ...mosesTokenizations];

export const bleu: Metric<string, string | null, BleuOptions> = {
  description: "BLEU, as sacreBLEU counts",
  options: () => [
    new Option(
      "--tokenize <name>",
      `BLEU's tokenization: ${tokenizations.join(", ")} (default: 13a)`,
    ).argParser(oneOf(tokenizations)),
    new Option(
      "--smooth-method <name>",
      `BLEU's smoothing: ${bleuSmoothMethods.join(", ")} (default: exp)`,
    ).argParser(oneOf(bleuSmoothMethods)),
    new Option("--smooth-value <x>", "for the smoothing methods floor and add-k").argParser(number),
    new Option("--max-ngram-order <n>", "BLEU's longest n-gram (default: 4)").argParser(wholeNumber(1)),
    new Option("--effective-order", "BLEU's mean goes only over orders that there are n-grams of"),
    new Option("--no-effective-order", "the opposite, for --sentence, where it is the default"),
    lowercaseOption(),
  ],
  decimals: 2,
  references: "several",
  readHypothesis: readText,
  readReference: readTextOrNull,
  async open(options) {
    const { corpusBleu, sentenceBleu } = await import("../../metrics/bleu.ts");
    return {
      corpus: (hypotheses, references) => result(corpusBleu(hypotheses, references, options)),
      sentence: (hypothesis, references) =>
        result(sentenceBleu(hypothesis, references.filter(isText), options)),
    };
  },
};

function isText(reference: string | null): reference is string {
  return reference !== null;
}

function result(score: BleuScore): MetricResult {
  const { signature, counts, totals, precisions } = score;
  const details = {
    signature,
    counts,
    totals,
    precisions,
    bp: score.brevityPenalty,
    sys_len: score.hypothesisLength,
    ref_len: score.referenceLength,
  };
  return { score: score.score, details, text: `${score.text}\n${signature}` };
}
