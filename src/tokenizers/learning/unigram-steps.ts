import { isSurrogatePair } from "../aligned-text.ts";
import { Trie } from "../models/trie.ts";

/** A piece and the logarithm of its probability. */
export interface ScoredPiece {
  readonly text: string;
  readonly score: number;
}

/** Words and how often each occurs. */
export interface CountedWords {
  readonly texts: readonly string[];
  readonly counts: readonly number[];
}

/**
 * The expectation step: how often each piece is expected to occur, over all ways to cut each word,
 * by the forward-backward algorithm.
 */
export function expectCounts(pieces: readonly ScoredPiece[], words: CountedWords): Float64Array {
  const expected = new Float64Array(pieces.length);
  const lattice = new Lattice(pieces);
  words.texts.forEach((word, index) => {
    lattice.read(word);
    lattice.addExpected(words.counts[index]!, expected);
  });
  return expected;
}

const leastExpected = 0.5;

/**
 * The maximization step, with digamma instead of the logarithm as the Bayesian form of it has: rare pieces lose
 * more than their share. Pieces that are hardly expected go; single characters go too and come back at the end.
 */
export function reestimate(pieces: readonly ScoredPiece[], expected: Float64Array): ScoredPiece[] {
  let sum = 0;
  for (const count of expected) if (count >= leastExpected) sum += count;
  const total = digamma(sum);
  const result: ScoredPiece[] = [];
  pieces.forEach(({ text }, index) => {
    const count = expected[index]!;
    if (count >= leastExpected) result.push({ text, score: digamma(count) - total });
  });
  return result;
}

/**
 * Keeps the `kept` pieces whose loss would cost most: the likelihood that the words lose when each occurrence of
 * the piece in their best cuts is cut in the best other way. Pieces that cannot be cut in another way stay.
 */
export function pruneByLoss(
  pieces: readonly ScoredPiece[],
  words: CountedWords,
  kept: number,
): ScoredPiece[] {
  const lattice = new Lattice(pieces);
  const used = new Float64Array(pieces.length);
  words.texts.forEach((word, index) => {
    lattice.read(word);
    for (const piece of lattice.bestPath(-1)) used[piece] = used[piece]! + words.counts[index]!;
  });
  const totalUsed = used.reduce((sum, count) => sum + count, 0);
  const logTotal = Math.log(totalUsed);
  const candidates: { index: number; loss: number }[] = [];
  const result: number[] = [];
  pieces.forEach(({ text }, index) => {
    lattice.read(text);
    const alternative = lattice.bestPath(index);
    const count = used[index]!;
    if (alternative.length === 0) result.push(index);
    else if (count > 0) {
      // Without the piece, its occurrences become those of the pieces of its other cut.
      const logTotalWithout = Math.log(totalUsed + count * (alternative.length - 1));
      let logAlternative = 0;
      for (const part of alternative) logAlternative += Math.log(used[part]! + count) - logTotalWithout;
      candidates.push({ index, loss: (count / totalUsed) * (Math.log(count) - logTotal - logAlternative) });
    }
  });
  candidates.sort((one, other) => other.loss - one.loss || one.index - other.index);
  for (const { index } of candidates.slice(0, Math.max(0, kept - result.length))) result.push(index);
  return result.sort((one, other) => one - other).map((index) => pieces[index]!);
}

/** All ways to cut a word into pieces: an edge for each piece at each place. */
class Lattice {
  readonly #trie: Trie;
  readonly #scores: Float64Array;
  #length = 0;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #pieces: number[] = [];

  constructor(pieces: readonly ScoredPiece[]) {
    this.#trie = new Trie(pieces.map(({ text }) => text));
    this.#scores = Float64Array.from(pieces, ({ score }) => score);
  }

  /** Finds the edges of a word, ordered by start. A character that is no piece stands alone without a score. */
  read(word: string): void {
    this.#length = word.length;
    this.#starts.length = 0;
    this.#ends.length = 0;
    this.#pieces.length = 0;
    for (let start = 0; start < word.length; ) {
      const step = isSurrogatePair(word, start) ? 2 : 1;
      let hasSingle = false;
      let node = this.#trie.root;
      for (let end = start + 1; end <= word.length; end++) {
        node = this.#trie.child(node, word.charCodeAt(end - 1));
        if (node < 0) break;
        const piece = this.#trie.valueAt(node);
        if (piece < 0) continue;
        this.#push(start, end, piece);
        if (end - start === step) hasSingle = true;
      }
      if (!hasSingle) this.#push(start, start + step, -1);
      start += step;
    }
  }

  #push(start: number, end: number, piece: number): void {
    this.#starts.push(start);
    this.#ends.push(end);
    this.#pieces.push(piece);
  }

  #scoreOf(edge: number): number {
    const piece = this.#pieces[edge]!;
    return piece < 0 ? unknownScore : this.#scores[piece]!;
  }

  /** Adds `weight` times the probability of each edge to its piece's expected count. */
  addExpected(weight: number, expected: Float64Array): void {
    const forward = new Float64Array(this.#length + 1).fill(Number.NEGATIVE_INFINITY);
    const backward = new Float64Array(this.#length + 1).fill(Number.NEGATIVE_INFINITY);
    forward[0] = 0;
    backward[this.#length] = 0;
    const edges = this.#starts.length;
    for (let edge = 0; edge < edges; edge++) {
      const end = this.#ends[edge]!;
      forward[end] = logAdd(forward[end]!, forward[this.#starts[edge]!]! + this.#scoreOf(edge));
    }
    for (let edge = edges - 1; edge >= 0; edge--) {
      const start = this.#starts[edge]!;
      backward[start] = logAdd(backward[start]!, backward[this.#ends[edge]!]! + this.#scoreOf(edge));
    }
    const total = forward[this.#length]!;
    for (let edge = 0; edge < edges; edge++) {
      const piece = this.#pieces[edge]!;
      if (piece < 0) continue;
      const around = forward[this.#starts[edge]!]! + backward[this.#ends[edge]!]!;
      expected[piece] = expected[piece]! + weight * Math.exp(around + this.#scores[piece]! - total);
    }
  }

  /** The pieces of the most probable way, without the piece `except`; empty where there is no way of pieces. */
  bestPath(except: number): number[] {
    const best = new Float64Array(this.#length + 1).fill(Number.NEGATIVE_INFINITY);
    const edgeTo = new Int32Array(this.#length + 1).fill(-1);
    best[0] = 0;
    for (let edge = 0; edge < this.#starts.length; edge++) {
      if (except >= 0 && (this.#pieces[edge] === except || this.#pieces[edge]! < 0)) continue;
      const score = best[this.#starts[edge]!]! + this.#scoreOf(edge);
      const end = this.#ends[edge]!;
      if (score > best[end]!) {
        best[end] = score;
        edgeTo[end] = edge;
      }
    }
    if (this.#length > 0 && edgeTo[this.#length]! < 0) return [];
    const pieces: number[] = [];
    for (let end = this.#length; end > 0; end = this.#starts[edgeTo[end]!]!) {
      const piece = this.#pieces[edgeTo[end]!]!;
      if (piece >= 0) pieces.push(piece);
    }
    return pieces.reverse();
  }
}

const unknownScore = -30;

/** log(exp(one) + exp(other)). */
function logAdd(one: number, other: number): number {
  const larger = Math.max(one, other);
  if (larger === Number.NEGATIVE_INFINITY) return larger;
  const difference = Math.min(one, other) - larger;
  return difference < -50 ? larger : larger + Math.log1p(Math.exp(difference));
}

/** The derivative of the logarithm of the gamma function, by its recurrence and asymptotic series. */
function digamma(value: number): number {
  let result = 0;
  let x = value;
  for (; x < 7; x++) result -= 1 / x;
  x -= 0.5;
  const inverse = 1 / (x * x);
  return (
    result +
    Math.log(x) +
    inverse / 24 -
    (7 * inverse ** 2) / 960 +
    (31 * inverse ** 3) / 8064 -
    (127 * inverse ** 4) / 30720
  );
}
