import type { Encoding } from "./encoding.ts";

/**
 * An encoding's offsets counted in code points, as Python counts, instead of UTF-16 units.
 * @param text - the text that was encoded
 * @param pair - the second text, where there were two
 */
export function codePointOffsets(
  encoding: Encoding,
  text: string,
  pair = "",
): [start: number, end: number][] {
  const places = [codePointPlaces(text), codePointPlaces(pair)];
  return encoding.offsets.map(([start, end], index) => {
    const place = places[encoding.sequenceIds[index] ?? 0]!;
    return [place[start] ?? 0, place[end] ?? 0];
  });
}

/** For each UTF-16 unit and the end: how many code points are before it. */
function codePointPlaces(text: string): Int32Array {
  const places = new Int32Array(text.length + 1);
  let count = 0;
  let unit = 0;
  for (const character of text) {
    for (let part = 0; part < character.length; part++) places[unit++] = count;
    count++;
  }
  places[unit] = count;
  return places;
}
