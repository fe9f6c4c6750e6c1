import { expect, test } from "vitest";
import {
  axisOf,
  dim,
  evaluateSize,
  formatDims,
  productOfSizes,
  type Size,
  sameDims,
  sumOfSizes,
  termsOfSize,
} from "../../../src/graph/dims.ts";

const lengths = new Map([
  ["a", 3],
  ["b", 5],
  ["rows", 7],
]);
const evaluate = (size: Size) => evaluateSize(size, lengths);

test("an axis is symbolic where no size is given, and printed without one", () => {
  expect(dim("batch")).toEqual({ name: "batch", size: "batch" });
  expect(formatDims([dim("batch"), dim("sequence", "source"), dim("model", 4)])).toBe(
    "[batch, sequence=source, model=4]",
  );
  expect(formatDims([])).toBe("[]");
});

test("axes are the same where names and sizes are, in order", () => {
  expect(sameDims([dim("a"), dim("b", 2)], [dim("a"), dim("b", 2)])).toBe(true);
  expect(sameDims([dim("a"), dim("b", 2)], [dim("b", 2), dim("a")])).toBe(false);
  expect(sameDims([dim("a", 2)], [dim("a", 3)])).toBe(false);
  expect(sameDims([dim("a")], [])).toBe(false);
});

test("an axis is found by its name", () => {
  expect(axisOf([dim("a"), dim("b")], "b", "here")).toBe(1);
  expect(() => axisOf([dim("a"), dim("b", 2)], "c", "here")).toThrow('here: needs an axis "c"; got [a, b=2]');
});

test("products of sizes", () => {
  expect(productOfSizes([])).toBe(1);
  expect(productOfSizes([2, 3])).toBe(6);
  expect(productOfSizes(["a"])).toBe("a");
  expect(productOfSizes(["a", 1])).toBe("a");
  expect(productOfSizes([2, "a", 3, "b"])).toBe("a*b*6");
  expect(productOfSizes(["a*b", "a*2"])).toBe("a*b*a*2");
});

test("a product with a sum in it is written as a sum of products", () => {
  expect(evaluate(productOfSizes(["a", sumOfSizes("b", 1)]))).toBe(3 * (5 + 1));
  expect(evaluate(productOfSizes([sumOfSizes("a", "b"), 2, sumOfSizes("b", 4)]))).toBe((3 + 5) * 2 * (5 + 4));
});

test("sums of sizes", () => {
  expect(sumOfSizes(2, 3)).toBe(5);
  expect(sumOfSizes("a", 1)).toBe("a+1");
  expect(termsOfSize("a*2+b+1")).toEqual([["a", 2], ["b"], [1]]);
});

test("a size has a value once its symbols have one", () => {
  expect(evaluate(4)).toBe(4);
  expect(evaluate("a")).toBe(3);
  expect(evaluate("a*b*2+rows+1")).toBe(38);
  expect(() => evaluate("a*c")).toThrow('no input tells the length of "c"');
});

test("a product that an input tells as a whole needs no value for its factors", () => {
  expect(evaluateSize("x*y", new Map([["x*y", 12]]))).toBe(12);
});
