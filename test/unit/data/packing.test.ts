import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Blocks, continuousBlocks, sentenceBlocks, tokenStream } from "../../../src/data/packing.ts";
import { tokenColumnOf } from "../../../src/data/token-column.ts";

const contentOf = (blocks: Blocks) =>
  Array.from({ length: blocks.length }, (_, index) => {
    const tokens = [...blocks.block(index)];
    expect(tokens).toHaveLength(blocks.lengthOf(index));
    return tokens;
  });

const separator = 0;
const blockLength = fc.integer({ min: 1, max: 10 });

describe("a stream", () => {
  /** Texts of these lengths, whose tokens are their places in the stream. */
  const filled = (lengths: readonly number[]) => {
    let next = 0;
    return tokenColumnOf(lengths.map((length) => Array.from({ length }, () => next++)));
  };
  const textLengths = fc.array(fc.nat({ max: 30 }), { maxLength: 20 });

  test("blocks cover it exactly, whatever the texts", () => {
    fc.assert(
      fc.property(textLengths, fc.integer({ min: 1, max: 17 }), (lengths, size) => {
        const stream = tokenStream(filled(lengths));
        const blocks = contentOf(continuousBlocks(stream, size));
        expect(blocks.flat()).toEqual(Array.from({ length: stream.length }, (_, place) => place));
        expect(blocks.slice(0, -1).every(({ length }) => length === size)).toBe(true);
      }),
    );
  });

  test("any slice of it", () => {
    fc.assert(
      fc.property(textLengths, fc.nat({ max: 60 }), fc.nat({ max: 60 }), (lengths, start, length) => {
        const stream = tokenStream(filled(lengths));
        const from = Math.min(start, stream.length);
        const to = Math.min(stream.length, from + length);
        expect(Array.from(stream.slice(from, to))).toEqual(
          Array.from({ length: to - from }, (_, place) => from + place),
        );
      }),
    );
  });
});

describe("whole sentences", () => {
  test("fill blocks, across documents, and longer ones are cut", () => {
    const sentences = tokenColumnOf([
      [1, 2],
      [3, 0],
      [4],
      [5, 6, 0],
      [0],
      [7, 7, 7, 7, 7, 7, 7],
      [8, 0],
      [9, 9, 9, 9, 9, 0],
    ]);
    expect(contentOf(sentenceBlocks(sentences, 5, separator))).toEqual([
      [1, 2, 3, 0, 4],
      [5, 6],
      [7, 7, 7, 7, 7],
      [7, 7, 8],
      [9, 9, 9, 9, 9],
    ]);
  });

  test("without a separator", () => {
    const sentences = tokenColumnOf([[1, 2], [3], [], [4, 5], [6]]);
    expect(contentOf(sentenceBlocks(sentences, 4, undefined))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(sentenceBlocks(tokenColumnOf([[], []]), 4, undefined).length).toBe(0);
  });

  test("keep every token in order, none is in two blocks, no block has room for the next", () => {
    const documents = fc.array(
      fc.array(fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 12 }), { minLength: 1 }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(documents, blockLength, fc.boolean(), (given, size, isSeparated) => {
        const sentences = given.flatMap((document) =>
          document.map((sentence, place) =>
            isSeparated && place === document.length - 1 ? [...sentence, separator] : sentence,
          ),
        );
        const texts = tokenColumnOf(sentences);
        const blocks = contentOf(sentenceBlocks(texts, size, isSeparated ? separator : undefined));
        expect(blocks.flat().filter((token) => token !== separator)).toEqual(given.flat(2));
        /** After how many tokens, separators not counted, a sentence may end. */
        const bare = given.flat();
        let sum = 0;
        const sums = bare.map(({ length }) => {
          sum += length;
          return sum;
        });
        let read = 0;
        for (const [index, block] of blocks.entries()) {
          expect(block.length).toBeLessThanOrEqual(size);
          expect([block[0], block.at(-1)]).not.toContain(separator);
          const sentence = sums.findIndex((sum) => sum > read);
          read += block.filter((token) => token !== separator).length;
          if (!sums.includes(read)) {
            // A cut within a sentence: one that is longer than a block, and it began this block.
            expect(bare[sentence]!.length).toBeGreaterThan(size);
            expect(block).toHaveLength(size);
          } else if (index + 1 < blocks.length) {
            const next = sums.indexOf(read) + 1;
            const mark = sentences[next - 1]!.at(-1) === separator ? 1 : 0;
            expect(block.length + mark + bare[next]!.length).toBeGreaterThan(size);
          }
        }
      }),
    );
  });
});
