import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compareCodePoints,
  formatFixed,
  splitWhitespace,
  trimWhitespace,
  trimWhitespaceEnd,
} from "../../../src/metrics/text.ts";

describe("white space", () => {
  it("is that of Python", () => {
    expect(splitWhitespace("a\u00a0b\u3000c\u2009d\u2028e\u0085f\u001cg\u001fh")).toEqual([..."abcdefgh"]);
    expect(splitWhitespace("a\u200bb\ufeffc\u180ed\u2060e")).toHaveLength(1);
    expect(splitWhitespace(" \t\n")).toEqual([]);
  });

  it("goes from the ends and stays inside", () => {
    expect(trimWhitespaceEnd(" a b\u3000\n")).toBe(" a b");
    expect(trimWhitespace("\u0085 a b\u3000\n")).toBe("a b");
    expect(trimWhitespace("\ufeffa")).toBe("\ufeffa");
    expect(trimWhitespace(" \t")).toBe("");
  });
});

describe("formatFixed", () => {
  it("rounds an exact tie to the even digit", () => {
    expect([0.125, 0.375, 0.625].map((value) => formatFixed(value, 2))).toEqual(["0.12", "0.38", "0.62"]);
    expect([6.25, 6.75, 93.75].map((value) => formatFixed(value, 1))).toEqual(["6.2", "6.8", "93.8"]);
  });

  it("takes a double that only looks like a tie for what it is", () => {
    expect(formatFixed(1.005, 2)).toBe("1.00");
    expect(formatFixed(0.15, 1)).toBe("0.1");
    expect(formatFixed(0.25 + 2 ** -54, 1)).toBe("0.3");
  });

  it("is toFixed everywhere else", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e4, noNaN: true }),
        fc.integer({ min: 1, max: 4 }),
        (value, decimals) => {
          fc.pre((value * 2 * 10 ** decimals) % 1 !== 0);
          expect(formatFixed(value, decimals)).toBe(value.toFixed(decimals));
        },
      ),
    );
  });
});

describe("compareCodePoints", () => {
  it("puts the supplementary planes behind the last character of the first", () => {
    expect(["😀", "\uff21", "b", "a", "ab"].sort(compareCodePoints)).toEqual([
      "a",
      "ab",
      "b",
      "\uff21",
      "😀",
    ]);
    expect(["😁", "😀", "😀a"].sort(compareCodePoints)).toEqual(["😀", "😀a", "😁"]);
  });
});
