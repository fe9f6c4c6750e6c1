import { MaxHeap } from "./max-heap.ts";

/** A merge that was learned: the two symbols and the one they become. */
export interface LearnedMerge {
  readonly left: number;
  readonly right: number;
  readonly result: number;
}

/** What is learned from. */
export interface MergeLearning {
  /** The words, each a list of symbols, and how often each occurs. */
  readonly words: readonly (readonly number[])[];
  readonly counts: readonly number[];
  /** The text of each symbol; learned symbols are added. */
  readonly symbols: string[];
  /** The text of a merged symbol. */
  readonly join: (left: string, right: string) => string;
  /** Learning ends where there are so many symbols, so many merges, or no pair that occurs so often. */
  readonly symbolLimit: number;
  readonly mergeLimit: number;
  readonly minFrequency: number;
  readonly onMerge?: (merges: number, frequency: number) => void;
}

/**
 * Learns merges: the pair of neighbouring symbols that occurs most often becomes one symbol, again and again.
 * Of pairs that occur equally often, the one whose left symbol is older is taken, then the one whose right
 * symbol is older.
 *
 * Each pair keeps its count and the words that had it, so that a merge only touches the words that contain it.
 * The heap holds counts as they were when put in; an entry whose count has fallen since goes back in.
 *
 * Source: Sennrich, Haddow and Birch 2016, "Neural Machine Translation of Rare Words with Subword Units",
 * algorithm 1.
 */
export function learnMerges(learning: MergeLearning): LearnedMerge[] {
  const { symbols, join, symbolLimit, mergeLimit, minFrequency, onMerge } = learning;
  const words = learning.words.map((word) => [...word]);
  const pairs = new PairCounts();
  words.forEach((word, wordIndex) => {
    for (let index = 0; index + 1 < word.length; index++) {
      pairs.add(word[index]!, word[index + 1]!, learning.counts[wordIndex]!, wordIndex);
    }
  });
  const heap = new MaxHeap((one, other) => pairs.isOlder(one, other));
  for (const pair of pairs.takeGrown()) heap.push(pairs.counts[pair]!, pair);

  const symbolOfText = new Map(symbols.map((text, symbol) => [text, symbol]));
  const merges: LearnedMerge[] = [];
  const lastVisit = new Int32Array(words.length).fill(-1);
  while (symbols.length < symbolLimit && merges.length < mergeLimit && heap.size > 0) {
    const { key: frequency, value: pair } = heap.pop();
    const current = pairs.counts[pair]!;
    if (frequency !== current) {
      if (current > 0) heap.push(current, pair);
      continue;
    }
    if (frequency < Math.max(1, minFrequency)) break;
    const left = pairs.lefts[pair]!;
    const right = pairs.rights[pair]!;
    const text = join(symbols[left]!, symbols[right]!);
    let result = symbolOfText.get(text);
    if (result === undefined) {
      result = symbols.length;
      symbols.push(text);
      symbolOfText.set(text, result);
    }
    const merge = { left, right, result };
    for (const wordIndex of pairs.takeWords(pair)) {
      if (lastVisit[wordIndex] === merges.length) continue;
      lastVisit[wordIndex] = merges.length;
      mergeInWord(words[wordIndex]!, merge, pairs, learning.counts[wordIndex]!, wordIndex);
    }
    pairs.counts[pair] = 0;
    for (const grown of pairs.takeGrown()) if (grown !== pair) heap.push(pairs.counts[grown]!, grown);
    merges.push(merge);
    onMerge?.(merges.length, frequency);
  }
  return merges;
}

/** Merges every occurrence in one word, from left to right, and keeps the counts of the pairs around right. */
function mergeInWord(
  word: number[],
  { left, right, result }: LearnedMerge,
  pairs: PairCounts,
  count: number,
  wordIndex: number,
): void {
  let write = 0;
  for (let read = 0; read < word.length; read++) {
    if (word[read] !== left || word[read + 1] !== right) {
      word[write++] = word[read]!;
      continue;
    }
    if (write > 0) {
      const before = word[write - 1]!;
      pairs.add(before, left, -count, wordIndex);
      pairs.add(before, result, count, wordIndex);
    }
    if (read + 2 < word.length) {
      const after = word[read + 2]!;
      pairs.add(right, after, -count, wordIndex);
      pairs.add(result, after, count, wordIndex);
    }
    word[write++] = result;
    read++;
  }
  word.length = write;
}

/** How often each pair of neighbours occurs, and in which words it may be found. */
class PairCounts {
  readonly lefts: number[] = [];
  readonly rights: number[] = [];
  readonly counts: number[] = [];
  readonly #words: number[][] = [];
  readonly #indexes = new Map<number, number>();
  #grown = new Set<number>();

  /** Changes the count of a pair, which is there or, where the change is positive, may be new. */
  add(left: number, right: number, change: number, wordIndex: number): void {
    // Two symbols below 2^26 fit a double exactly.
    const key = left * 2 ** 26 + right;
    let pair = this.#indexes.get(key);
    if (pair === undefined) {
      pair = this.counts.length;
      this.#indexes.set(key, pair);
      this.lefts.push(left);
      this.rights.push(right);
      this.counts.push(0);
      this.#words.push([]);
    }
    this.counts[pair] = this.counts[pair]! + change;
    if (change <= 0) return;
    this.#grown.add(pair);
    const words = this.#words[pair]!;
    if (words.at(-1) !== wordIndex) words.push(wordIndex);
  }

  /** The words that may have a pair; the list is empty afterwards. */
  takeWords(pair: number): number[] {
    const words = this.#words[pair]!;
    this.#words[pair] = [];
    return words;
  }

  /** The pairs whose counts have grown since the last call. */
  takeGrown(): Set<number> {
    const grown = this.#grown;
    this.#grown = new Set();
    return grown;
  }

  isOlder(one: number, other: number): boolean {
    const difference = this.lefts[one]! - this.lefts[other]! || this.rights[one]! - this.rights[other]!;
    return difference < 0;
  }
}
