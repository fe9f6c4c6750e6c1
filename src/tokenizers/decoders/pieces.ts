import type { Pattern } from "../patterns.ts";
import { cleanUpSpaces } from "./clean-up.ts";
import type { Decoder } from "./decoder.ts";

/** Joins all pieces to one. */
export const fuse: Decoder = (pieces) => [pieces.join("")];

/** Takes up to `start` texts `content` off the left end of each piece and up to `stop` off the right end. */
export function stripDecoder(content: string, start: number, stop: number): Decoder {
  return (pieces) =>
    pieces.map((piece) => {
      let from = 0;
      for (let count = 0; count < start && piece.startsWith(content, from); count++) from += content.length;
      let to = piece.length;
      for (let count = 0; count < stop && to > from && piece.endsWith(content, to); count++) {
        to -= content.length;
      }
      return piece.slice(from, Math.max(from, to));
    });
}

/** Replaces every match of a pattern in each piece. */
export function replaceDecoder(pattern: Pattern, content: string): Decoder {
  return (pieces) =>
    pieces.map((piece) => {
      let result = "";
      let done = 0;
      const matches = pattern.find(piece);
      for (let index = 0; index < matches.length; index += 2) {
        result += piece.slice(done, matches[index]) + content;
        done = matches[index + 1]!;
      }
      return result + piece.slice(done);
    });
}

/** Marks back to spaces; the one in front of the first piece is the tokenizer's own and goes. */
export function metaspaceDecoder(mark: string, addsPrefix: boolean): Decoder {
  return (pieces) =>
    pieces.map((piece, index) => {
      const own = index === 0 && addsPrefix && piece.startsWith(mark);
      return (own ? piece.slice(mark.length) : piece).replaceAll(mark, " ");
    });
}

/** WordPiece back to words: pieces with the prefix are joined to the one before, others get a space. */
export function wordPieceDecoder(prefix: string, cleansUp: boolean): Decoder {
  return (pieces) =>
    pieces.map((piece, index) => {
      let result = piece;
      if (index > 0) result = piece.startsWith(prefix) ? piece.slice(prefix.length) : ` ${piece}`;
      return cleansUp ? cleanUpSpaces(result) : result;
    });
}

/** The suffix that ends a word becomes a space, or nothing at the end of the text. */
export function wordSuffixDecoder(suffix: string): Decoder {
  return (pieces) =>
    pieces.map((piece, index) => piece.replaceAll(suffix, index === pieces.length - 1 ? "" : " "));
}

/** Connectionist temporal classification: repeated tokens count once, padding goes, delimiters become spaces. */
export function connectionistTemporalDecoder(pad: string, delimiter: string, cleansUp: boolean): Decoder {
  return (pieces) =>
    pieces
      .filter((piece, index) => piece !== pieces[index - 1])
      .map((piece) => {
        const kept = piece.replaceAll(pad, "");
        return cleansUp ? cleanUpSpaces(kept).replaceAll(delimiter, " ") : kept;
      })
      .filter((piece) => piece.length > 0);
}
