import { describe, expect, it } from "vitest";
import {
  type BleuOptions,
  type BleuScore,
  type BleuSmoothMethod,
  corpusBleu,
  sentenceBleu,
} from "../../src/metrics/bleu.ts";
import {
  type BleuTokenization,
  bleuTokenizations,
  tokenizeForBleu,
} from "../../src/metrics/bleu-tokenizers.ts";
import { hasShared, needsShared } from "../shared.ts";
import { differences, readMetricJson, readSegments } from "./metrics-goldens.ts";

interface Config {
  readonly tokenize: BleuTokenization;
  readonly lowercase: boolean;
  readonly smooth_method: BleuSmoothMethod;
  readonly smooth_value: number | null;
  readonly effective_order: boolean;
  readonly max_ngram_order: number;
}

interface Golden {
  readonly score: number;
  readonly counts: readonly number[];
  readonly totals: readonly number[];
  readonly precisions: readonly number[];
  readonly bp: number;
  readonly sys_len: number;
  readonly ref_len: number;
}

interface SignedGolden extends Golden {
  readonly signature: string;
  readonly text?: string;
}

const exact = ["counts", "totals", "sys_len", "ref_len"];

describe.skipIf(!hasShared)(`BLEU equals sacreBLEU${needsShared}`, () => {
  it("in the tokens of every tokenization", () => {
    type Entry = { readonly text: string } & Readonly<Record<BleuTokenization, string>>;
    const { entries } = readMetricJson<{ entries: Entry[] }>("bleu_tokenize.json");
    const found = entries.flatMap((entry) =>
      bleuTokenizations.flatMap((name) =>
        differences(tokenizeForBleu(entry.text, name).join(" "), entry[name], `${name} of "${entry.text}"`),
      ),
    );
    expect(found).toEqual([]);
    expect(entries.length).toBeGreaterThan(200);
  });

  it.each(["en", "de", "uni", "sparse"])("on the corpus %s, every option", (set) => {
    type Entry = Config & SignedGolden & { readonly set: string; readonly refs: number };
    const { entries } = readMetricJson<{ entries: Entry[] }>("bleu_corpus.json");
    const hypotheses = readSegments(`mt/${set}.hyp.txt`);
    const references = [readSegments(`mt/${set}.ref.txt`), readSegments(`mt/${set}.ref2.txt`)];
    const chosen = entries.filter((entry) => entry.set === set);
    const found = chosen.flatMap((entry) => {
      const score = corpusBleu(hypotheses, references.slice(0, entry.refs), optionsOf(entry));
      const place = `${entry.signature} n<=${entry.max_ngram_order}`;
      return differences(signed(score), pick(entry, signed(score)), place, exact);
    });
    expect(found).toEqual([]);
    expect(chosen.length).toBeGreaterThan(100);
  });

  it("on hand-written cases, which may leave out references", () => {
    interface Case {
      readonly id: string;
      readonly hyps: string[];
      readonly refs: (string | null)[][];
    }
    type Entry = SignedGolden & { readonly case: string; readonly config: string };
    const { cases } = readMetricJson<{ cases: Case[] }>("mt/cases.json");
    const { configs, entries } = readMetricJson<{ configs: Record<string, Config>; entries: Entry[] }>(
      "bleu_cases.json",
    );
    const found = entries.flatMap((entry) => {
      const { hyps, refs } = cases.find(({ id }) => id === entry.case)!;
      const score = corpusBleu(hyps, refs, optionsOf(configs[entry.config]!));
      return differences(signed(score), pick(entry, signed(score)), `${entry.case} ${entry.config}`, exact);
    });
    expect(found).toEqual([]);
    expect(entries.length).toBeGreaterThan(1000);
  });

  it("on single sentences", () => {
    type Row = [string, string, number, number, number[], number[], number[], number, number, number];
    interface Sentences {
      readonly configs: Record<string, Config & { readonly refs: number }>;
      readonly entries: Row[];
    }
    const { configs, entries } = readMetricJson<Sentences>("bleu_sentence.json");
    const streams = new Map(
      ["en", "de", "uni"].map((set) => [
        set,
        ["hyp", "ref", "ref2"].map((stream) => readSegments(`mt/${set}.${stream}.txt`)),
      ]),
    );
    const found = entries.flatMap(
      ([set, name, line, score, counts, totals, precisions, bp, sys_len, ref_len]) => {
        const config = configs[name]!;
        const [hypothesis, ...references] = streams.get(set)!.map((stream) => stream[line]!);
        const actual = sentenceBleu(hypothesis!, references.slice(0, config.refs), optionsOf(config));
        const golden: Golden = { score, counts, totals, precisions, bp, sys_len, ref_len };
        return differences(unsigned(actual), golden, `${set}:${line} ${name}`, exact);
      },
    );
    expect(found).toEqual([]);
    expect(entries.length).toBeGreaterThan(1000);
  });
});

function optionsOf(config: Config): BleuOptions {
  return {
    tokenize: config.tokenize,
    lowercase: config.lowercase,
    smoothMethod: config.smooth_method,
    smoothValue: config.smooth_value ?? undefined,
    effectiveOrder: config.effective_order,
    maxNgramOrder: config.max_ngram_order,
  };
}

function unsigned(score: BleuScore): Golden {
  const { counts, totals, precisions, brevityPenalty, hypothesisLength, referenceLength } = score;
  return {
    score: score.score,
    counts,
    totals,
    precisions,
    bp: brevityPenalty,
    sys_len: hypothesisLength,
    ref_len: referenceLength,
  };
}

function signed(score: BleuScore): Required<SignedGolden> {
  return { ...unsigned(score), signature: score.signature, text: score.text };
}

/** The fields of the golden that the score has; a hand-written case has no text, so its own stands in. */
function pick(golden: SignedGolden, score: Required<SignedGolden>): Required<SignedGolden> {
  const { score: value, counts, totals, precisions, bp, sys_len, ref_len, signature } = golden;
  const text = golden.text ?? score.text;
  return { score: value, counts, totals, precisions, bp, sys_len, ref_len, signature, text };
}
