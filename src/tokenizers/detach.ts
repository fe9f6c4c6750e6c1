/** Engines copy shorter parts of texts anyway. */
const longestCopied = 12;

/**
 * The same text as a string of its own. Engines keep a part of a text as a reference into the whole, which then
 * stays in memory as long as the part does: what is kept for long must not be such a part.
 */
export function detachText(part: string): string {
  return part.length <= longestCopied ? part : part.split("").join("");
}
