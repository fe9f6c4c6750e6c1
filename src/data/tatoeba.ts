/**
 * The sentence pairs of the Tatoeba project as www.manythings.org/anki publishes them: one pair a line, English,
 * tab, translation; files since 2019 have the attribution as a third column.
 */
import { QkvError } from "../util/errors.ts";
import { type SplitOptions, splitPairs } from "./split.ts";

/** One line of the file. */
export interface TatoebaPair {
  readonly english: string;
  readonly translation: string;
}

/** Line numbers, counted from 1, of the pairs in each part; `Split` says what the parts promise. */
export interface TatoebaSplit {
  readonly train: Int32Array;
  readonly validation: Int32Array;
  readonly test: Int32Array;
  readonly unused: Int32Array;
}

/** The split that qkv's own Tatoeba recipe uses. */
export const tatoebaSplitOptions: SplitOptions = { seed: 1, test: 2000, validation: 2000 };

/**
 * Reads one line.
 * @param line - without its line break
 * @param lineNumber - counted from 1, for the error
 * @throws QkvError where the line has fewer than two columns or one of them is empty
 */
export function parseTatoebaLine(line: string, lineNumber: number): TatoebaPair {
  const [english = "", translation = ""] = line.split("\t", 2).map((column) => column.trim());
  if (english === "" || translation === "") {
    throw new QkvError(
      "data",
      `Tatoeba pairs: line ${lineNumber}: a line holds English, a tab and the translation; got ` +
        `${JSON.stringify(line.slice(0, 60))}; remove the line or put the tab in`,
    );
  }
  return { english, translation };
}

/**
 * Splits the pairs of a Tatoeba file so that no sentence of one part, in either language, stands in another (case,
 * punctuation and white space ignored). Several translations of one sentence all stay in training; in validation
 * and test each English sentence has one fixed reference.
 * @param lines - the file's lines in order, without line breaks
 */
export function splitTatoeba(
  lines: Iterable<string>,
  options: SplitOptions = tatoebaSplitOptions,
): TatoebaSplit {
  const sources: string[] = [];
  const targets: string[] = [];
  for (const line of lines) {
    const pair = parseTatoebaLine(line, sources.length + 1);
    sources.push(pair.english);
    targets.push(pair.translation);
  }
  const split = splitPairs(sources, targets, options);
  const toLineNumbers = (positions: Int32Array): Int32Array => positions.map((position) => position + 1);
  return {
    train: toLineNumbers(split.train),
    validation: toLineNumbers(split.validation),
    test: toLineNumbers(split.test),
    unused: toLineNumbers(split.unused),
  };
}
