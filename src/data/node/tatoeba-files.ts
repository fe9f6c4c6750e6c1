import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { fileError } from "../../util/node/file-error.ts";
import type { SplitOptions } from "../split.ts";
import { parseTatoebaLine, splitTatoeba, type TatoebaSplit, tatoebaSplitOptions } from "../tatoeba.ts";
import { readLines } from "./line-reader.ts";

/** How the parts are called in file names. */
const partNames = { train: "train", validation: "valid", test: "test" } as const;

/**
 * Splits a Tatoeba file as `splitTatoeba` does and writes each part as two parallel files, one sentence a line:
 * `train.en`, `train.de`, `valid.en`, `valid.de`, `test.en`, `test.de`.
 * @param pairsFile - English, tab, translation
 * @param folder - where to write; made where it is missing, other files in it stay
 * @param languages - the two endings of the file names, default `en` and `de`
 * @returns the line numbers of each part
 * @throws QkvError where the file cannot be read or a line is not a pair
 */
export async function writeTatoebaFiles(
  pairsFile: string,
  folder: string,
  options: SplitOptions = tatoebaSplitOptions,
  languages: readonly [source: string, target: string] = ["en", "de"],
): Promise<TatoebaSplit> {
  const lines = [...readLines(pairsFile)];
  const split = splitTatoeba(lines, options);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw fileError(folder, "cannot make the folder", error);
  }
  for (const part of ["train", "validation", "test"] as const) {
    const pairs = Array.from(split[part], (number) => parseTatoebaLine(lines[number - 1]!, number));
    const path = (language: string): string => join(folder, `${partNames[part]}.${language}`);
    await writeFileAtomically(path(languages[0]), pairs.map((pair) => `${pair.english}\n`).join(""));
    await writeFileAtomically(path(languages[1]), pairs.map((pair) => `${pair.translation}\n`).join(""));
  }
  return split;
}
