/** Texts by number, each a list of tokens; any store's column is such. */
export interface TokenTexts {
  readonly length: number;
  lengthOf(text: number): number;
  values(text: number): ArrayLike<number>;
}

/** The tokens of all texts one after another. */
export interface TokenStream {
  readonly length: number;
  /** The tokens from `start` up to, not including, `end`. */
  slice(start: number, end: number): Int32Array;
}

/** What stands in a block and how long it is; `block` alone copies tokens. */
export interface Blocks {
  readonly length: number;
  lengthOf(index: number): number;
  block(index: number): Int32Array;
}

/** Texts as one stream; they are read only where a slice is asked for. */
export function tokenStream(texts: TokenTexts): TokenStream {
  /** Where each text begins, and at the end the whole length. */
  const starts = new Float64Array(texts.length + 1);
  for (let text = 0; text < texts.length; text++) {
    starts[text + 1] = starts[text]! + texts.lengthOf(text);
  }
  const length = starts[texts.length]!;
  return {
    length,
    slice(start, end) {
      const tokens = new Int32Array(Math.max(0, Math.min(end, length) - start));
      for (let text = textAt(starts, start); text < texts.length && starts[text]! < end; text++) {
        const own = texts.values(text);
        const offset = starts[text]!;
        const last = Math.min(own.length, end - offset);
        for (let place = Math.max(0, start - offset); place < last; place++) {
          tokens[offset + place - start] = own[place]!;
        }
      }
      return tokens;
    },
  };
}

/** The text in which a position lies (binary search). */
function textAt(starts: Float64Array, position: number): number {
  let low = 0;
  let high = starts.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A stream cut into blocks of equal length, the last of which may be shorter. Source: Radford et al., 2018, 3.1. */
export function continuousBlocks(stream: TokenStream, blockLength: number): Blocks {
  const lengthOf = (index: number) => Math.min(blockLength, stream.length - index * blockLength);
  return {
    length: Math.ceil(stream.length / blockLength),
    lengthOf,
    block: (index) => stream.slice(index * blockLength, index * blockLength + lengthOf(index)),
  };
}

/**
 * Blocks of as many whole sentences as fit, also of several documents. A sentence longer than a block is cut every
 * `blockLength` tokens, and what is left of it is followed by the next. Blocks may be shorter than `blockLength`;
 * nothing is dropped but separators at the ends of blocks. Reads the last token of every sentence once.
 * Source: Liu et al., 2019, 4.2 (FULL-SENTENCES).
 * @param sentences - one a text; the last of a document ends with the separator, where there is one
 * @param separator - what stands between two documents of a block
 */
export function sentenceBlocks(
  sentences: TokenTexts,
  blockLength: number,
  separator: number | undefined,
): Blocks {
  const stream = tokenStream(sentences);
  /** Where each block begins in the stream, and the position before which it ends. */
  const starts: number[] = [];
  const ends: number[] = [];
  let from = 0;
  for (let sentence = 0; sentence < sentences.length; sentence++) {
    const length = sentences.lengthOf(sentence);
    const isLast = length > 0 && sentences.values(sentence)[length - 1] === separator;
    const to = from + length - (isLast ? 1 : 0);
    if (to > from) {
      if (starts.length > 0 && to - starts.at(-1)! <= blockLength) ends[ends.length - 1] = to;
      else {
        for (let start = from; start < to; start += blockLength) {
          starts.push(start);
          ends.push(Math.min(to, start + blockLength));
        }
      }
    }
    from += length;
  }
  return {
    length: starts.length,
    lengthOf: (index) => ends[index]! - starts[index]!,
    block: (index) => stream.slice(starts[index]!, ends[index]!),
  };
}
