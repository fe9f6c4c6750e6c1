import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { balancedClassWeights, countClasses } from "../../../src/data/class-weights.ts";
import { splitRecords } from "../../../src/data/split-records.ts";

describe("splitRecords", () => {
  test("by number, by part, and what it says", () => {
    const split = splitRecords(1000, { seed: 1, validation: 0.1 });
    expect([split.train.length, split.validation.length]).toEqual([900, 100]);
    expect(split.explanation).toMatchInlineSnapshot(
      `"100 of 1,000 records are held out for validation, chosen by seed 1; 900 are left for training"`,
    );
    expect(splitRecords(1000, { seed: 1, validation: 100 }).validation).toEqual(split.validation);
    expect(splitRecords(1000, { seed: 2, validation: 100 }).validation).not.toEqual(split.validation);
    expect(splitRecords(10, { seed: 1, validation: 0.001 }).validation).toHaveLength(1);
  });

  test("groups stay together", () => {
    const groups = Array.from({ length: 100 }, (_, record) => `author ${record % 7}`);
    const split = splitRecords(100, { seed: 3, validation: 0.3, groups });
    expect(split.explanation).toMatchInlineSnapshot(
      `"28 of 100 records (2 of 7 groups) are held out for validation, chosen by seed 3; 72 are left for training"`,
    );
  });

  test("each record stands in one part, in order, and no group in both", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(9), { minLength: 2, maxLength: 60 }),
        fc.integer(),
        fc.double({ min: 0.01, max: 0.9, noNaN: true }),
        (groups, seed, validation) => {
          let split: ReturnType<typeof splitRecords>;
          try {
            split = splitRecords(groups.length, { seed, validation, groups });
          } catch (error) {
            expect(String(error)).toMatch(/both parts need records/);
            return;
          }
          const all = [...split.train, ...split.validation];
          expect(all.sort((left, right) => left - right)).toEqual([...groups.keys()]);
          for (const part of [split.train, split.validation]) expect(part).toEqual(part.toSorted());
          const held = new Set(Array.from(split.validation, (record) => groups[record]));
          expect(Array.from(split.train).some((record) => held.has(groups[record]))).toBe(false);
          expect(split.validation.length).toBeLessThanOrEqual(
            Math.max(1, Math.round(validation * groups.length)),
          );
        },
      ),
    );
  });

  test.each([
    [10, { validation: 0 }, /a part between 0 and 1 or a whole number of records; got 0/],
    [10, { validation: 1.5 }, /got 1.5/],
    [10, { validation: Number.NaN }, /got NaN/],
    [10, { validation: 10 }, /both parts need records; got 10 of which to hold out 10; hold out fewer/],
    [1, { validation: 0.5 }, /both parts need records; got 1 /],
    [
      4,
      { validation: 1, groups: [1, 1, 2, 2] },
      /got 4 \(0 of 2 groups\) of which to hold out 1; hold out more/,
    ],
    [4, { validation: 1, groups: [1] }, /each record needs a group; got 1 for 4 records/],
  ])("refuses %s records, %o", (count, options, message) => {
    expect(() => splitRecords(count, { seed: 1, ...options })).toThrow(message);
  });
});

describe("class weights", () => {
  test("n / (k · count), as scikit-learn computes them", () => {
    expect(countClasses([0, 1, 1, -100, 1, 2, 7], 3)).toEqual([1, 3, 1]);
    expect(balancedClassWeights([2, 3, 5])).toEqual([10 / 6, 10 / 9, 10 / 15]);
  });

  test("a class that does not occur", () => {
    expect(() => balancedClassWeights([3, 0])).toThrow(
      /each class must occur; got none of class 1; leave it out/,
    );
  });
});
