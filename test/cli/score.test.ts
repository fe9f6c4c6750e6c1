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
    expect(rest).toEqual({ metric: "bleu", signature });
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
    [["--tokenize", "moses"], "Allowed choices are 13a, none, intl, char, zh."],
    [
      ["--metric", "chrf", "--tokenize", "13a"],
      "chrf: has no option tokenize, which is BLEU's; leave it out",
    ],
    [["--smooth-value", "1"], "smoothValue goes with smoothMethod floor or add-k"],
    [["--max-ngram-order", "0"], "It must be a whole number, 1 or more."],
    [["--lowercas"], "(Did you mean --lowercase?)"],
  ])("refuses %j", async (more, message) => {
    const { code, stderr } = await qkv(["score", "--hypotheses", hypotheses, "--references", first, ...more]);
    expect(stderr).toContain(message);
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
