import type { CountedWords, ScoredPiece } from "./unigram-steps.ts";

const seedLimit = 200_000;

/**
 * The pieces that learning starts from: all characters, and of the texts within words that occur at least twice
 * those with the largest product of count and length. Scores are logarithms of the shares of these products.
 */
export function seedPieces(
  words: CountedWords,
  characters: ReadonlyMap<string, number>,
  maxLength: number,
): ScoredPiece[] {
  const counts = new Map<string, number>();
  words.texts.forEach((text, index) => {
    const units = [...text];
    for (let start = 0; start < units.length; start++) {
      let piece = units[start]!;
      const end = Math.min(units.length, start + maxLength);
      for (let next = start + 1; next < end; next++) {
        piece += units[next]!;
        counts.set(piece, (counts.get(piece) ?? 0) + words.counts[index]!);
      }
    }
  });
  const candidates: { text: string; weight: number }[] = [];
  for (const [text, count] of counts) {
    if (count > 1) candidates.push({ text, weight: count * [...text].length });
  }
  candidates.sort((one, other) => other.weight - one.weight || (one.text < other.text ? -1 : 1));
  const chosen = [...characters].map(([text, weight]) => ({ text, weight }));
  for (const candidate of candidates) {
    if (chosen.length >= seedLimit) break;
    chosen.push(candidate);
  }
  const total = Math.log(chosen.reduce((sum, { weight }) => sum + weight, 0));
  return chosen.map(({ text, weight }) => ({ text, score: Math.log(weight) - total }));
}
