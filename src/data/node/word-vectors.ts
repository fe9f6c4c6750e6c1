import { QkvError } from "../../util/errors.ts";
import { LineReader } from "./line-reader.ts";

/** Vectors of words, as fastText, GloVe and word2vec write them in text. */
export interface WordVectors {
  readonly dimension: number;
  readonly vectors: ReadonlyMap<string, Float32Array>;
}

/**
 * Reads a word-vector file: one word a line, then its numbers, all separated by blanks; a first line with just the
 * number of words and the dimension is allowed, and so are words with blanks in them.
 * @param wanted - the words worth keeping; the others are not held in memory
 * @param dimension - what every vector must have
 * @throws QkvError "data" with the line that does not fit
 */
export function readWordVectors(
  path: string,
  wanted: (word: string) => boolean,
  dimension: number,
): WordVectors {
  const vectors = new Map<string, Float32Array>();
  const reader = new LineReader(path);
  try {
    for (const line of reader) {
      const fields = line.trimEnd().split(" ");
      const isHeader = reader.lineNumber === 1 && fields.length === 2;
      if (isHeader || line === "") continue;
      // A word may have blanks in it, as ". . ." in GloVe's largest file; a number before the last is no part of it.
      const parts = fields.slice(0, Math.max(1, fields.length - dimension));
      const isWider = parts.length > 1 && Number.isFinite(Number(parts.at(-1)));
      if (fields.length < dimension + 1 || isWider) {
        throw new QkvError(
          "data",
          `${path}: line ${reader.lineNumber}: needs a word and ${dimension} numbers, as wide as d_model; ` +
            `got ${fields.length - 1} numbers; use vectors of that width or change d_model`,
        );
      }
      const word = parts.join(" ");
      if (!wanted(word)) continue;
      const vector = Float32Array.from(fields.slice(parts.length), Number);
      if (!vector.every(Number.isFinite)) {
        throw new QkvError(
          "data",
          `${path}: line ${reader.lineNumber}: the vector of "${word}" has a value that is no number`,
        );
      }
      vectors.set(word, vector);
    }
  } finally {
    reader.dispose();
  }
  return { dimension, vectors };
}
