import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { fileError } from "../../util/node/file-error.ts";
import {
  type GeneratedCorpusName,
  type GeneratedRecordsName,
  generatedCorpora,
  generatedRecords,
} from "../generated-corpora.ts";

/** The names of the files that a recipe wants its data in. */
export interface CorpusFiles {
  readonly train_source: string;
  readonly train_target: string;
  readonly validation_source?: string | undefined;
  readonly validation_target?: string | undefined;
  readonly test_source?: string | undefined;
  readonly test_target?: string | undefined;
}

type Part = "train" | "validation" | "test";
type Counts = Readonly<Record<Part, number>>;

/** Writes a generated corpus as parallel files into a folder. @returns how many pairs each part has */
export async function writeGeneratedCorpus(
  name: GeneratedCorpusName,
  folder: string,
  files: CorpusFiles,
): Promise<Counts> {
  const { counts, ...corpus } = generatedCorpora[name];
  await writeParts(corpus.pairs(), counts, folder, (part, pairs) => [
    [files[`${part}_source`], pairs.map(({ source }) => source)],
    [files[`${part}_target`], pairs.map(({ target }) => target)],
  ]);
  return counts;
}

/** Writes generated records as JSON lines into a folder. @returns how many each part has */
export async function writeGeneratedRecords(
  name: GeneratedRecordsName,
  folder: string,
  files: { readonly train: string; readonly validation?: string; readonly test?: string },
): Promise<Counts> {
  const { counts, ...corpus } = generatedRecords[name];
  await writeParts(corpus.records(), counts, folder, (part, records) => [
    [files[part], records.map((record) => JSON.stringify(record))],
  ]);
  return counts;
}

/**
 * Writes what is made, the test first, so that it stays the same where more is made to train on.
 * @param filesOf - the files of a part, where they are wanted, and their lines
 */
async function writeParts<Item>(
  items: Iterator<Item>,
  counts: Counts,
  folder: string,
  filesOf: (part: Part, items: readonly Item[]) => readonly (readonly [string | undefined, string[]])[],
): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(folder, "cannot make the folder", error);
  }
  for (const part of ["test", "validation", "train"] as const) {
    const own = Array.from({ length: counts[part] }, () => items.next().value as Item);
    for (const [file, lines] of filesOf(part, own)) {
      if (file === undefined) continue;
      await writeFileAtomically(resolve(folder, file), lines.map((line) => `${line}\n`).join(""));
    }
  }
}
