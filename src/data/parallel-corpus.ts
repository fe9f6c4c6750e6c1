import { QkvError } from "../util/errors.ts";

/** Token ids of one sentence; a view that must not be written to. */
export type TokenIds = Uint16Array | Uint32Array;

/**
 * Tokenized sentence pairs, by position. Batches are made from this and nothing else, whether the tokens lie in
 * memory or on a disk. The ids are as the tokenizer gave them: whether they hold end marks is the tokenizer's doing.
 */
export interface ParallelCorpus {
  /** The number of pairs. */
  readonly length: number;
  /** The number of tokens of a pair's source; never reads from a disk. */
  sourceLength(pair: number): number;
  /** The number of tokens of a pair's target; never reads from a disk. */
  targetLength(pair: number): number;
  /** The tokens of a pair's source. */
  source(pair: number): TokenIds;
  /** The tokens of a pair's target. */
  target(pair: number): TokenIds;
}

/** One tokenized sentence pair. */
export interface TokenPair {
  readonly source: ArrayLike<number>;
  readonly target: ArrayLike<number>;
}

/**
 * A corpus in memory, from pairs that are tokenized already; the ids are copied.
 * @throws QkvError where an id is not a whole number from 0 to 2^32 - 1
 */
export function parallelCorpusOf(pairs: Iterable<TokenPair>): ParallelCorpus {
  const sources: Uint32Array[] = [];
  const targets: Uint32Array[] = [];
  for (const pair of pairs) {
    sources.push(checkedIds(pair.source, sources.length));
    targets.push(checkedIds(pair.target, targets.length));
  }
  return {
    length: sources.length,
    sourceLength: (pair) => sources[pair]!.length,
    targetLength: (pair) => targets[pair]!.length,
    source: (pair) => sources[pair]!,
    target: (pair) => targets[pair]!,
  };
}

function checkedIds(ids: ArrayLike<number>, pair: number): Uint32Array {
  for (let index = 0; index < ids.length; index++) {
    if (ids[index] === ids[index]! >>> 0) continue;
    throw new QkvError(
      "data",
      `corpus: pair ${pair}: a token id must be a whole number from 0; got ${ids[index]} at position ${index}; ` +
        "check the tokenizer",
    );
  }
  return Uint32Array.from(ids);
}
