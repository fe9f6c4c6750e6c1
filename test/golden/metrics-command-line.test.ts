import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { main } from "../../src/cli/main.ts";
import { hasShared, needsShared, sharedPath } from "../shared.ts";
import { differences, type GoldenNumber, readMetricJson } from "./metrics-goldens.ts";

/** The reference values of every metric, as `qkv score --json` gives them for files. */
type Json = Record<string, unknown>;
type Triple = [precision: number, recall: number, f1: number];

const folder = mkdtempSync(join(tmpdir(), "qkv-score-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the command line in this process; what it prints is JSON, one object a line. */
async function scoreAll(args: readonly string[]): Promise<Json[]> {
  let printed = "";
  let complaint = "";
  const out = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += text;
    return true;
  });
  const error = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    complaint += text;
    return true;
  });
  try {
    const code = await main(["score", "--json", ...args]);
    if (code !== 0) throw new Error(`exit code ${code}: ${complaint}`);
  } finally {
    out.mockRestore();
    error.mockRestore();
  }
  return printed
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Json);
}

async function score(metric: string, files: readonly string[], ...options: string[]): Promise<Json> {
  const [hypotheses, ...references] = files;
  const args = ["--metric", metric, "--hypotheses", hypotheses!, "--references", ...references];
  const [result] = await scoreAll([...args, ...options]);
  expect(result!.metric).toBe(metric);
  return result!;
}

/** A file of lines. */
function lines(name: string, items: readonly (string | number)[]): string {
  const path = join(folder, name);
  writeFileSync(path, items.map((item) => `${item}\n`).join(""));
  return path;
}

/** A file of JSON values. */
function jsonLines(name: string, items: readonly unknown[]): string {
  return lines(
    `${name}.jsonl`,
    items.map((item) => JSON.stringify(item)),
  );
}

/** What is not-a-number is null in JSON. */
function withoutNaN(value: unknown): unknown {
  if (value === "NaN") return null;
  if (Array.isArray(value)) return value.map(withoutNaN);
  return value;
}

describe.skipIf(!hasShared)(`qkv score equals the reference implementations${needsShared}`, () => {
  const mt = (set: string, count: number) =>
    ["hyp", "ref", "ref2"]
      .slice(0, count + 1)
      .map((name) => sharedPath(`goldens/metrics/mt/${set}.${name}.txt`));

  it("bleu", async () => {
    interface Entry extends Json {
      readonly set: string;
      readonly refs: number;
      readonly tokenize: string;
      readonly lowercase: boolean;
      readonly smooth_method: string;
      readonly smooth_value: number | null;
      readonly effective_order: boolean;
      readonly max_ngram_order: number;
    }
    const { entries } = readMetricJson<{ entries: Entry[] }>("bleu_corpus.json");
    const found: string[] = [];
    for (const entry of entries) {
      const options = ["--tokenize", entry.tokenize, "--smooth-method", entry.smooth_method];
      if (entry.smooth_value !== null) options.push("--smooth-value", String(entry.smooth_value));
      if (entry.lowercase) options.push("--lowercase");
      if (entry.effective_order) options.push("--effective-order");
      options.push("--max-ngram-order", String(entry.max_ngram_order));
      const { metric, ...actual } = await score("bleu", mt(entry.set, entry.refs), ...options);
      const golden = Object.fromEntries(Object.keys(actual).map((key) => [key, entry[key]]));
      found.push(...differences(actual, golden, `${entry.set} ${options.join(" ")}`));
    }
    expect(found).toEqual([]);
    expect(entries.length).toBeGreaterThan(400);
  });

  it("bleu of single sentences", async () => {
    const { configs, entries } = readMetricJson<{
      configs: Record<string, Json>;
      entries: [set: string, config: string, line: number, score: number][];
    }>("bleu_sentence.json");
    expect(configs.default).toMatchObject({ smooth_method: "exp", effective_order: true, tokenize: "13a" });
    const refs = Number(configs.default!.refs);
    for (const set of ["en", "de", "uni"]) {
      const [hypotheses, ...references] = mt(set, refs);
      const sentences = await scoreAll([
        "--sentence",
        "--hypotheses",
        hypotheses!,
        "--references",
        ...references,
      ]);
      const chosen = entries.filter(([of, config]) => of === set && config === "default");
      const found = chosen.flatMap(([, , line, golden]) =>
        differences(sentences[line]!.score, golden, `${set}:${line}`),
      );
      expect(found).toEqual([]);
      expect(chosen.length).toBe(50);
    }
  });

  it("chrf and chrf++", async () => {
    const { configs, entries } = readMetricJson<{
      configs: Record<string, Record<string, number | boolean>>;
      entries: {
        set: string;
        refs: number;
        config: string;
        score: number;
        stats: number[];
        signature: string;
      }[];
    }>("chrf_corpus.json");
    const found: string[] = [];
    for (const { set, refs, config, score: golden, stats, signature } of entries) {
      const { char_order, word_order, beta, lowercase, whitespace, eps_smoothing } = configs[config]!;
      const options = ["--char-order", `${char_order}`, "--word-order", `${word_order}`, "--beta", `${beta}`];
      if (lowercase) options.push("--lowercase");
      if (whitespace) options.push("--whitespace");
      if (eps_smoothing) options.push("--eps-smoothing");
      const isPlain = config === "chrF" || config === "chrF++";
      const actual = await score(
        isPlain ? config.toLowerCase() : "chrf",
        mt(set, refs),
        ...(isPlain ? [] : options),
      );
      const expected = { ...actual, score: golden, stats, signature };
      found.push(...differences(actual, expected, `${set} ${config}`));
    }
    expect(found).toEqual([]);
    expect(entries.some(({ config }) => config === "chrF++")).toBe(true);
  });

  it.each(["samsum", "scitldr", "unicode", "cases"])("rouge on %s", async (name) => {
    interface Pair {
      readonly references: string[];
      readonly hypothesis: string;
    }
    type Scores = Record<string, Triple>;
    const { pairs } = readMetricJson<{ pairs: Pair[] }>(`rouge/${name}.inputs.json`);
    const { entries, mean } = readMetricJson<{
      entries: Record<"plain" | "stem", Scores>[];
      mean: Record<"plain" | "stem", Scores>;
    }>(`rouge/${name}.expected.json`);
    const files = [
      jsonLines(
        "hypotheses",
        pairs.map(({ hypothesis }) => hypothesis),
      ),
      jsonLines(
        "references",
        pairs.map(({ references }) => references[0]),
      ),
    ];
    // Lines of text, with a mark for the line breaks within.
    const text = [
      lines(
        "hypotheses",
        pairs.map(({ hypothesis }) => hypothesis.replaceAll("\n", "<n>")),
      ),
      lines(
        "references",
        pairs.map(({ references }) => references[0]!.replaceAll("\n", "<n>")),
      ),
    ];
    for (const words of ["plain", "stem"] as const) {
      const types = Object.keys(mean[words]);
      const options = ["--rouge-types", types.join(","), ...(words === "stem" ? ["--stemmer"] : [])];
      const whole = await score("rouge", files, ...options);
      expect(differences(triples(whole, types), mean[words], words)).toEqual([]);
      expect(whole.score).toBe((whole.rougeL as Json).fmeasure);
      expect(await score("rouge", text, ...options, "--newline", "<n>")).toEqual(whole);
      const args = ["--metric", "rouge", "--hypotheses", files[0]!, "--references", files[1]!];
      const single = await scoreAll([...args, "--sentence", ...options]);
      const found = entries.flatMap((entry, line) =>
        differences(triples(single[line]!, types), entry[words], `${line}`),
      );
      expect(found).toEqual([]);
    }
  });

  it.each(["", "cases."])("squad on %sinputs", async (part) => {
    const { questions } = readMetricJson<{ questions: { answers: string[]; prediction?: string }[] }>(
      `squad/${part}inputs.json`,
    );
    const golden = readMetricJson<{
      exact_match: number;
      f1: number;
      entries: { f1: number; exact_match: number }[];
    }>(`squad/${part}expected.json`);
    const files = [
      jsonLines(
        "predictions",
        questions.map(({ prediction }) => prediction ?? null),
      ),
      jsonLines(
        "answers",
        questions.map(({ answers }) => answers),
      ),
    ];
    const { metric, ...actual } = await score("squad", files);
    const { exact_match, f1 } = golden;
    expect(differences(actual, { score: f1, exact_match, f1, total: questions.length }, "all")).toEqual([]);
    const single = await scoreAll([
      "--metric",
      "squad",
      "--hypotheses",
      files[0]!,
      "--references",
      files[1]!,
      "--sentence",
    ]);
    const found = golden.entries.flatMap((entry, line) =>
      differences(single[line]!.f1, 100 * entry.f1, `${line}`),
    );
    expect(found).toEqual([]);
  });

  it("accuracy, f1, matthews", async () => {
    interface Case {
      readonly id: string;
      readonly y_true: (string | number)[];
      readonly y_pred: (string | number)[];
      readonly pos_label?: string | number;
    }
    interface Entry extends Json {
      readonly case: string;
      readonly labels: (string | number)[];
      readonly per_label: number[][];
      readonly binary?: Triple;
    }
    const { cases } = readMetricJson<{ cases: Case[] }>("classification/inputs.json");
    const { entries } = readMetricJson<{ entries: Entry[] }>("classification/expected.json");
    const found: string[] = [];
    for (const entry of entries) {
      const { y_true, y_pred, pos_label } = cases.find(({ id }) => id === entry.case)!;
      const files = [lines("predicted", y_pred), lines("expected", y_true)];
      const all: Json = {};
      for (const average of ["micro", "macro", "weighted", "none"]) {
        const result = await score("f1", files, "--average", average);
        all[average] = result.score;
        const { matthews_corrcoef, confusion_matrix, labels, accuracy } = result;
        const rates = ["micro", "macro", "weighted"].map((name) => [name, triple(result[name] as Json)]);
        const perLabel = entry.labels.map((label) => {
          const ofLabel = (result.per_label as Record<string, Json>)[label]!;
          return [...triple(ofLabel), ofLabel.support];
        });
        const { case: _, binary, ...golden } = entry;
        const whole = { labels, accuracy, matthews_corrcoef, confusion_matrix, per_label: perLabel };
        found.push(
          ...differences({ ...whole, ...Object.fromEntries(rates) }, golden, `${entry.case} ${average}`),
        );
      }
      const f1 = (name: string) => (entry[name] as Triple)[2];
      const expected = { micro: f1("micro"), macro: f1("macro"), weighted: f1("weighted") };
      found.push(
        ...differences(all, { ...expected, none: entry.per_label.map((rates) => rates[2]) }, entry.case),
      );
      expect((await score("f1", files)).score).toBe(all.macro);
      if (entry.binary !== undefined) {
        const binary = await score("f1", files, "--average", "binary", "--positive-label", String(pos_label));
        found.push(...differences(triple(binary.binary as Json), entry.binary, `${entry.case} binary`));
        found.push(...differences(binary.score, entry.binary[2], `${entry.case} binary score`));
      }
      const right = await score("accuracy", files);
      const matthews = await score("matthews", files);
      found.push(...differences(right.score, entry.accuracy, `${entry.case} accuracy`));
      found.push(...differences(matthews.score, entry.matthews_corrcoef, `${entry.case} matthews`));
    }
    expect(found).toEqual([]);
    expect(entries.length).toBe(cases.length);
  });

  it("pearson and spearman", async () => {
    const { cases } = readMetricJson<{ cases: { id: string; x: number[]; y: number[] }[] }>(
      "correlation/inputs.json",
    );
    const { entries } = readMetricJson<{
      entries: { case: string; pearson: GoldenNumber; spearman: GoldenNumber }[];
    }>("correlation/expected.json");
    for (const { case: id, pearson, spearman } of entries) {
      const { x, y } = cases.find((one) => one.id === id)!;
      const files = [lines("x", x), lines("y", y)];
      for (const [name, golden] of Object.entries({ pearson, spearman })) {
        const actual = await score(name, files);
        expect(actual[`${name}r`]).toBe(actual.score);
        if (golden === "NaN") expect(actual.score).toBeNull();
        // What is 0 but for rounding depends on the order of a sum.
        else
          expect(Math.abs((actual.score as number) - golden)).toBeLessThanOrEqual(
            1e-15 + 1e-9 * Math.abs(golden),
          );
      }
    }
    expect(entries.length).toBe(cases.length);
  });

  describe("entity-f1", () => {
    interface Golden extends Json {
      readonly scheme: string | null;
      readonly accuracy: number | Json;
      readonly per_type: Record<string, GoldenNumber[]>;
      readonly error?: string;
    }

    async function compare(
      files: readonly string[],
      golden: Golden,
      place: string,
      more: readonly string[] = [],
    ) {
      const options = [...more, ...(golden.scheme === null ? [] : ["--scheme", golden.scheme, "--strict"])];
      if (golden.error !== undefined) {
        await expect(score("entity-f1", files, ...options), place).rejects.toThrow("exit code 2");
        return [];
      }
      const actual = await score("entity-f1", files, ...options);
      const found = ["micro", "macro", "weighted"].flatMap((name) =>
        differences(quadruple(actual[name] as Json), withoutNaN(golden[name]), `${place} ${name}`),
      );
      const perType = Object.entries(actual.per_type as Record<string, Json>);
      const types = Object.fromEntries(perType.map(([type, rates]) => [type, quadruple(rates)]));
      found.push(...differences(types, golden.per_type, `${place} types`));
      for (const name of ["performance_measure", "n_true", "n_pred"]) {
        if (golden[name] !== undefined)
          found.push(...differences(actual[name], golden[name], `${place} ${name}`));
      }
      if (typeof golden.accuracy === "number") {
        found.push(...differences(actual.accuracy, golden.accuracy, `${place} accuracy`));
      }
      found.push(...differences(actual.score, (golden.micro as number[])[2], `${place} score`));
      for (const average of ["macro", "weighted"]) {
        const { score: own } = await score("entity-f1", files, ...options, "--average", average);
        found.push(
          ...differences(own, withoutNaN((golden[average] as GoldenNumber[])[2]), `${place} ${average}`),
        );
      }
      return found;
    }

    it("on the files of every scheme", async () => {
      type Entry = Golden & { readonly files?: string; readonly true?: string; readonly pred?: string };
      const { entries } = readMetricJson<{ entries: Entry[] }>("seqeval/expected.json");
      const found: string[] = [];
      for (const entry of entries) {
        const pred = sharedPath(`goldens/metrics/seqeval/${entry.files ?? entry.pred}.pred.txt`);
        const right = sharedPath(`goldens/metrics/seqeval/${entry.files ?? entry.true}.true.txt`);
        found.push(...(await compare([pred, right], entry, `${entry.files ?? entry.pred} ${entry.scheme}`)));
      }
      expect(found).toEqual([]);
      expect(entries.length).toBeGreaterThan(20);
    });

    it("on hand-written cases", async () => {
      interface Case {
        readonly id: string;
        readonly y_true: string[][];
        readonly y_pred: string[][];
        readonly suffix?: boolean;
        readonly zero_division?: number;
      }
      const { cases } = readMetricJson<{ cases: Case[] }>("seqeval/cases.inputs.json");
      const { entries } = readMetricJson<{ entries: (Golden & { case: string })[] }>(
        "seqeval/cases.expected.json",
      );
      const found: string[] = [];
      for (const entry of entries) {
        const { y_true, y_pred, suffix, zero_division } = cases.find(({ id }) => id === entry.case)!;
        const files = [jsonLines("pred", y_pred), jsonLines("true", y_true)];
        const options = [
          ...(suffix ? ["--suffix"] : []),
          ...(zero_division === undefined ? [] : ["--zero-division", String(zero_division)]),
        ];
        found.push(...(await compare(files, entry, `${entry.case} ${entry.scheme}`, options)));
      }
      expect(found).toEqual([]);
      expect(entries.length).toBeGreaterThan(100);
    });
  });
});

function triples(scores: Json, types: readonly string[]): Record<string, unknown[]> {
  return Object.fromEntries(
    types.map((type) => {
      const { precision, recall, fmeasure } = scores[type] as Json;
      return [type, [precision, recall, fmeasure]];
    }),
  );
}

function triple({ precision, recall, f1 }: Json): unknown[] {
  return [precision, recall, f1];
}

function quadruple({ precision, recall, f1, support }: Json): unknown[] {
  return [precision, recall, f1, support];
}
