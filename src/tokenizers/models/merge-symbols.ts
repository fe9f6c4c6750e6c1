import type { MergeTable } from "./merge-table.ts";
import type { WordTokens } from "./model.ts";

/** The symbols of a word before merging: ids, and the units of the word that each covers. */
export type Symbols = WordTokens;

/** Merges the symbols of a short word: the best pair is looked for among all pairs each time. */
export function mergeShortWord(symbols: Symbols, merges: MergeTable, output: WordTokens): void {
  const { ids, starts, ends } = symbols;
  let count = ids.length;
  const ranks: number[] = [];
  for (let index = 0; index + 1 < count; index++) ranks.push(merges.find(ids[index]!, ids[index + 1]!));
  for (;;) {
    let best = -1;
    let bestRank = Number.MAX_SAFE_INTEGER;
    for (let index = 0; index + 1 < count; index++) {
      const rank = ranks[index]!;
      if (rank >= 0 && rank < bestRank) {
        bestRank = rank;
        best = index;
      }
    }
    if (best < 0) break;
    ids[best] = merges.results[bestRank]!;
    ends[best] = ends[best + 1]!;
    count--;
    for (let index = best + 1; index < count; index++) {
      ids[index] = ids[index + 1]!;
      starts[index] = starts[index + 1]!;
      ends[index] = ends[index + 1]!;
      ranks[index - 1] = ranks[index]!;
    }
    if (best > 0) ranks[best - 1] = merges.find(ids[best - 1]!, ids[best]!);
    if (best + 1 < count) ranks[best] = merges.find(ids[best]!, ids[best + 1]!);
  }
  for (let index = 0; index < count; index++) {
    output.ids.push(ids[index]!);
    output.starts.push(starts[index]!);
    output.ends.push(ends[index]!);
  }
}

/**
 * Merges the symbols of a long word (a whole text, where nothing cuts it): a linked list of symbols and a
 * heap of pairs, so that n symbols take n log n steps. The heap's order is rank, then place.
 */
export function mergeLongWord(symbols: Symbols, merges: MergeTable, output: WordTokens): void {
  const { ids, starts, ends } = symbols;
  const count = ids.length;
  const next = Int32Array.from({ length: count }, (_, index) => (index + 1 < count ? index + 1 : -1));
  const previous = Int32Array.from({ length: count }, (_, index) => index - 1);
  const gone = new Uint8Array(count);
  const heap = new PairHeap(count);
  const offer = (left: number) => {
    const right = next[left]!;
    if (right < 0) return;
    const rank = merges.find(ids[left]!, ids[right]!);
    if (rank >= 0) heap.push(rank, left);
  };
  for (let index = 0; index < count; index++) offer(index);
  while (heap.size > 0) {
    const rank = heap.topRank;
    const left = heap.topPlace;
    heap.pop();
    if (gone[left] === 1) continue;
    const right = next[left]!;
    // An entry is stale where one of its two symbols has changed since it was put in.
    if (right < 0 || merges.find(ids[left]!, ids[right]!) !== rank) continue;
    ids[left] = merges.results[rank]!;
    ends[left] = ends[right]!;
    gone[right] = 1;
    const after = next[right]!;
    next[left] = after;
    if (after >= 0) previous[after] = left;
    if (previous[left]! >= 0) offer(previous[left]!);
    offer(left);
  }
  for (let index = count > 0 ? 0 : -1; index >= 0; index = next[index]!) {
    output.ids.push(ids[index]!);
    output.starts.push(starts[index]!);
    output.ends.push(ends[index]!);
  }
}

/** A binary heap of (rank, place), smallest first. */
class PairHeap {
  #ranks: Int32Array;
  #places: Int32Array;
  size = 0;

  constructor(capacity: number) {
    this.#ranks = new Int32Array(Math.max(4, capacity));
    this.#places = new Int32Array(Math.max(4, capacity));
  }

  get topRank(): number {
    return this.#ranks[0]!;
  }

  get topPlace(): number {
    return this.#places[0]!;
  }

  push(rank: number, place: number): void {
    if (this.size === this.#ranks.length) this.#grow();
    let index = this.size++;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(rank, place, this.#ranks[parent]!, this.#places[parent]!)) break;
      this.#ranks[index] = this.#ranks[parent]!;
      this.#places[index] = this.#places[parent]!;
      index = parent;
    }
    this.#ranks[index] = rank;
    this.#places[index] = place;
  }

  pop(): void {
    const rank = this.#ranks[--this.size]!;
    const place = this.#places[this.size]!;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && this.#isChildBefore(child + 1, child)) child++;
      if (!isBefore(this.#ranks[child]!, this.#places[child]!, rank, place)) break;
      this.#ranks[index] = this.#ranks[child]!;
      this.#places[index] = this.#places[child]!;
      index = child;
    }
    this.#ranks[index] = rank;
    this.#places[index] = place;
  }

  #isChildBefore(one: number, other: number): boolean {
    return isBefore(this.#ranks[one]!, this.#places[one]!, this.#ranks[other]!, this.#places[other]!);
  }

  #grow(): void {
    const ranks = new Int32Array(this.#ranks.length * 2);
    const places = new Int32Array(this.#places.length * 2);
    ranks.set(this.#ranks);
    places.set(this.#places);
    this.#ranks = ranks;
    this.#places = places;
  }
}

function isBefore(rank: number, place: number, otherRank: number, otherPlace: number): boolean {
  return rank < otherRank || (rank === otherRank && place < otherPlace);
}
