import { describe, expect, it } from "vitest";
import { porterStem } from "../../src/metrics/porter-stemmer.ts";
import { corpusRouge, type RougeScores, type RougeType, sentenceRouge } from "../../src/metrics/rouge.ts";
import { hasShared, needsShared } from "../shared.ts";
import { differences, readMetricJson } from "./metrics-goldens.ts";

interface Pair {
  readonly id: string;
  readonly references: string[];
  readonly hypothesis: string;
}

type Golden = Partial<Record<RougeType, [precision: number, recall: number, fmeasure: number]>>;

interface Entry {
  readonly id: string;
  readonly plain: Golden;
  readonly stem: Golden;
  readonly plain_multi?: Golden;
  readonly stem_multi?: Golden;
}

interface Expected {
  readonly mean: Record<"plain" | "stem", Golden>;
  readonly entries: Entry[];
}

describe.skipIf(!hasShared)(`ROUGE equals rouge_score${needsShared}`, () => {
  it("in the stems of words", () => {
    const { entries } = readMetricJson<{ entries: Record<string, string> }>("rouge/stems.json");
    const found = Object.entries(entries).filter(([word, stem]) => porterStem(word) !== stem);
    expect(found).toEqual([]);
    expect(Object.keys(entries).length).toBeGreaterThan(1000);
  });

  describe.each(["samsum", "scitldr", "unicode", "cases"])("%s", (name) => {
    it.each(["plain", "stem"] as const)("%s", (words) => {
      const { pairs } = readMetricJson<{ pairs: Pair[] }>(`rouge/${name}.inputs.json`);
      const { entries, mean } = readMetricJson<Expected>(`rouge/${name}.expected.json`);
      const types = Object.keys(mean[words]) as RougeType[];
      const options = { types, useStemmer: words === "stem" };
      const found = entries.flatMap((entry, index) => {
        const { id, hypothesis, references } = pairs[index]!;
        const first = sentenceRouge(hypothesis, references.slice(0, 1), options);
        const best = sentenceRouge(hypothesis, references, options);
        const multi = entry[`${words}_multi`] ?? entry[words];
        return [
          ...differences(triples(first), entry[words], `${id} first reference`),
          ...differences(triples(best), multi, `${id} best reference`),
        ];
      });
      const hypotheses = pairs.map(({ hypothesis }) => hypothesis);
      const references = pairs.map((pair) => pair.references[0]!);
      const corpus = corpusRouge(hypotheses, [references], options);
      expect([...found, ...differences(triples(corpus), mean[words], "mean")]).toEqual([]);
      expect(entries.length).toBe(pairs.length);
    });
  });
});

function triples(scores: RougeScores): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(scores).map(([type, { precision, recall, fmeasure }]) => [
      type,
      [precision, recall, fmeasure],
    ]),
  );
}
