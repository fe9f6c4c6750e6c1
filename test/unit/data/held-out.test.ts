import { expect, test } from "vitest";
import { heldOutLimit, neverHeldOut, sentenceNumber, wantedHeldOut } from "../../../src/data/held-out.ts";

test("one in fifty is wanted, 1,000 at most", () => {
  expect([0, 10, 50, 400, 29_000, 50_000, 5_000_000].map(wantedHeldOut)).toEqual([
    0, 0, 1, 8, 580, 1000, 1000,
  ]);
});

test("sentences that differ in case and punctuation only have the same number", () => {
  const number = sentenceNumber("Where is it?", 1);
  expect(sentenceNumber("where is it", 1)).toBe(number);
  expect(sentenceNumber("Where is it?", 2)).not.toBe(number);
  expect(sentenceNumber("Where was it?", 1)).not.toBe(number);
  expect(sentenceNumber(" ?! ", 1)).toBe(neverHeldOut);
});

const heldOut = (numbers: number[], wanted: number) => {
  const limit = heldOutLimit(Uint32Array.from(numbers), wanted);
  return numbers.filter((number) => number < limit).length;
};

test("as many are held out as are wanted, equal ones together", () => {
  const numbers = Array.from({ length: 1000 }, (_, line) => sentenceNumber(`sentence ${line}`, 3));
  for (const wanted of [1, 20, 999]) expect(heldOut(numbers, wanted)).toBe(wanted);
  expect(heldOut(numbers, 0)).toBe(0);
  expect(heldOut([5, 5, 5, 9, 9, 9, 9], 2)).toBe(3);
});

test("a sentence that is everywhere is not held out", () => {
  expect(heldOut(new Array(100).fill(7), 2)).toBe(0);
  expect(heldOut([3, ...new Array(100).fill(7)], 2)).toBe(1);
  expect(heldOut([neverHeldOut, neverHeldOut], 1)).toBe(0);
});
