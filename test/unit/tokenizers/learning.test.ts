import { describe, expect, test } from "vitest";
import { learnBytePairEncoding } from "../../../src/tokenizers/learning/byte-pair-encoding.ts";
import { learnMerges } from "../../../src/tokenizers/learning/merge-learner.ts";
import { learnUnigram } from "../../../src/tokenizers/learning/unigram.ts";
import { learnWordPiece } from "../../../src/tokenizers/learning/word-piece.ts";

const lines = [
  "low low low low low lower lower newest newest newest newest newest newest widest widest widest",
];

async function* later(texts: readonly string[]): AsyncGenerator<string> {
  for (const text of texts) yield text;
}

/** Merges found in the plainest way: all pairs counted anew each time. */
function mergesByCounting(
  words: number[][],
  counts: number[],
  symbolCount: number,
  limit: number,
): number[][] {
  const merges: number[][] = [];
  let next = symbolCount;
  while (merges.length < limit) {
    const pairs = new Map<string, { left: number; right: number; count: number }>();
    words.forEach((word, index) => {
      for (let at = 0; at + 1 < word.length; at++) {
        const [left, right] = [word[at]!, word[at + 1]!];
        const pair = pairs.get(`${left},${right}`) ?? { left, right, count: 0 };
        pairs.set(`${left},${right}`, { ...pair, count: pair.count + counts[index]! });
      }
    });
    const [best] = [...pairs.values()].sort(
      (one, other) => other.count - one.count || one.left - other.left || one.right - other.right,
    );
    if (best === undefined) break;
    merges.push([best.left, best.right]);
    words = words.map((word) => {
      const merged: number[] = [];
      for (let at = 0; at < word.length; at++) {
        if (word[at] === best.left && word[at + 1] === best.right) {
          merged.push(next);
          at++;
        } else merged.push(word[at]!);
      }
      return merged;
    });
    next++;
  }
  return merges;
}

test("merges are those of counting all pairs anew", () => {
  let state = 12345;
  const random = (limit: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 16) % limit;
  };
  const words = Array.from({ length: 200 }, () => Array.from({ length: 1 + random(9) }, () => random(5)));
  const counts = words.map(() => 1 + random(20));
  // Symbols whose joined texts all differ, so that each merge is a new one.
  const symbols = ["a", "b", "c", "d", "e"];
  const merges = learnMerges({
    words,
    counts,
    symbols,
    join: (left, right) => `(${left}${right})`,
    symbolLimit: 1000,
    mergeLimit: 120,
    minFrequency: 1,
  });
  expect(merges.map(({ left, right }) => [left, right])).toEqual(mergesByCounting(words, counts, 5, 120));
});

describe("byte-pair encoding", () => {
  test("learns the merges of the paper's example", async () => {
    const tokenizer = await learnBytePairEncoding(lines, { merges: 4, preTokenizer: "whitespace" });
    const { merges } = tokenizer.toJson().model as { merges: string[][] };
    expect(merges).toContainEqual(["e", "s"]);
    expect(tokenizer.encode("lowest").tokens.join("")).toBe("lowest</w>");
    expect(tokenizer.decode(tokenizer.encodeIds("low lowest"))).toBe("low lowest");
  });

  test("reads lines from anywhere, reports, and puts the special tokens first", async () => {
    const reports: (number | undefined)[][] = [];
    const options = { vocabSize: 270, template: "eos" as const };
    const tokenizer = await learnBytePairEncoding(later(lines), {
      ...options,
      onProgress: (...report) => reports.push(report),
    });
    expect(tokenizer.toJson()).toEqual((await learnBytePairEncoding(lines, options)).toJson());
    expect(reports.at(-1)).toEqual([10, 10]);
    expect([0, 1, 2, 3].map((id) => tokenizer.idToToken(id))).toEqual(["<pad>", "<s>", "</s>", "<unk>"]);
    expect(tokenizer.encodeIds("low").at(-1)).toBe(2);
    expect(tokenizer.encodeIds("")).toEqual([2]);
  });

  test("puts texts into small letters if asked to", async () => {
    const tokenizer = await learnBytePairEncoding(lines, { vocabSize: 270, lowercase: true });
    expect(tokenizer.encodeIds("LOW")).toEqual(tokenizer.encodeIds("low"));
  });

  test("a word has the same tokens at the beginning and within a text", async () => {
    const tokenizer = await learnBytePairEncoding(lines, { vocabSize: 280 });
    const one = tokenizer.encodeIds("newest");
    expect(tokenizer.encodeIds("newest newest")).toEqual([...one, ...one]);
  });

  test.each([
    [{ vocabSize: 100 }, /must hold .* 260 here; got a vocab_size of 100/],
    [{ vocabSize: 300, merges: 3 }, /vocabSize or merges; got both/],
    [{ specialTokens: ["<pad>", "<pad>"] }, /must be different/],
    [{ specialTokens: ["<pad>"], template: "eos" as const }, /needs the special token <\/s>/],
    [{ specialTokens: ["<pad>"], preTokenizer: "metaspace" as const }, /needs the special token <unk>/],
  ])("refuses %j", async (options, message) => {
    await expect(learnBytePairEncoding(lines, options)).rejects.toThrow(message);
  });
});

test("word pieces carry their prefix", async () => {
  const tokenizer = await learnWordPiece(lines, { vocabSize: 40 });
  expect(tokenizer.encode("lowest low").tokens[0]).toBe("[CLS]");
  expect(tokenizer.tokenToId("##est")).toBeDefined();
  expect(tokenizer.decode(tokenizer.encodeIds("Lowest low"), { skipSpecialTokens: true })).toBe("lowest low");
});

describe("a unigram model", () => {
  test("has at most so many tokens, all characters among them, and cuts words into likely pieces", async () => {
    const tokenizer = await learnUnigram(lines, { vocabSize: 24 });
    expect(tokenizer.vocabSize).toBeLessThanOrEqual(24);
    for (const character of "lowernstid▁") expect(tokenizer.tokenToId(character)).toBeDefined();
    expect(tokenizer.encode("newest").ids.length).toBeLessThan(7);
    expect(tokenizer.decode(tokenizer.encodeIds("newest low"), { skipSpecialTokens: true })).toBe(
      "newest low",
    );
  });

  test("tells how many of its candidates have gone", async () => {
    const reports: number[][] = [];
    const onProgress = (...report: number[]) => reports.push(report);
    const numbers = Array.from({ length: 200 }, (_, index) => `${index * 7919} ${index * 104729}`);
    await learnUnigram(numbers, { vocabSize: 40, onProgress });
    expect(reports.length).toBeGreaterThan(1);
    expect(reports.map(([gone]) => gone)).toEqual(reports.map(([gone]) => gone).sort((a, b) => a! - b!));
    const goal = reports[0]![1]!;
    expect(reports.every((report) => report[1] === goal && report[0]! >= 0 && report[0]! <= goal)).toBe(true);
  });

  test.each([
    [{ vocabSize: 5 }, /vocabulary must hold/],
    [{ shrinkingFactor: 1 }, /shrinkingFactor/],
    [{ specialTokens: ["</s>"] }, /<unk>/],
  ])("refuses %j", async (options, message) => {
    await expect(learnUnigram(lines, options)).rejects.toThrow(message);
  });
});
