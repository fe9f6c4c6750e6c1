import {
  type AlignedText,
  type Rewrite,
  rewriteAligned,
  rewriteText,
  sliceAligned,
} from "../aligned-text.ts";

/**
 * One step of cutting a text into words: it either rewrites each piece or cuts each piece into smaller ones.
 * A pre-tokenizer is a list of steps.
 */
export type PreTokenizerStep =
  | { readonly kind: "rewrite"; readonly rewrite: Rewrite; readonly quick?: (text: string) => string }
  | {
      readonly kind: "cut";
      /** The words of a piece, as a flat list of start and end. What is between them is dropped. */
      readonly cut: (text: string) => number[];
      /** The same words, where there is a way to get them sooner. */
      readonly quick?: (text: string) => string[];
    };

/** The words of a text. `atStart`: the text begins where the original text begins. */
export function cutIntoWords(steps: readonly PreTokenizerStep[], text: string, atStart: boolean): string[] {
  let pieces = [text];
  for (const step of steps) {
    if (step.kind === "cut") pieces = cutPieces(step, pieces);
    else {
      const { quick } = step;
      pieces = pieces.map((piece, index) =>
        quick ? quick(piece) : rewriteText(step.rewrite, piece, atStart && index === 0),
      );
    }
  }
  return pieces;
}

function cutPieces(step: PreTokenizerStep & { kind: "cut" }, pieces: string[]): string[] {
  if (step.quick !== undefined && pieces.length === 1) return step.quick(pieces[0]!);
  const words: string[] = [];
  for (const piece of pieces) {
    if (step.quick !== undefined) for (const word of step.quick(piece)) words.push(word);
    else {
      const ranges = step.cut(piece);
      for (let index = 0; index < ranges.length; index += 2) {
        words.push(piece.slice(ranges[index], ranges[index + 1]));
      }
    }
  }
  return words;
}

/** The words of a text with the place of each unit. */
export function cutIntoAlignedWords(steps: readonly PreTokenizerStep[], text: AlignedText): AlignedText[] {
  let pieces = [text];
  for (const step of steps) {
    if (step.kind === "rewrite") pieces = pieces.map((piece) => rewriteAligned(step.rewrite, piece));
    else {
      pieces = pieces.flatMap((piece) => {
        const ranges = step.cut(piece.text);
        const words: AlignedText[] = [];
        for (let index = 0; index < ranges.length; index += 2) {
          words.push(sliceAligned(piece, ranges[index]!, ranges[index + 1]!));
        }
        return words;
      });
    }
  }
  return pieces;
}
