import { describe, expect, it } from "vitest";
import { type ChrfOptions, type ChrfScore, corpusChrf, sentenceChrf } from "../../src/metrics/chrf.ts";
import { hasShared, needsShared } from "../shared.ts";
import { differences, readMetricJson, readSegments } from "./metrics-goldens.ts";

interface Config {
  readonly char_order: number;
  readonly word_order: number;
  readonly beta: number;
  readonly lowercase: boolean;
  readonly whitespace: boolean;
  readonly eps_smoothing: boolean;
}

interface Golden {
  readonly score: number;
  readonly stats: readonly number[];
}

interface Goldens<Entry> {
  readonly configs: Record<string, Config>;
  readonly entries: Entry[];
}

describe.skipIf(!hasShared)(`chrF equals sacreBLEU${needsShared}`, () => {
  it.each(["en", "de", "uni", "sparse"])("on the corpus %s, every option", (set) => {
    type Entry = Golden & { set: string; refs: number; config: string; signature: string; text: string };
    const { configs, entries } = readMetricJson<Goldens<Entry>>("chrf_corpus.json");
    const hypotheses = readSegments(`mt/${set}.hyp.txt`);
    const references = [readSegments(`mt/${set}.ref.txt`), readSegments(`mt/${set}.ref2.txt`)];
    const chosen = entries.filter((entry) => entry.set === set);
    const found = chosen.flatMap((entry) => {
      const actual = corpusChrf(
        hypotheses,
        references.slice(0, entry.refs),
        optionsOf(configs[entry.config]!),
      );
      const { score, stats, signature, text } = entry;
      const withSignature = { ...plain(actual), signature: actual.signature, text: actual.text };
      return differences(withSignature, { score, stats, signature, text }, entry.signature, ["stats"]);
    });
    expect(found).toEqual([]);
    expect(chosen.length).toBeGreaterThan(20);
  });

  it("on hand-written cases, which may leave out references", () => {
    interface Case {
      readonly id: string;
      readonly hyps: string[];
      readonly refs: (string | null)[][];
    }
    type Entry = Golden & { case: string; config: string };
    const { cases } = readMetricJson<{ cases: Case[] }>("mt/cases.json");
    const { configs, entries } = readMetricJson<Goldens<Entry>>("chrf_cases.json");
    const found = entries.flatMap((entry) => {
      const { hyps, refs } = cases.find(({ id }) => id === entry.case)!;
      const actual = plain(corpusChrf(hyps, refs, optionsOf(configs[entry.config]!)));
      const { score, stats } = entry;
      return differences(actual, { score, stats }, `${entry.case} ${entry.config}`, ["stats"]);
    });
    expect(found).toEqual([]);
    expect(entries.length).toBeGreaterThan(500);
  });

  it("on single sentences", () => {
    type Row = [set: string, config: string, refs: number, line: number, score: number];
    const { configs, entries } = readMetricJson<Goldens<Row>>("chrf_sentence.json");
    const streams = new Map(
      ["en", "de", "uni"].map((set) => [
        set,
        ["hyp", "ref", "ref2"].map((stream) => readSegments(`mt/${set}.${stream}.txt`)),
      ]),
    );
    const found = entries.flatMap(([set, name, refs, line, score]) => {
      const [hypothesis, ...references] = streams.get(set)!.map((stream) => stream[line]!);
      const actual = sentenceChrf(hypothesis!, references.slice(0, refs), optionsOf(configs[name]!));
      return differences(actual.score, score, `${set}:${line} ${name}`);
    });
    expect(found).toEqual([]);
    expect(entries.length).toBeGreaterThan(1000);
  });
});

function optionsOf(config: Config): ChrfOptions {
  return {
    charOrder: config.char_order,
    wordOrder: config.word_order,
    beta: config.beta,
    lowercase: config.lowercase,
    whitespace: config.whitespace,
    epsSmoothing: config.eps_smoothing,
  };
}

function plain(score: ChrfScore): Golden {
  const stats = score.counts.flatMap(({ hypothesis, reference, matches }) => [
    hypothesis,
    reference,
    matches,
  ]);
  return { score: score.score, stats };
}
