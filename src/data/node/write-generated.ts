import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { fileError } from "../../util/node/file-error.ts";
import { type GeneratedCorpusName, generatedCorpora } from "../generated-corpora.ts";

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
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(folder, "cannot make the folder", error);
  }
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
