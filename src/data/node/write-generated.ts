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

/** Writes a generated corpus as parallel files into a folder. @returns how many pairs each part has */
export async function writeGeneratedCorpus(
  name: GeneratedCorpusName,
  folder: string,
  files: CorpusFiles,
): Promise<{ train: number; validation: number; test: number }> {
  const { counts, ...corpus } = generatedCorpora[name];
  const pairs = corpus.pairs();
  await makeFolder(folder);
  for (const part of ["test", "validation", "train"] as const) {
    const own = Array.from({ length: counts[part] }, () => pairs.next().value);
    for (const side of ["source", "target"] as const) {
      const file = files[`${part}_${side}`];
      if (file === undefined) continue;
      await writeFileAtomically(resolve(folder, file), own.map((pair) => `${pair[side]}\n`).join(""));
    }
  }
  return counts;
}

/** Writes generated records as JSON lines into a folder. @returns how many each part has */
export async function writeGeneratedRecords(
  name: GeneratedRecordsName,
  folder: string,
  files: { readonly train: string; readonly validation?: string; readonly test?: string },
): Promise<{ train: number; validation: number; test: number }> {
  const { counts, ...corpus } = generatedRecords[name];
  const records = corpus.records();
  await makeFolder(folder);
  for (const part of ["test", "validation", "train"] as const) {
    const own = Array.from({ length: counts[part] }, () => records.next().value);
    const file = files[part];
    if (file === undefined) continue;
    const lines = own.map((record) => `${JSON.stringify(record)}\n`);
    await writeFileAtomically(resolve(folder, file), lines.join(""));
  }
  return counts;
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(folder, "cannot make the folder", error);
  }
}
