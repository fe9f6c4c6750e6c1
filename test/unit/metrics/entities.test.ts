import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { extractEntities } from "../../../src/metrics/entities.ts";
import { type EntityScoreOptions, scoreEntities } from "../../../src/metrics/entity-score.ts";

const tags = (text: string) => text.split(" ");

describe("extractEntities", () => {
  it("reads tags leniently without a scheme", () => {
    expect(extractEntities(tags("I-PER I-LOC B-LOC O"))).toEqual([
      { type: "PER", start: 0, end: 1 },
      { type: "LOC", start: 1, end: 2 },
      { type: "LOC", start: 2, end: 3 },
    ]);
    expect(extractEntities(tags("B I O"))).toEqual([{ type: "_", start: 0, end: 2 }]);
  });

  it("leaves out what is not well-formed in the scheme", () => {
    expect(extractEntities(tags("I-PER O B-LOC"), { scheme: "IOB2" })).toEqual([
      { type: "LOC", start: 2, end: 3 },
    ]);
    expect(extractEntities(tags("B-PER I-PER O U-LOC"), { scheme: "BILOU" })).toEqual([
      { type: "LOC", start: 3, end: 4 },
    ]);
  });

  it("reads prefixes at the end", () => {
    expect(extractEntities(tags("PER-B PER-I O"), { suffix: true })).toEqual([
      { type: "PER", start: 0, end: 2 },
    ]);
  });

  it("refuses a tag that the scheme does not have", () => {
    expect(() => extractEntities(tags("O S-PER"), { scheme: "IOB2" })).toThrow(
      'extractEntities: the prefixes of tags are I, O, B; got "S-PER" as tag 2',
    );
    expect(() => extractEntities(tags("U-PER"))).toThrow("the prefixes of tags are B, I, E, S, O");
    // @ts-expect-error an unknown scheme
    expect(() => extractEntities([], { scheme: "IOB" })).toThrow('(did you mean "IOB1"?)');
  });

  it("gives back the entities that well-formed tags were written from, in every scheme", () => {
    const spans = fc.array(fc.tuple(fc.constantFrom("PER", "LOC", "O"), fc.integer({ min: 1, max: 3 })));
    fc.assert(
      fc.property(spans, fc.constantFrom("IOB2", "IOBES", "BILOU", "IOE2"), (drawn, scheme) => {
        const written: string[] = [];
        const entities = drawn.flatMap(([type, length]) => {
          const start = written.length;
          for (let word = 0; word < length; word++) written.push(writeTag(scheme, type, word, length));
          return type === "O" ? [] : [{ type, start, end: start + length }];
        });
        expect(extractEntities(written, { scheme })).toEqual(entities);
        if (scheme !== "BILOU") expect(extractEntities(written)).toEqual(entities);
      }),
    );
  });
});

describe("scoreEntities", () => {
  it("counts an entity as right if words and type are", () => {
    const score = scoreEntities([tags("B-PER I-PER O B-LOC")], [tags("B-PER O O B-LOC")]);
    expect(score.micro).toEqual({ precision: 0.5, recall: 0.5, f1: 0.5, support: 2 });
    expect(score.perType.map(({ type, f1 }) => [type, f1])).toEqual([
      ["LOC", 1],
      ["PER", 0],
    ]);
    expect(score.accuracy).toBe(0.75);
  });

  it("refuses sentences that do not match, with the place", () => {
    expect(() => scoreEntities([["O"]], [])).toThrow("the same number of sentences; got 1 and 0");
    expect(() => scoreEntities([["O"], ["O", "O"]], [["O"], ["O"]])).toThrow(
      "scoreEntities, sentence 2: every word has a right and a predicted tag; got 2 and 1 tags",
    );
    expect(() => scoreEntities([["O"], ["X"]], [["O"], ["O"]])).toThrow(
      "scoreEntities, sentence 2: the prefixes",
    );
    const options = { zero_division: 1 } as EntityScoreOptions;
    expect(() => scoreEntities([["O"]], [["O"]], options)).toThrow('(did you mean "zeroDivision"?)');
  });
});

function writeTag(scheme: string, type: string, word: number, length: number): string {
  if (type === "O") return "O";
  const [last, single] = scheme === "BILOU" ? ["L", "U"] : ["E", "S"];
  const isLast = word === length - 1;
  if (scheme === "IOB2") return `${word === 0 ? "B" : "I"}-${type}`;
  if (scheme === "IOE2") return `${isLast ? "E" : "I"}-${type}`;
  if (length === 1) return `${single}-${type}`;
  if (word === 0) return `B-${type}`;
  return `${isLast ? last : "I"}-${type}`;
}

it("reads IOE1 as the reference's table says", () => {
  const read = (...tags: string[]) =>
    extractEntities(tags, { scheme: "IOE1" }).map(({ type, start, end }) => [type, start, end]);
  expect(read("I-PER", "I-PER", "O", "I-LOC", "O")).toEqual([
    ["PER", 0, 2],
    ["LOC", 3, 4],
  ]);
  expect(read("I-PER", "E-PER", "I-PER", "O")).toEqual([
    ["PER", 0, 2],
    ["PER", 2, 3],
  ]);
  expect(read("I-PER", "I-LOC", "O")).toEqual([
    ["PER", 0, 1],
    ["LOC", 1, 2],
  ]);
  expect(() => read("B-PER")).toThrow('the prefixes of tags are I, O, E; got "B-PER" as tag 1');
});
