/**
 * Splits sentence pairs into training, validation and test sets that share no sentence.
 * A corpus of translations is full of sentences that differ in a comma only and of several translations of one
 * sentence; a random split by pairs would test on sentences that were seen in training.
 */
import { QkvError } from "../util/errors.ts";
import { RandomStream, randomKey, shuffle } from "../util/random.ts";

/** How many pairs are held out, and the seed that decides which. */
export interface SplitOptions {
  /** The seed of the choice; the same seed and the same pairs give the same split. */
  readonly seed: number;
  /** How many pairs to hold out for the test, each with another source sentence. */
  readonly test: number;
  /** How many pairs to hold out for validation, each with another source sentence. */
  readonly validation: number;
}

/** The positions of the pairs in each part; every position stands in exactly one of the four. */
export interface Split {
  /** Ascending. Several translations of one sentence all stay. */
  readonly train: Int32Array;
  /** In random order, so that the first k are a fair sample too. */
  readonly validation: Int32Array;
  /** In random order; one fixed reference for each source sentence. */
  readonly test: Int32Array;
  /** Ascending: other pairs of the held-out groups, which belong to no part. */
  readonly unused: Int32Array;
}

/**
 * What two sentences have in common that count as the same one: only letters, their marks and digits, with case
 * folded (so that "daß" and "dass" are one word), in Unicode's composed form NFC.
 * White space is left out altogether and not only collapsed, so that "well-known", "well known" and "wellknown"
 * are the same. Sentences that are equal with white space collapsed are always equal here as well.
 */
export function normaliseSentence(sentence: string): string {
  const folded = sentence.normalize("NFC").toLowerCase().toUpperCase().toLowerCase();
  return folded.replace(/[^\p{L}\p{M}\p{N}]+/gu, "").normalize("NFC");
}

/**
 * The connected groups of sentence pairs: two pairs are in one group where a chain of pairs joins them of which
 * neighbours share the source or the target sentence (as `normaliseSentence` reads them).
 * @returns for each pair the position of the first pair of its group
 */
export function groupPairs(sources: readonly string[], targets: readonly string[]): Int32Array {
  if (sources.length !== targets.length) {
    throw new QkvError(
      "data",
      `groupPairs: each source needs one target; got ${sources.length} sources and ${targets.length} targets; ` +
        "pass two lists of the same length",
    );
  }
  const parents = Int32Array.from(sources, (_, pair) => pair);
  for (const sentences of [sources, targets]) {
    const firstPairs = new Map<string, number>();
    for (let pair = 0; pair < sentences.length; pair++) {
      const key = normaliseSentence(sentences[pair]!);
      const first = firstPairs.get(key);
      if (first === undefined) firstPairs.set(key, pair);
      else join(parents, first, pair);
    }
  }
  for (let pair = 0; pair < parents.length; pair++) parents[pair] = rootOf(parents, pair);
  return parents;
}

/**
 * Splits pairs so that no sentence of one part, source or target, stands in another (case, punctuation and white
 * space ignored): whole groups of `groupPairs` are dealt out in random order, first to the test, then to
 * validation, the rest to training. Of a held-out group each distinct source keeps one random reference.
 * A group that would exceed the number asked for goes on to the next part, so the numbers are met exactly.
 * @throws QkvError where there are too few pairs
 */
export function splitPairs(
  sources: readonly string[],
  targets: readonly string[],
  options: SplitOptions,
): Split {
  const { seed } = options;
  checkCount("test", options.test);
  checkCount("validation", options.validation);
  const groups = membersByGroup(groupPairs(sources, targets));
  const order = shuffle([...groups.keys()], new RandomStream(randomKey(seed, "split.groups")));
  const references = new RandomStream(randomKey(seed, "split.references"));
  const unused: number[] = [];
  const heldOut = new Set<number>();

  const holdOut = (part: "test" | "validation", wanted: number): Int32Array => {
    const chosen: number[] = [];
    for (const group of order) {
      if (chosen.length === wanted) break;
      if (heldOut.has(group)) continue;
      const bySource = membersBySource(groups.get(group)!, sources);
      if (chosen.length + bySource.length > wanted) continue;
      heldOut.add(group);
      for (const members of bySource) {
        const kept = references.below(members.length);
        for (const [index, pair] of members.entries()) (index === kept ? chosen : unused).push(pair);
      }
    }
    if (chosen.length < wanted) {
      throw new QkvError(
        "data",
        `split: ${part} asks for ${wanted} pairs that share no sentence with the other parts; got ` +
          `${chosen.length} from ${sources.length} pairs in ${groups.size} groups; ask for fewer`,
      );
    }
    const random = new RandomStream(randomKey(seed, `split.${part}`));
    return shuffle(Int32Array.from(chosen), random);
  };

  const test = holdOut("test", options.test);
  const validation = holdOut("validation", options.validation);
  const train: number[] = [];
  for (const [group, members] of groups) {
    if (!heldOut.has(group)) for (const pair of members) train.push(pair);
  }
  return { train: Int32Array.from(train).sort(), validation, test, unused: Int32Array.from(unused).sort() };
}

function checkCount(name: string, count: number): void {
  if (Number.isSafeInteger(count) && count >= 0) return;
  throw new QkvError("option", `split: ${name} must be a whole number of pairs, 0 or more; got ${count}`);
}

function membersByGroup(groupOfPair: Int32Array): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const [pair, group] of groupOfPair.entries()) {
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [pair]);
    else members.push(pair);
  }
  return groups;
}

function membersBySource(members: readonly number[], sources: readonly string[]): number[][] {
  const bySource = new Map<string, number[]>();
  for (const pair of members) {
    const key = normaliseSentence(sources[pair]!);
    const same = bySource.get(key);
    if (same === undefined) bySource.set(key, [pair]);
    else same.push(pair);
  }
  return [...bySource.values()];
}

/** Union-find's find, with the path halved. */
function rootOf(parents: Int32Array, pair: number): number {
  let node = pair;
  while (parents[node] !== node) {
    parents[node] = parents[parents[node]!]!;
    node = parents[node]!;
  }
  return node;
}

/** Union-find's union; the smaller position becomes the root, so that a group is named by its first pair. */
function join(parents: Int32Array, left: number, right: number): void {
  const leftRoot = rootOf(parents, left);
  const rightRoot = rootOf(parents, right);
  if (leftRoot < rightRoot) parents[rightRoot] = leftRoot;
  else parents[leftRoot] = rightRoot;
}
