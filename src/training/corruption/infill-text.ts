import { type RandomStream, shuffle } from "../../util/random.ts";

/** How a text is spoiled for a model that is to restore it. */
export interface TextInfillingOptions {
  /** The share of tokens that is hidden. */
  readonly maskRatio: number;
  /** The mean length of a hidden span (Poisson), in tokens; a span of none puts a mask where nothing was. */
  readonly meanSpanLength: number;
  readonly maskId: number;
  /** Whether sentences change places. */
  readonly permuteSentences: boolean;
  /** Whether a sentence ends with this token. */
  readonly endsSentence: (id: number) => boolean;
}

/**
 * Puts sentences into another order and replaces spans of tokens by one mask each, so that how many are missing has
 * to be guessed too. The text comes without special tokens.
 * Source: Lewis et al., 2020, 2.2, "text infilling" and "sentence permutation".
 */
export function infillText(
  ids: ArrayLike<number>,
  { maskRatio, meanSpanLength, maskId, permuteSentences, endsSentence }: TextInfillingOptions,
  random: RandomStream,
): number[] {
  const ordered = permuteSentences ? permuted(ids, endsSentence, random) : Array.from(ids);
  const length = ordered.length;
  /** Before a token: how many masks stand there; and whether the token is hidden. */
  const masksBefore = new Uint8Array(length + 1);
  const isHidden = new Uint8Array(length);
  let left = Math.round(length * maskRatio);
  // A span that meets a hidden token is drawn anew; the bound ends the search where hardly any room is left.
  for (let tries = 0; left > 0 && tries < 10 * length; tries++) {
    const span = Math.min(poisson(meanSpanLength, random), left);
    if (span === 0) {
      const place = random.below(length + 1);
      const isInside = place > 0 && place < length && isHidden[place - 1] === 1 && isHidden[place] === 1;
      if (!isInside && masksBefore[place] === 0) masksBefore[place] = 1;
      // Counted as a token, so that a mean near 0 comes to an end.
      left--;
      continue;
    }
    const start = random.below(length - span + 1);
    const around = isHidden.subarray(Math.max(0, start - 1), start + span + 1);
    if (around.includes(1)) continue;
    isHidden.fill(1, start, start + span);
    masksBefore[start] = 1;
    left -= span;
  }
  const spoiled: number[] = [];
  for (let place = 0; place <= length; place++) {
    if (masksBefore[place] === 1) spoiled.push(maskId);
    if (place < length && isHidden[place] === 0) spoiled.push(ordered[place]!);
  }
  return spoiled;
}

/** The sentences of a text in random order. */
function permuted(
  ids: ArrayLike<number>,
  endsSentence: (id: number) => boolean,
  random: RandomStream,
): number[] {
  const sentences: number[][] = [];
  let sentence: number[] = [];
  for (let place = 0; place < ids.length; place++) {
    sentence.push(ids[place]!);
    if (!endsSentence(ids[place]!)) continue;
    sentences.push(sentence);
    sentence = [];
  }
  if (sentence.length > 0) sentences.push(sentence);
  return shuffle(sentences, random).flat();
}

/** A number of Poisson's distribution (Knuth's method). */
function poisson(mean: number, random: RandomStream): number {
  const bound = Math.exp(-mean);
  let count = 0;
  for (let product = random.uniform(); product > bound; product *= random.uniform()) count++;
  return count;
}
