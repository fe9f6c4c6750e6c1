import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeFolder, output, qkv } from "./qkv.ts";

const folder = makeFolder();
const file = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const hypotheses = file("hyp", "The cat sat on the mat .\nIt is raining again today\n");
const first = file("ref1", "The cat sat on the mat.\nIt rains again today.\n");
const second = file("ref2", "A cat was sitting on the mat.\nToday it is raining again.\n");

describe("qkv score", () => {
  test("BLEU with sacreBLEU's signature, in words and as JSON", async () => {
    const args = ["score", "--hypotheses", hypotheses, "--references", first];
    const signature = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0";
    const [text, own] = (await output(args)).trim().split("\n");
    expect(text).toMatch(/^BLEU = \d+\.\d\d \d/);
    expect(own).toBe(signature);
    const { score, ...rest } = JSON.parse(await output([...args, "--metric", "bleu", "--json"]));
    expect(rest).toMatchObject({ metric: "bleu", signature, bp: 1, sys_len: 12, ref_len: 12 });
    expect(text).toContain(`BLEU = ${score.toFixed(2)} `);
  });

  test("several references, options, other metrics, single lines", async () => {
    const args = ["score", "--hypotheses", hypotheses, "--references", first, second, "--json"];
    const signature = async (...more: string[]) => JSON.parse(await output([...args, ...more])).signature;
    expect(
      await signature(
        "--tokenize",
        "char",
        "--lowercase",
        "--smooth-method",
        "floor",
        "--smooth-value",
        "0.5",
      ),
    ).toBe("nrefs:2|case:lc|eff:no|tok:char|smooth:floor[0.50]|version:2.6.0");
    expect(await signature("--metric", "chrf++")).toMatch(/^nrefs:2\|case:mixed\|eff:yes\|nc:6\|nw:2\|/);
    const sentences = await output([
      "score",
      "--hypotheses",
      hypotheses,
      "--references",
      first,
      "--sentence",
    ]);
    expect(sentences).toMatch(/^\d+\.\d\d\n\d+\.\d\d\n$/);
  });

  test("lines end at \\n only", async () => {
    const odd = file("odd", "a\u2028b c\fd\u0085e\nsecond line here\n");
    const { code } = await qkv(["score", "--hypotheses", odd, "--references", odd]);
    expect(code).toBe(0);
    const { stdout } = await qkv(["score", "--hypotheses", odd, "--references", odd, "--sentence"]);
    expect(stdout.trim().split("\n")).toHaveLength(2);
  });

  test.each([
    [
      ["--tokenize", "13"],
      'It must be one of 13a, none, intl, char, zh, moses-de, moses-en (did you mean "13a"?).',
    ],
    [
      ["--metric", "chrf", "--tokenize", "13a"],
      "chrf: has no option --tokenize, which is for bleu; it has --char-",
    ],
    [
      ["--metric", "accuracy", "--average", "macro"],
      "accuracy: has no option --average, which is for f1, entity-f1;",
    ],
    [["--metric", "rouge", "--rouge-types", "rouge"], '"rouge" is not one of rouge1, '],
    [["--metric", "f2"], '(did you mean "f1"?)'],
    [["--metric", "f1", "--average", "makro"], '(did you mean "macro"?)'],
    [
      ["--metric", "f1", "--average", "micro", "--positive-label", "x"],
      "--positive-label goes with --average binary",
    ],
    [["--metric", "entity-f1", "--scheme", "IOB3", "--strict"], '(did you mean "IOB1"?)'],
    [["--metric", "entity-f1", "--strict"], "entity-f1: --strict needs --scheme; got none"],
    [["--metric", "spearman"], ': line 1: a line holds one number; got "The cat sat on the mat ."'],
    [["--metric", "perplexity"], "perplexity: takes no --references; got 1 files"],
    [["--metric", "accuracy", "--sentence"], "accuracy: a single line has no score; leave --sentence out"],
    [["--smooth-value", "1"], "smoothValue goes with smoothMethod floor or add-k"],
    [["--max-ngram-order", "0"], "It must be a whole number, 1 or more."],
    [["--lowercas"], "(Did you mean --lowercase?)"],
  ])("refuses %j", async (more, message) => {
    const { code, stderr } = await qkv(["score", "--hypotheses", hypotheses, "--references", first, ...more]);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });

  test("other metrics, in words and as JSON", async () => {
    const words = (name: string, ...lines: string[]) => file(name, `${lines.join("\n")}\n`);
    const run = async (metric: string, got: string, right: string | undefined, ...more: string[]) => {
      const files = ["--hypotheses", got, ...(right === undefined ? [] : ["--references", right])];
      return await output(["score", "--metric", metric, ...files, ...more]);
    };
    const predicted = words("predicted", "cat", "dog", "dog ", "cow");
    const labels = words("labels", "cat", "dog", "cow", "cow");
    expect(await run("accuracy", predicted, labels)).toBe("accuracy = 0.7500  correct = 3 of 4\n");
    expect(
      await run("f1", predicted, labels, "--average", "binary", "--positive-label", "cat").catch(String),
    ).toContain("positiveLabel goes with two classes");
    const table = (await run("f1", predicted, labels)).split("\n");
    expect(table[0]).toBe("macro F1 = 0.7778");
    expect(table[2]).toMatch(/^cat +1\.0000 +1\.0000 +1\.0000 +1$/);
    const none = JSON.parse(await run("f1", predicted, labels, "--average", "none", "--json"));
    expect([none.labels, none.score]).toEqual([
      ["cat", "cow", "dog"],
      [1, 2 / 3, 2 / 3],
    ]);
    const ranked = words("ranked", "d1 d2 d3", "d4 d5 d6");
    const relevant = words("relevant", "d2 d9", "d4");
    expect(JSON.parse(await run("recall-at-k", ranked, relevant, "--k", "2", "--json"))).toEqual({
      metric: "recall-at-k",
      score: 0.75,
      "recall@2": 0.75,
      k: 2,
      total: 2,
    });
    expect(JSON.parse(await run("mrr", ranked, relevant, "--json"))).toMatchObject({
      score: 0.75,
      mrr: 0.75,
    });
    const logs = words("logs", `${Math.log(0.5)} ${Math.log(0.25)}`, `${Math.log(0.25)} ${Math.log(0.125)}`);
    expect(JSON.parse(await run("perplexity", logs, undefined, "--json")).score).toBeCloseTo(4, 12);
    const texts = words("texts", "ab", "ä");
    expect(JSON.parse(await run("bits-per-byte", logs, texts, "--json"))).toMatchObject({
      bytes: 4,
      tokens: 4,
    });
    const answers = words("answers", "The Broncos\tBroncos", "1999");
    const given = words("given", "broncos!", "in 1999");
    expect(await run("squad", given, answers)).toBe("F1 = 83.33  exact match = 50.00  questions = 2\n");
    const tags = words("tags", "B-PER I-PER O", "O B-LOC");
    const lenient = await qkv([
      "score",
      "--metric",
      "entity-f1",
      "--scheme",
      "IOB2",
      "--hypotheses",
      tags,
      "--references",
      tags,
    ]);
    expect(lenient.stdout).toMatch(/^micro F1 = 1\.0000\n/);
    expect(lenient.stderr).toBe("qkv: --scheme IOB2 counts with --strict only; tags are read leniently\n");
  });

  test("JSON Lines hold texts with line breaks, lists, and null", async () => {
    const got = file("got.jsonl", '"a\\nb"\nnull\n');
    const right = file("right.jsonl", '["a b", "c"]\n["x"]\n');
    const json = JSON.parse(
      await output(["score", "--metric", "squad", "--hypotheses", got, "--references", right, "--json"]),
    );
    expect(json).toMatchObject({ score: 50, exact_match: 50 });
    const broken = file("broken.jsonl", '"a"\n"b\n');
    const { code, stderr } = await qkv(["score", "--hypotheses", broken, "--references", right]);
    expect(stderr).toContain("broken.jsonl: line 2: each line of a .jsonl file is a JSON value; got");
    expect(code).toBe(2);
  });

  test("BLEU on Moses's tokens does not claim sacreBLEU's version", async () => {
    const args = [
      "score",
      "--hypotheses",
      hypotheses,
      "--references",
      first,
      "--tokenize",
      "moses-en",
      "--json",
    ];
    expect(JSON.parse(await output(args)).signature).toBe(
      "nrefs:1|case:mixed|eff:no|tok:moses-en|smooth:exp|version:qkv-moses-1",
    );
  });

  test("unequal numbers of tags: both figures, exit code 2", async () => {
    const got = file("got.tags", "O O\nB-PER\n");
    const right = file("right.tags", "O O\nB-PER O\n");
    const { code, stderr } = await qkv([
      "score",
      "--metric",
      "entity-f1",
      "--hypotheses",
      got,
      "--references",
      right,
    ]);
    expect(stderr).toContain("sentence 2: every word has a right and a predicted tag; got 2 and 1 tags");
    expect(code).toBe(2);
  });

  test("a tag that no scheme has: the place, exit code 2", async () => {
    const got = file("odd.tags", "O O\nX-PER O\n");
    const { code, stderr } = await qkv([
      "score",
      "--metric",
      "entity-f1",
      "--hypotheses",
      got,
      "--references",
      got,
    ]);
    expect(stderr).toContain('sentence 2: the prefixes of tags are B, I, E, S, O; got "X-PER" as tag 1');
    expect(code).toBe(2);
  });

  test("unequal line counts: both figures, exit code 2", async () => {
    const short = file("short", "one line\n");
    const { code, stderr } = await qkv(["score", "--hypotheses", hypotheses, "--references", first, short]);
    expect(stderr).toBe(
      `qkv: ${hypotheses} and ${short}: must have the same number of lines; got 2 and 1; ` +
        "line N of one belongs to line N of the other\n",
    );
    expect(code).toBe(2);
  });
});
