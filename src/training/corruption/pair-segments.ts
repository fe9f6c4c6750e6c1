import type { RandomStream } from "../../util/random.ts";

/** How texts are cut into segments. */
export interface PairingOptions {
  /** Whether a sentence ends with this token. */
  readonly endsSentence: (id: number) => boolean;
  /** The token between texts, which ends sentences too and is no part of a segment. */
  readonly separatorId: number | undefined;
  /** How many tokens both segments have together, at most. */
  readonly length: number;
}

/** Two segments, and whether the second is one from anywhere instead of the one that follows. */
export interface SegmentPair {
  readonly first: number[];
  readonly second: number[];
  readonly isRandom: boolean;
}

/**
 * A pair of segments for next-sentence prediction: a stretch of text is cut in two behind a sentence, and in half of
 * the cases the second part is replaced by the end of another stretch.
 * Source: Devlin et al., 2019, 3.1, Task 2, and A.2; their code, too, cuts behind sentences only.
 * @param own - at least two tokens besides separators, in order @param other - what the replacement is taken from
 */
export function pairSegments(
  own: ArrayLike<number>,
  other: ArrayLike<number>,
  { endsSentence, separatorId, length }: PairingOptions,
  random: RandomStream,
): SegmentPair {
  const without = (ids: readonly number[]) => ids.filter((id) => id !== separatorId);
  const endsThere = (id: number) => id === separatorId || endsSentence(id);
  const [ids, others] = [Array.from(own), Array.from(other)];
  const cut = cutBehindSentence(ids, endsThere, random);
  const isRandom = random.uniform() < 0.5;
  const first = without(ids.slice(0, cut));
  const from = isRandom ? others.slice(cutBehindSentence(others, endsThere, random)) : ids.slice(cut);
  return { first, second: without(from).slice(0, length - first.length), isRandom };
}

/** A place behind a sentence with something on both sides; anywhere where there is no such place. */
function cutBehindSentence(
  ids: readonly number[],
  endsThere: (id: number) => boolean,
  random: RandomStream,
): number {
  const places: number[] = [];
  const isText = (id: number) => !endsThere(id);
  const last = ids.findLastIndex(isText);
  for (let place = ids.findIndex(isText) + 1; place <= last; place++) {
    if (endsThere(ids[place - 1]!)) places.push(place);
  }
  if (places.length > 0) return places[random.below(places.length)]!;
  return ids.length < 2 ? 0 : 1 + random.below(ids.length - 1);
}
