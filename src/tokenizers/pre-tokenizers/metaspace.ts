import type { PreTokenizerStep } from "./pre-tokenizer.ts";

/** When the mark of a word's beginning is put in front of a piece that has none. */
export type PrependScheme = "always" | "first" | "never";

/**
 * SentencePiece's way with spaces: each space becomes a mark, and a mark is put in front of the text;
 * with `split`, each word is cut off with the mark before it.
 */
export function metaspaceSteps(mark: string, prepend: PrependScheme, split: boolean): PreTokenizerStep[] {
  const rewrite: PreTokenizerStep = {
    kind: "rewrite",
    rewrite: (text, output, atStart) => {
      const isMarked = text.startsWith(" ") || text.startsWith(mark);
      if (!isMarked && (prepend === "always" || (prepend === "first" && atStart))) output.put(mark, 0);
      let kept = 0;
      for (let space = text.indexOf(" "); space >= 0; space = text.indexOf(" ", space + 1)) {
        output.keep(kept, space);
        output.put(mark, space);
        kept = space + 1;
      }
      output.keep(kept, text.length);
    },
    ...(prepend === "first"
      ? {}
      : {
          quick: (text: string) => {
            const marked = text.replaceAll(" ", () => mark);
            return prepend === "never" || marked.startsWith(mark) ? marked : mark + marked;
          },
        }),
  };
  return split ? [rewrite, splitBeforeMark(mark)] : [rewrite];
}

/** Cuts before each mark; a text without content gives no word. */
function splitBeforeMark(mark: string): PreTokenizerStep {
  return {
    kind: "cut",
    cut: (text) => {
      const ranges: number[] = [];
      let start = 0;
      while (start < text.length) {
        const next = text.indexOf(mark, start + 1);
        const end = next < 0 ? text.length : next;
        ranges.push(start, end);
        start = end;
      }
      return ranges;
    },
    quick: (text) => {
      const words: string[] = [];
      let start = 0;
      while (start < text.length) {
        const next = text.indexOf(mark, start + 1);
        const end = next < 0 ? text.length : next;
        words.push(text.slice(start, end));
        start = end;
      }
      return words;
    },
  };
}
