/**
 * White space and number formatting as Python has them. The reference implementations of text metrics are
 * written in Python, and their values depend on both: JavaScript's `\s` holds U+FEFF and lacks U+001C to
 * U+001F and U+0085, and its `toFixed` rounds ties up where Python rounds them to even.
 */

/**
 * Whether a UTF-16 code unit is white space in the sense of Python's `str.split()`; all of it lies below
 * U+3001.
 */
export function isWhitespace(codeUnit: number): boolean {
  if (codeUnit <= 0x20)
    return codeUnit === 0x20 || (codeUnit >= 0x09 && codeUnit <= 0x0d) || codeUnit >= 0x1c;
  if (codeUnit < 0x85) return false;
  return (
    codeUnit === 0x85 ||
    codeUnit === 0xa0 ||
    codeUnit === 0x1680 ||
    (codeUnit >= 0x2000 && codeUnit <= 0x200a) ||
    codeUnit === 0x2028 ||
    codeUnit === 0x2029 ||
    codeUnit === 0x202f ||
    codeUnit === 0x205f ||
    codeUnit === 0x3000
  );
}

/** The words between runs of white space; none for a blank text. */
export function splitWhitespace(text: string): string[] {
  const words: string[] = [];
  let start = -1;
  for (let index = 0; index < text.length; index++) {
    if (isWhitespace(text.charCodeAt(index))) {
      if (start >= 0) words.push(text.slice(start, index));
      start = -1;
    } else if (start < 0) start = index;
  }
  if (start >= 0) words.push(text.slice(start));
  return words;
}

/** The text without white space at its end. */
export function trimWhitespaceEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isWhitespace(text.charCodeAt(end - 1))) end--;
  return text.slice(0, end);
}

/** The text without white space at either end. */
export function trimWhitespace(text: string): string {
  let start = 0;
  while (start < text.length && isWhitespace(text.charCodeAt(start))) start++;
  return trimWhitespaceEnd(text.slice(start));
}

/** Orders texts by code points, as Python sorts them; the order of `<` is that of UTF-16 units. */
export function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    if (left.charCodeAt(index) === right.charCodeAt(index)) continue;
    // At the first difference inside a pair both lead units are equal, so that the trail units decide.
    return left.codePointAt(index)! - right.codePointAt(index)!;
  }
  return left.length - right.length;
}

/**
 * A number of at least 0 with a fixed number of decimals, at least one; an exact tie rounded to the even
 * digit: 6.25 with one decimal is "6.2", 6.75 is "6.8".
 */
export function formatFixed(value: number, decimals: number): string {
  const rounded = value.toFixed(decimals);
  // A tie has exactly one decimal more, a 5. Thirty more digits tell it from the next double on either side.
  const exact = value.toFixed(decimals + 31);
  const isTie = exact.endsWith(`5${"0".repeat(30)}`);
  if (!isTie || Number(rounded.at(-1)) % 2 === 0) return rounded;
  return exact.slice(0, exact.length - 31);
}
