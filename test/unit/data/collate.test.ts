import { expect, test } from "vitest";
import { collate } from "../../../src/data/collate.ts";
import { parallelCorpusOf } from "../../../src/data/parallel-corpus.ts";

const corpus = parallelCorpusOf([
  { source: [10, 11, 12], target: [20] },
  { source: [13], target: [21, 22] },
]);
const ids = { padId: 0, bosId: 1, eosId: 2 };

test("puts marks and padding where teacher forcing needs them", () => {
  expect(collate(corpus, [1, 0], ids)).toEqual({
    rows: 2,
    sourceWidth: 3,
    targetWidth: 3,
    source: Int32Array.of(13, 0, 0, 10, 11, 12),
    sourceLengths: Int32Array.of(1, 3),
    targetInput: Int32Array.of(1, 21, 22, 1, 20, 0),
    labels: Int32Array.of(21, 22, 2, 20, 2, 0),
    targetLengths: Int32Array.of(3, 2),
    tokenCount: 5,
    sourceTokenCount: 4,
  });
});

test("appends an end mark to the source and rounds the widths up", () => {
  expect(collate(corpus, [0, 1], { ...ids, appendEos: true, lengthMultiple: 4 })).toMatchObject({
    sourceWidth: 4,
    targetWidth: 4,
    source: Int32Array.of(10, 11, 12, 2, 13, 2, 0, 0),
    sourceLengths: Int32Array.of(4, 2),
    targetInput: Int32Array.of(1, 20, 0, 0, 1, 21, 22, 0),
    labels: Int32Array.of(20, 2, 0, 0, 21, 22, 2, 0),
    sourceTokenCount: 6,
  });
});

test("a second end mark is an error", () => {
  const marked = parallelCorpusOf([{ source: [10, 2], target: [20, 2] }]);
  const unmarkedTarget = parallelCorpusOf([{ source: [10, 2], target: [20] }]);
  expect(() => collate(marked, [0], ids)).toThrow(
    /a target that gets an end mark must not have one; got pair 0/,
  );
  expect(() => collate(unmarkedTarget, [0], { ...ids, appendEos: true })).toThrow(/leave appendEos out/);
  expect(collate(unmarkedTarget, [0], ids).source).toEqual(Int32Array.of(10, 2));
});

test("a corpus in memory refuses what is no token id", () => {
  expect(() => parallelCorpusOf([{ source: [1, -1], target: [] }])).toThrow(
    /pair 0: .* got -1 at position 1/,
  );
});
