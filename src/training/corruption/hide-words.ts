import type { RandomStream } from "../../util/random.ts";

/** How words are hidden from a model that is to do without them. */
export interface WordDropout {
  /** The probability that a word is hidden. */
  readonly probability: number;
  /** The token that stands for each token of a hidden word. */
  readonly hiddenId: number;
}

/**
 * Hides whole words, so that a model does not learn its few texts by heart and learns to tell from the words around.
 * @param ids - a text's tokens
 * @param words - for each token the number of the word that begins with it; below 0 where none does
 * @param isSpecial - tokens that are never hidden, such as those around a text
 * @returns tokens of the same length
 * Source: Iyyer et al., 2015, "Deep Unordered Composition Rivals Syntactic Methods for Text Classification", 2.3.
 */
export function hideWords(
  ids: ArrayLike<number>,
  words: ArrayLike<number>,
  { probability, hiddenId }: WordDropout,
  isSpecial: (id: number) => boolean,
  random: RandomStream,
): Int32Array {
  const left = Int32Array.from(ids);
  let isHidden = false;
  for (let place = 0; place < left.length; place++) {
    if (isSpecial(left[place]!)) isHidden = false;
    else if (words[place]! >= 0) isHidden = random.uniform() < probability;
    if (isHidden) left[place] = hiddenId;
  }
  return left;
}
