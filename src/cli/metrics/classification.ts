import { Option } from "commander";
import type { ClassificationScore, ClassLabel } from "../../metrics/classification.ts";
import { type Average, averages, type Rates, type ZeroDivision } from "../../metrics/precision-recall.ts";
import { given } from "../arguments.ts";
import type { Metric } from "./metric.ts";
import { averageOption, zeroDivisionOption } from "./options.ts";
import { rateTable } from "./rate-table.ts";
import { readLabel } from "./read-items.ts";

const labelPerLine = {
  decimals: 4,
  references: "one",
  readHypothesis: readLabel,
  readReference: readLabel,
} as const;

export const accuracy: Metric<ClassLabel, ClassLabel> = {
  description: "the share of right labels",
  options: () => [],
  ...labelPerLine,
  async open() {
    const { countRight } = await import("../../metrics/classification.ts");
    return {
      corpus(predicted, [expected]) {
        const correct = countRight(expected!.map(String), predicted.map(String));
        const score = correct / predicted.length;
        return {
          score,
          details: { accuracy: score, correct, total: predicted.length },
          text: `accuracy = ${score.toFixed(4)}  correct = ${correct} of ${predicted.length}`,
        };
      },
    };
  },
};

export const matthews: Metric<ClassLabel, ClassLabel> = {
  description: "Matthews correlation of labels, as scikit-learn computes it",
  options: () => [],
  ...labelPerLine,
  async open() {
    const { scoreClassification } = await import("../../metrics/classification.ts");
    return {
      corpus(predicted, [expected]) {
        const found = scoreClassification(...sameKind([expected!, predicted]));
        const score = found.matthewsCorrelation;
        return { score, details: detailsOf(found), text: `matthews_corrcoef = ${score.toFixed(4)}` };
      },
    };
  },
};

export interface F1Flags {
  readonly average?: Average | "binary" | "none";
  readonly positiveLabel?: string;
  readonly zeroDivision?: ZeroDivision;
}

export const f1: Metric<ClassLabel, ClassLabel, F1Flags> = {
  description: "precision, recall and F1 of labels, as scikit-learn computes them",
  options: () => [
    averageOption(),
    new Option("--positive-label <name>", "the label whose F1 --average binary gives (default: 1)"),
    zeroDivisionOption(),
  ],
  ...labelPerLine,
  async open({ average: chosen, positiveLabel, zeroDivision }) {
    const { QkvError } = await import("../../util/errors.ts");
    const { scoreClassification } = await import("../../metrics/classification.ts");
    const average = chosen ?? (positiveLabel === undefined ? "macro" : "binary");
    if (positiveLabel !== undefined && average !== "binary") {
      throw new QkvError(
        "option",
        `f1: --positive-label goes with --average binary; got --average ${average}; leave one of them out`,
      );
    }
    return {
      corpus(predicted, [expected]) {
        const [right, given_, [positive]] = sameKind([expected!, predicted, [positiveLabel ?? "1"]]);
        const options = given({ zeroDivision, positiveLabel: average === "binary" ? positive : undefined });
        const found = scoreClassification(right, given_, options);
        const ofLabels = found.perLabel.map((rates) => rates.f1);
        const score = average === "none" ? ofLabels : found[average]!.f1;
        const rows: [string, Rates][] = found.perLabel.map((rates) => [String(rates.label), rates]);
        for (const name of averages) rows.push([`${name} avg`, found[name]]);
        const headline = typeof score === "number" ? [`${average} F1 = ${score.toFixed(4)}`] : [];
        const text = [...headline, ...rateTable(rows)].join("\n");
        return { score, details: { average, ...detailsOf(found) }, text };
      },
    };
  },
};

/**
 * Lists of labels as numbers where every label is a whole number, so that 10 comes after 9 as it does for
 * scikit-learn, and as names otherwise.
 */
function sameKind<Lists extends readonly (readonly ClassLabel[])[]>(lists: readonly [...Lists]): Lists {
  const isWhole = (label: ClassLabel) =>
    String(Number(label)) === String(label) && Number.isSafeInteger(Number(label));
  const areNumbers = lists.every((labels) => labels.every(isWhole));
  const read = (label: ClassLabel): ClassLabel => (areNumbers ? Number(label) : String(label));
  return lists.map((labels) => labels.map(read)) as unknown as Lists;
}

function detailsOf(found: ClassificationScore<ClassLabel>): Record<string, unknown> {
  const { labels, accuracy, micro, macro, weighted, binary } = found;
  return {
    labels,
    accuracy,
    micro: withoutSupport(micro),
    macro: withoutSupport(macro),
    weighted: withoutSupport(weighted),
    ...(binary !== undefined && { binary: withoutSupport(binary) }),
    per_label: Object.fromEntries(found.perLabel.map(({ label, ...rates }) => [label, rates])),
    matthews_corrcoef: found.matthewsCorrelation,
    confusion_matrix: found.confusionMatrix,
  };
}

function withoutSupport({ precision, recall, f1 }: Rates): Omit<Rates, "support"> {
  return { precision, recall, f1 };
}
