import { Option } from "commander";
import { type TagScheme, tagSchemes } from "../../metrics/entities.ts";
import type { EntityScore } from "../../metrics/entity-score.ts";
import type { Average, ZeroDivision } from "../../metrics/precision-recall.ts";
import { QkvError } from "../../util/errors.ts";
import { given, oneOf } from "../arguments.ts";
import type { Metric } from "./metric.ts";
import { averageOption, zeroDivisionOption } from "./options.ts";
import { rateTable } from "./rate-table.ts";
import { readWords } from "./read-items.ts";

export interface EntityFlags {
  readonly scheme?: TagScheme;
  readonly strict?: boolean;
  readonly suffix?: boolean;
  readonly average?: Average | "binary" | "none";
  readonly zeroDivision?: ZeroDivision;
}

export const entityF1: Metric<readonly string[], readonly string[], EntityFlags> = {
  description: "precision, recall and F1 of tagged entities, as seqeval counts; a line is a sentence's tags",
  options: () => [
    new Option("--scheme <name>", `the tags' scheme, for --strict: ${tagSchemes.join(", ")}`).argParser(
      oneOf(tagSchemes),
    ),
    new Option(
      "--strict",
      "only what is well-formed in the scheme is an entity (default: as conlleval reads)",
    ),
    new Option("--suffix", "the prefix comes last, as in PER-B"),
    averageOption(),
    zeroDivisionOption(),
  ],
  decimals: 4,
  references: "one",
  readHypothesis: readWords,
  readReference: readWords,
  async open({ scheme, strict = false, suffix, average = "micro", zeroDivision }) {
    const { scoreEntities } = await import("../../metrics/entity-score.ts");
    if (average === "binary") {
      const rule = "entity-f1: --average is one of micro, macro, weighted, none";
      throw new QkvError("option", `${rule}; got "binary"; entities have more types than two`);
    }
    if (strict && scheme === undefined) {
      const names = tagSchemes.join(", ");
      throw new QkvError("option", `entity-f1: --strict needs --scheme; got none; say which of ${names}`);
    }
    if (!strict && scheme !== undefined) {
      process.stderr.write(`qkv: --scheme ${scheme} counts with --strict only; tags are read leniently\n`);
    }
    const options = given({ scheme: strict ? scheme : undefined, suffix, zeroDivision });
    return {
      corpus(predicted, [expected]) {
        const found = scoreEntities(expected!, predicted, options);
        const ofTypes = found.perType.map((rates) => rates.f1);
        const score = average === "none" ? ofTypes : found[average].f1;
        const headline = typeof score === "number" ? [`${average} F1 = ${score.toFixed(4)}`] : [];
        const mode = strict ? { mode: "strict", scheme } : { mode: "default" };
        return {
          score,
          details: { average, ...mode, ...detailsOf(found) },
          text: [...headline, ...rateTable(rowsOf(found))].join("\n"),
        };
      },
    };
  },
};

function rowsOf({ perType, micro, macro, weighted }: EntityScore) {
  return [
    ...perType.map((rates) => [rates.type, rates] as const),
    ["micro avg", micro] as const,
    ["macro avg", macro] as const,
    ["weighted avg", weighted] as const,
  ];
}

function detailsOf(found: EntityScore): Record<string, unknown> {
  const { truePositives, falsePositives, falseNegatives, trueNegatives } = found.tagCounts;
  const { accuracy, micro, macro, weighted, perType } = found;
  return {
    accuracy,
    performance_measure: { TP: truePositives, FP: falsePositives, FN: falseNegatives, TN: trueNegatives },
    n_true: found.expectedEntities,
    n_pred: found.predictedEntities,
    micro,
    macro,
    weighted,
    per_type: Object.fromEntries(perType.map(({ type, ...rates }) => [type, rates])),
  };
}
