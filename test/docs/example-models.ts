/** The models that the docs name, as tiny ones, beside those that are shipped. */
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { hasShared } from "../shared.ts";
import { fillModelFolder, pairEncoding, wordPiece } from "../unit/tasks/task-folders.ts";

const ofWordPiece = {
  bert: "bert/maskedlm",
  sentiment: "bert/seqcls",
  ner: "bert/tokencls",
  qa: "bert/qa",
  minilm: "bert/base",
};
const ofPairEncoding = { "bart-cnn": "bart/plain", "opus-mt-en-de": "marian" };

const names = [...Object.keys(ofWordPiece), ...Object.keys(ofPairEncoding), "gpt2"];

/** Why code that names a model cannot run here, if so. */
export function whyNotRun(code: string): string | undefined {
  if (code.includes("google-bert/")) return "needs the internet";
  const isNamed = names.some((name) => code.includes(`models/${name}`));
  return isNamed && !hasShared ? "its small model is made from the reference data in ../shared" : undefined;
}

/** A folder `models` within a folder. @param root - of the project */
export async function makeModels(folder: string, root: string): Promise<void> {
  const models = join(folder, "models");
  mkdirSync(models);
  for (const name of readdirSync(join(root, "models"))) {
    symlinkSync(join(root, "models", name), join(models, name));
  }
  if (!hasShared) return;
  for (const name of names) mkdirSync(join(models, name));
  const words = await wordPiece();
  for (const [name, golden] of Object.entries(ofWordPiece))
    fillModelFolder(join(models, name), golden, words);
  const pieces = await pairEncoding("eos");
  for (const [name, golden] of Object.entries(ofPairEncoding)) {
    fillModelFolder(join(models, name), golden, pieces);
  }
  fillModelFolder(join(models, "gpt2"), "gpt2/lm", await pairEncoding("none"));
}
