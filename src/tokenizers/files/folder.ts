import { QkvError } from "../../util/errors.ts";
import { type JsonObject, readObject } from "../json.ts";
import { Tokenizer } from "../tokenizer.ts";
import { marianTokenizers } from "./marian.ts";
import { type SentencePieceFamily, tokenizerFromSentencePiece } from "./sentence-piece.ts";
import { tokenizerFromVocabularyAndMerges } from "./vocabulary-and-merges.ts";
import { tokenizerFromVocabularyText } from "./vocabulary-text.ts";

/** The names of the files of a model folder that `tokenizersFromFiles` may need. */
export const tokenizerFileNames = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.txt",
  "vocab.json",
  "target_vocab.json",
  "merges.txt",
  "spiece.model",
  "tokenizer.model",
  "source.spm",
  "target.spm",
] as const;

/** The name of a file that tokenizers are read from. */
export type TokenizerFileName = (typeof tokenizerFileNames)[number];

/** The tokenizers of a model: one for what it reads and one for what it writes, which mostly are the same. */
export interface ModelTokenizers {
  readonly source: Tokenizer;
  readonly target: Tokenizer;
}

type Files = ReadonlyMap<TokenizerFileName, Uint8Array>;
type Ways = readonly {
  readonly needs: readonly TokenizerFileName[];
  readonly read: (files: Files, config: JsonObject, modelType: string | undefined) => ModelTokenizers;
}[];

/** The ways in which folders hold tokenizers; the first whose files are there is taken. */
const ways: Ways = [
  {
    needs: ["tokenizer.json"],
    read: (files, config) => both(Tokenizer.fromJson(parse(files, "tokenizer.json"), config)),
  },
  {
    needs: ["source.spm", "target.spm", "vocab.json"],
    read: (files, config) =>
      marianTokenizers({
        source: files.get("source.spm")!,
        target: files.get("target.spm")!,
        vocab: parse(files, "vocab.json"),
        config,
        ...(files.has("target_vocab.json") && { targetVocab: parse(files, "target_vocab.json") }),
      }),
  },
  {
    needs: ["vocab.json", "merges.txt"],
    read: (files, config) =>
      both(tokenizerFromVocabularyAndMerges(parse(files, "vocab.json"), textOf(files, "merges.txt"), config)),
  },
  {
    needs: ["vocab.txt"],
    read: (files, config) => both(tokenizerFromVocabularyText(textOf(files, "vocab.txt"), config)),
  },
  { needs: ["spiece.model"], read: (...folder) => both(readSentencePiece("spiece.model", ...folder)) },
  { needs: ["tokenizer.model"], read: (...folder) => both(readSentencePiece("tokenizer.model", ...folder)) },
];

/**
 * The tokenizers of a model folder, from whichever files it has: `tokenizer.json`, or the older ones.
 * @param files - the bytes of those of `tokenizerFileNames` that the folder has
 * @param modelType - `model_type` of the model's `config.json`, which decides what stands around a text where
 *   there is nothing but a SentencePiece file
 * @throws QkvError where no way of the known ones has all its files, or a file is damaged
 */
export function tokenizersFromFiles(files: Files, modelType?: string): ModelTokenizers {
  const way = ways.find(({ needs }) => needs.every((name) => files.has(name)));
  if (way === undefined) {
    const wanted = ways.map(({ needs }) => needs.join(" + ")).join(", or ");
    throw new QkvError(
      "file",
      `tokenizer: needs ${wanted}; got ${[...files.keys()].join(", ") || "no such file"}`,
    );
  }
  if (!way.needs.includes("tokenizer.json") && files.has("added_tokens.json")) {
    throw new QkvError(
      "file",
      "added_tokens.json: is not supported beside older vocabulary files; save the tokenizer as tokenizer.json",
    );
  }
  const config = {
    ...(files.has("special_tokens_map.json") && parse(files, "special_tokens_map.json")),
    ...(files.has("tokenizer_config.json") && parse(files, "tokenizer_config.json")),
  };
  return way.read(files, config, modelType);
}

function both(tokenizer: Tokenizer): ModelTokenizers {
  return { source: tokenizer, target: tokenizer };
}

const families: { readonly [modelType: string]: SentencePieceFamily } = {
  t5: "t5",
  mt5: "t5",
  llama: "llama",
};

function readSentencePiece(
  name: TokenizerFileName,
  files: Files,
  config: JsonObject,
  modelType: string | undefined,
): Tokenizer {
  const family = modelType === undefined ? undefined : families[modelType];
  return tokenizerFromSentencePiece(files.get(name)!, { config, place: name, ...(family && { family }) });
}

function textOf(files: Files, name: TokenizerFileName): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(files.get(name));
  } catch (cause) {
    throw new QkvError("file", `${name}: is not a text in UTF-8; fetch the file again`, { cause });
  }
}

function parse(files: Files, name: TokenizerFileName): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(textOf(files, name));
  } catch (cause) {
    if (cause instanceof QkvError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QkvError("file", `${name}: is not JSON (${reason}); fetch the file again`, { cause });
  }
  return readObject(value, name);
}
