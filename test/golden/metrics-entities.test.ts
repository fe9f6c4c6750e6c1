import { describe, expect, it } from "vitest";
import { type Entity, extractEntities, type TagScheme } from "../../src/metrics/entities.ts";
import { type EntityScore, type EntityScoreOptions, scoreEntities } from "../../src/metrics/entity-score.ts";
import type { Rates, ZeroDivision } from "../../src/metrics/precision-recall.ts";
import { QkvError } from "../../src/util/errors.ts";
import { hasShared, needsShared } from "../shared.ts";
import { differences, type GoldenNumber, readMetricJson, readSegments } from "./metrics-goldens.ts";

type GoldenRates = [precision: GoldenNumber, recall: GoldenNumber, f1: GoldenNumber, support: number];
type GoldenEntity = [type: string, start: number, end: number];

interface Golden {
  readonly scheme: TagScheme | null;
  readonly accuracy: number | { readonly error: string };
  readonly performance_measure: { TP: number; FP: number; FN: number; TN: number };
  readonly n_true: number;
  readonly n_pred: number;
  readonly per_type: Record<string, GoldenRates>;
  readonly micro: GoldenRates;
  readonly macro: GoldenRates;
  readonly weighted: GoldenRates;
  readonly error?: string;
}

describe.skipIf(!hasShared)(`entity scores equal seqeval${needsShared}`, () => {
  it("in the entities of single sentences", () => {
    type Row = [file: string, line: number, lenient: GoldenEntity[] | null, strict: GoldenEntity[] | null];
    const { entries } = readMetricJson<{ entries: Row[] }>("seqeval/entities.expected.json");
    const found = entries.flatMap(([file, line, lenient, strict]) => {
      const tags = readTags(`seqeval/${file}.txt`)[line]!;
      const scheme = file.split("_")[0] as TagScheme;
      return [
        ...(lenient === null
          ? []
          : differences(triples(extractEntities(tags)), lenient, `${file}:${line} lenient`)),
        ...(strict === null
          ? []
          : differences(triples(extractEntities(tags, { scheme })), strict, `${file}:${line} strict`)),
      ];
    });
    expect(found).toEqual([]);
    expect(entries.length).toBeGreaterThan(100);
  });

  it("on the files of every scheme", () => {
    type Entry = Golden & { readonly files?: string; readonly true?: string; readonly pred?: string };
    const { entries } = readMetricJson<{ entries: Entry[] }>("seqeval/expected.json");
    const found = entries.flatMap((entry) => {
      const expected = readTags(`seqeval/${entry.files ?? entry.true}.true.txt`);
      const predicted = readTags(`seqeval/${entry.files ?? entry.pred}.pred.txt`);
      const place = `${entry.files ?? `${entry.true} ${entry.pred}`} ${entry.scheme}`;
      return compare(expected, predicted, { scheme: entry.scheme ?? undefined }, entry, place);
    });
    expect(found).toEqual([]);
    expect(entries.length).toBeGreaterThan(20);
  });

  it("on hand-written cases", () => {
    interface Case {
      readonly id: string;
      readonly y_true: string[][];
      readonly y_pred: string[][];
      readonly suffix?: boolean;
      readonly zero_division?: ZeroDivision;
    }
    type Entry = Golden & {
      case: string;
      entities_true?: GoldenEntity[][];
      entities_pred?: GoldenEntity[][];
    };
    const { cases } = readMetricJson<{ cases: Case[] }>("seqeval/cases.inputs.json");
    const { entries } = readMetricJson<{ entries: Entry[] }>("seqeval/cases.expected.json");
    const found = entries.flatMap((entry) => {
      const {
        y_true,
        y_pred,
        suffix,
        zero_division: zeroDivision,
      } = cases.find(({ id }) => id === entry.case)!;
      const reading = { scheme: entry.scheme ?? undefined, suffix };
      const place = `${entry.case} ${entry.scheme}`;
      const scores = compare(y_true, y_pred, { ...reading, zeroDivision }, entry, place);
      // Long sentences come without their entities.
      if (entry.entities_true === undefined || entry.entities_pred === undefined) return scores;
      const extract = (tags: string[]) => triples(extractEntities(tags, reading));
      return [
        ...scores,
        ...differences(y_true.map(extract), entry.entities_true, `${place} right entities`),
        ...differences(y_pred.map(extract), entry.entities_pred, `${place} predicted entities`),
      ];
    });
    expect(found).toEqual([]);
    expect(entries.length).toBeGreaterThan(100);
  });
});

function readTags(path: string): string[][] {
  return readSegments(path).map((line) => (line === "" ? [] : line.split(" ")));
}

function triples(entities: readonly Entity[]): GoldenEntity[] {
  return entities.map(({ type, start, end }) => [type, start, end]);
}

function compare(
  expected: string[][],
  predicted: string[][],
  options: EntityScoreOptions,
  golden: Golden,
  place: string,
): string[] {
  if (golden.error !== undefined) {
    expect(() => scoreEntities(expected, predicted, options), place).toThrow(QkvError);
    return [];
  }
  const actual = plain(scoreEntities(expected, predicted, options));
  return Object.entries(actual).flatMap(([name, value]) => {
    const goldenValue = golden[name as keyof Golden];
    // Some rows leave out the scores of words.
    if (goldenValue === undefined) return [];
    // The reference divides by zero where there is no word.
    const isUndefined = name === "accuracy" && typeof goldenValue === "object";
    return differences(value, isUndefined ? "NaN" : goldenValue, `${place}.${name}`);
  });
}

function plain(score: EntityScore): Record<string, unknown> {
  const { truePositives, falsePositives, falseNegatives, trueNegatives } = score.tagCounts;
  return {
    accuracy: score.accuracy,
    performance_measure: { TP: truePositives, FP: falsePositives, FN: falseNegatives, TN: trueNegatives },
    n_true: score.expectedEntities,
    n_pred: score.predictedEntities,
    per_type: Object.fromEntries(score.perType.map((rates) => [rates.type, quadruple(rates)])),
    micro: quadruple(score.micro),
    macro: quadruple(score.macro),
    weighted: quadruple(score.weighted),
  };
}

function quadruple({ precision, recall, f1, support }: Rates): number[] {
  return [precision, recall, f1, support];
}
