import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packDocuments } from "../../../src/data/packing.ts";
import { tokenColumnOf } from "../../../src/data/token-column.ts";

const blocksOf = (packed: ReturnType<typeof packDocuments>) =>
  Array.from({ length: packed.length }, (_, block) => [...packed.values(block)]);

const documents = fc.array(fc.array(fc.integer({ min: 1, max: 99 }), { maxLength: 9 }), {
  minLength: 1,
  maxLength: 12,
});
const blockLength = fc.integer({ min: 1, max: 10 });

describe("continuous", () => {
  test("cuts documents with a separator behind each, and counts what is left", () => {
    const column = tokenColumnOf([[1, 2, 3], [4], [], [5, 6, 7, 8]]);
    const packed = packDocuments(column, { blockLength: 5, separator: 0, mode: "continuous" });
    expect(blocksOf(packed)).toEqual([
      [1, 2, 3, 0, 4],
      [0, 0, 5, 6, 7],
    ]);
    expect(packed.dropped).toBe(2);
    expect(packed.pieces(1)).toEqual([
      { example: 1, from: 1, to: 1, separated: true },
      { example: 2, from: 0, to: 0, separated: true },
      { example: 3, from: 0, to: 3, separated: false },
    ]);
  });

  test("without a separator a block is a view", () => {
    const column = tokenColumnOf([[1, 2, 3], [], [4, 5, 6]]);
    const packed = packDocuments(column, { blockLength: 2, mode: "continuous" });
    expect(blocksOf(packed)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(packed.values(1).buffer).toBe(column.values(0).buffer);
    expect([packed.dropped, packed.lengthOf(2)]).toEqual([0, 2]);
  });

  test("is the stream of documents cut every so many tokens", () => {
    fc.assert(
      fc.property(documents, blockLength, fc.boolean(), (examples, length, hasSeparator) => {
        const stream = examples.flatMap((example) => (hasSeparator ? [...example, 0] : example));
        fc.pre(stream.length >= length);
        const packed = packDocuments(tokenColumnOf(examples), {
          blockLength: length,
          mode: "continuous",
          ...(hasSeparator && { separator: 0 }),
        });
        const kept = stream.length - (stream.length % length);
        expect(blocksOf(packed).flat()).toEqual(stream.slice(0, kept));
        expect(packed.dropped).toBe(stream.length - kept);
      }),
    );
  });
});

describe("whole sentences", () => {
  test("fills blocks with whole sentences, across documents, and cuts longer ones", () => {
    const column = tokenColumnOf([
      [1, 2],
      [3],
      [],
      [4],
      [5, 6],
      [],
      [],
      [7, 7, 7, 7, 7, 7, 7],
      [8],
      [],
      [9, 9, 9, 9],
    ]);
    const packed = packDocuments(column, { blockLength: 5, separator: 0, mode: "whole-sentences" });
    expect(blocksOf(packed)).toEqual([
      [1, 2, 3, 0, 4],
      [5, 6],
      [7, 7, 7, 7, 7],
      [7, 7, 8],
      [9, 9, 9, 9],
    ]);
    expect([packed.dropped, packed.lengthOf(3)]).toEqual([0, 3]);
    expect(packed.pieces(0)).toEqual([
      { example: 0, from: 0, to: 2, separated: false },
      { example: 1, from: 0, to: 1, separated: true },
      { example: 3, from: 0, to: 1, separated: false },
    ]);
    expect(packed.pieces(3)[0]).toEqual({ example: 7, from: 5, to: 7, separated: false });
  });

  test("keeps every token in order, no sentence in two blocks, no block with room for the next", () => {
    fc.assert(
      fc.property(documents, blockLength, fc.boolean(), (examples, length, hasSeparator) => {
        fc.pre(examples.some((example) => example.length > 0));
        const packed = packDocuments(tokenColumnOf(examples), {
          blockLength: length,
          mode: "whole-sentences",
          ...(hasSeparator && { separator: 0 }),
        });
        const blocks = blocksOf(packed);
        expect(blocks.flat().filter((token) => token !== 0)).toEqual(examples.flat());
        for (const [block, tokens] of blocks.entries()) {
          expect(tokens.length).toBe(packed.lengthOf(block));
          expect(tokens.length).toBeLessThanOrEqual(length);
          expect([tokens[0], tokens.at(-1)]).not.toContain(0);
          const pieces = packed.pieces(block);
          const following = block + 1 < packed.length ? packed.pieces(block + 1)[0]! : undefined;
          for (const [at, { example, from, to }] of pieces.entries()) {
            const size = examples[example]!.length;
            if (size <= length) expect([from, to]).toEqual([0, size]);
            if (at > 0) {
              const isBoundary = examples.slice(pieces[at - 1]!.example + 1, example).length > 0;
              expect(pieces[at - 1]!.separated).toBe(hasSeparator && isBoundary);
            }
          }
          if (following !== undefined && examples[following.example]!.length <= length) {
            const isBoundary = following.example > pieces.at(-1)!.example + 1;
            const mark = hasSeparator && isBoundary ? 1 : 0;
            expect(tokens.length + mark + examples[following.example]!.length).toBeGreaterThan(length);
          }
        }
      }),
    );
  });
});

test("refuses blocks without length, and texts that fill none", () => {
  const column = tokenColumnOf([[1, 2]]);
  expect(() => packDocuments(column, { blockLength: 0, mode: "continuous" })).toThrow(
    /blockLength must be a whole/,
  );
  expect(() => packDocuments(column, { blockLength: 3, mode: "continuous" })).toThrow(
    /at least one block of 3 tokens must be full; got 2 tokens; take shorter/,
  );
  expect(() => packDocuments(tokenColumnOf([[], []]), { blockLength: 3, mode: "whole-sentences" })).toThrow(
    /got 0 tokens/,
  );
});
