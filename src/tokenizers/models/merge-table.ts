/** What a pair of neighbouring tokens becomes. A smaller rank is merged sooner. */
export interface MergeTable {
  /** The index of the merge of `left` and `right`, or -1: its rank, and its place in `results`. */
  find(left: number, right: number): number;
  /** The id that each merge gives. */
  readonly results: Int32Array;
}

/**
 * A table of merges: open addressing over typed arrays, since it is asked for every pair of every new word.
 * Where a pair is listed twice, the later merge counts, as in the reference implementation.
 */
export function makeMergeTable(lefts: Int32Array, rights: Int32Array, results: Int32Array): MergeTable {
  const bits = Math.max(4, Math.ceil(Math.log2(Math.max(1, lefts.length) * 2)));
  const mask = 2 ** bits - 1;
  const shift = 32 - bits;
  const slots = new Int32Array(mask + 1).fill(-1);
  const slotOf = (left: number, right: number): number =>
    Math.imul(Math.imul(left, 0x9e3779b1) ^ (right + 0x7f4a7c15), 0x85ebca6b) >>> shift;
  for (let rank = 0; rank < lefts.length; rank++) {
    const left = lefts[rank]!;
    const right = rights[rank]!;
    let slot = slotOf(left, right);
    for (;;) {
      const other = slots[slot]!;
      if (other < 0 || (lefts[other] === left && rights[other] === right)) break;
      slot = (slot + 1) & mask;
    }
    slots[slot] = rank;
  }
  return {
    results,
    find: (left, right) => {
      let slot = slotOf(left, right);
      for (;;) {
        const rank = slots[slot]!;
        if (rank < 0 || (lefts[rank] === left && rights[rank] === right)) return rank;
        slot = (slot + 1) & mask;
      }
    },
  };
}
