/** Words and how often each occurs, in the order in which they were first seen. */
export type WordCounts = Map<string, number>;

/** Counts the words of all lines. A line's end does not count as part of the line. */
export async function countWords(
  lines: Iterable<string> | AsyncIterable<string>,
  cut: (line: string) => string[],
): Promise<WordCounts> {
  const counts: WordCounts = new Map();
  const add = (line: string) => {
    for (const word of cut(line)) counts.set(word, (counts.get(word) ?? 0) + 1);
  };
  if (Symbol.iterator in lines) for (const line of lines) add(line);
  else for await (const line of lines) add(line);
  return counts;
}
