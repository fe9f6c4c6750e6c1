import type { RandomStream } from "../../util/random.ts";

/** Tokens, and for each the place of the token that it is, or is a part of, in the text as it was. */
export interface DividedText {
  readonly ids: Int32Array;
  readonly places: Int32Array;
}

/**
 * Writes some tokens as two shorter ones, and some of these again, so that a model meets a word in several spellings
 * and learns what its parts are good for.
 * @param ids - a text's tokens
 * @param probability - that a token is divided
 * @param shorter - the two tokens that say what one says, if there are such
 * @param longest - tokens that the text may have; where it has as many, no more are divided
 * Source: Provilkov et al., 2020, "BPE-Dropout"; Hiraoka, 2022, "MaxMatch-Dropout", which does so for WordPiece.
 */
export function dividePieces(
  ids: ArrayLike<number>,
  probability: number,
  shorter: (id: number) => readonly [number, number] | undefined,
  longest: number,
  random: RandomStream,
): DividedText {
  const divided: number[] = [];
  const places: number[] = [];
  let room = longest - ids.length;
  const write = (id: number, place: number): void => {
    const parts = room > 0 ? shorter(id) : undefined;
    if (parts !== undefined && random.uniform() < probability) {
      room--;
      for (const part of parts) write(part, place);
    } else {
      divided.push(id);
      places.push(place);
    }
  };
  for (let place = 0; place < ids.length; place++) write(ids[place]!, place);
  return { ids: Int32Array.from(divided), places: Int32Array.from(places) };
}
