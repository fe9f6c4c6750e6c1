import { describe, expect, it } from "vitest";
import { type ClassLabel, scoreClassification } from "../../src/metrics/classification.ts";
import type { Rates } from "../../src/metrics/precision-recall.ts";
import { hasShared, needsShared } from "../shared.ts";
import { differences, readMetricJson } from "./metrics-goldens.ts";

interface Case {
  readonly id: string;
  readonly y_true: ClassLabel[];
  readonly y_pred: ClassLabel[];
  readonly pos_label?: ClassLabel;
}

type Triple = [precision: number, recall: number, f1: number];

interface Entry {
  readonly case: string;
  readonly labels: ClassLabel[];
  readonly accuracy: number;
  readonly per_label: [...Triple, support: number][];
  readonly micro: Triple;
  readonly macro: Triple;
  readonly weighted: Triple;
  readonly binary?: Triple;
  readonly matthews_corrcoef: number;
  readonly confusion_matrix: number[][];
}

describe.skipIf(!hasShared)(`classification scores equal scikit-learn${needsShared}`, () => {
  it("on every case", () => {
    const { cases } = readMetricJson<{ cases: Case[] }>("classification/inputs.json");
    const { entries } = readMetricJson<{ entries: Entry[] }>("classification/expected.json");
    const found = entries.flatMap(({ case: id, ...golden }) => {
      const { y_true, y_pred, pos_label } = cases.find((one) => one.id === id)!;
      const score = scoreClassification(y_true, y_pred, { positiveLabel: pos_label });
      const actual = {
        labels: score.labels,
        accuracy: score.accuracy,
        per_label: score.perLabel.map((rates) => [...triple(rates), rates.support]),
        micro: triple(score.micro),
        macro: triple(score.macro),
        weighted: triple(score.weighted),
        binary: score.binary === undefined ? undefined : triple(score.binary),
        matthews_corrcoef: score.matthewsCorrelation,
        confusion_matrix: score.confusionMatrix,
      };
      return differences(actual, golden, id);
    });
    expect(found).toEqual([]);
    expect(entries.length).toBe(cases.length);
  });
});

function triple({ precision, recall, f1 }: Rates): Triple {
  return [precision, recall, f1];
}
