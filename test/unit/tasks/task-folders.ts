/** Small model folders for tasks: the weights of a reference case with a tokenizer that is learned here. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { learnBytePairEncoding } from "../../../src/tokenizers/learning/byte-pair-encoding.ts";
import { learnWordPiece } from "../../../src/tokenizers/learning/word-piece.ts";
import type { Tokenizer } from "../../../src/tokenizers/tokenizer.ts";
import { sharedPath } from "../../shared.ts";

const lines = [
  "one cat and two trees",
  "the red tree and a green cat",
  "two red cats see ten green trees",
  "who sees the cat",
  "the cat sees a tree in the sun",
];

export const wordPiece = (): Promise<Tokenizer> => learnWordPiece(lines, { vocabSize: 95, minFrequency: 1 });

/** The tokens of an encoder-decoder: texts end with `</s>`. */
export const pairEncoding = (template: "none" | "eos"): Promise<Tokenizer> =>
  learnBytePairEncoding(lines, { vocabSize: 95, minFrequency: 1, preTokenizer: "metaspace", template });

/** A copy of a reference case's folder with a tokenizer, and with other values in its config.json. */
export function makeModelFolder(
  golden: string,
  tokenizer: Tokenizer,
  config: Readonly<Record<string, unknown>> = {},
): string {
  const folder = mkdtempSync(join(tmpdir(), "qkv-tasks-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  fillModelFolder(folder, golden, tokenizer, config);
  return folder;
}

/** The same in a folder that is there. */
export function fillModelFolder(
  folder: string,
  golden: string,
  tokenizer: Tokenizer,
  config: Readonly<Record<string, unknown>> = {},
): void {
  const source = (name: string) => sharedPath(`goldens/${golden}/${name}`);
  copyFileSync(source("model.safetensors"), join(folder, "model.safetensors"));
  const json = JSON.parse(readFileSync(source("config.json"), "utf8")) as object;
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...json, ...config }));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer.toJson()));
}
