import { describe, expect, test } from "vitest";
import { groupPairs, normaliseSentence, splitPairs } from "../../../src/data/split.ts";

describe("normaliseSentence", () => {
  test.each([
    ["Hello, world!", "hello world"],
    ["  It's   late.", "it’s late"],
    ["cafe\u0301", "CAFÉ"],
    ["Er weiß, daß ...", "er weiss dass"],
    ["ein well-known Wort", "ein wellknown Wort"],
    ["5 €", "5"],
  ])("%s = %s", (left, right) => expect(normaliseSentence(left)).toBe(normaliseSentence(right)));

  test.each([
    ["schon", "schön"],
    ["2", "3"],
    ["he", "she"],
  ])("%s differs from %s", (left, right) =>
    expect(normaliseSentence(left)).not.toBe(normaliseSentence(right)));
});

test("groupPairs joins pairs along chains of shared sentences", () => {
  const sources = ["a", "b", "c", "A!", "d", "e"];
  const targets = ["x", "y", "z", "y", "z", "w"];
  expect([...groupPairs(sources, targets)]).toEqual([0, 0, 2, 0, 2, 5]);
  expect(() => groupPairs(["a"], [])).toThrow(/got 1 sources and 0 targets/);
});

describe("splitPairs", () => {
  // Fifty sources with three targets each, of which one is shared by two sources.
  const sources: string[] = [];
  const targets: string[] = [];
  for (let source = 0; source < 50; source++) {
    for (const target of [`${source} x`, `${source} y`, `${source >> 1} shared`]) {
      sources.push(`${source}.`);
      targets.push(target);
    }
  }
  const options = { seed: 1, test: 6, validation: 4 };

  test("parts share no sentence, and every pair stands in one of the four", () => {
    const split = splitPairs(sources, targets, options);
    expect([split.test.length, split.validation.length]).toEqual([6, 4]);
    expect(split.train.length).toBe(150 - 30);
    const all = [...split.train, ...split.validation, ...split.test, ...split.unused].sort((a, b) => a - b);
    expect(all).toEqual([...sources.keys()]);
    const sentences = (pairs: Int32Array) => [...pairs].flatMap((pair) => [sources[pair]!, targets[pair]!]);
    const train = new Set(sentences(split.train));
    const validation = new Set(sentences(split.validation));
    const heldOut = sentences(split.test);
    expect([...heldOut, ...validation].filter((sentence) => train.has(sentence))).toEqual([]);
    expect(heldOut.filter((sentence) => validation.has(sentence))).toEqual([]);
    expect(new Set([...split.test].map((pair) => sources[pair])).size).toBe(6);
  });

  test("depends on the seed and on nothing else", () => {
    expect(splitPairs(sources, targets, options)).toEqual(splitPairs(sources, targets, options));
    expect(splitPairs(sources, targets, { ...options, seed: 2 }).test).not.toEqual(
      splitPairs(sources, targets, options).test,
    );
  });

  test("numbers that cannot be met", () => {
    expect(() => splitPairs(sources, targets, { ...options, test: 51 })).toThrowErrorMatchingInlineSnapshot(
      `[QkvError: split: test asks for 51 pairs that share no sentence with the other parts; got 50 from 150 pairs in 25 groups; ask for fewer]`,
    );
    expect(() => splitPairs(sources, targets, { ...options, test: 7 })).toThrow(/asks for 7 pairs/);
    expect(() => splitPairs(sources, targets, { ...options, test: -1 })).toThrow(/0 or more; got -1/);
  });
});
