import { QkvError } from "../../util/errors.ts";
import { type JsonObject, readBoolean, readObject, readString } from "../json.ts";
import { Tokenizer } from "../tokenizer.ts";
import { type NamedToken, specialTokensJson } from "./vocabulary-text.ts";

/**
 * A byte-level tokenizer from its older files `vocab.json` and `merges.txt`: GPT-2's, or where the vocabulary
 * has `<s>`, `</s>` and `<mask>`, RoBERTa's (which BART shares).
 * @param vocab - the parsed `vocab.json`
 * @param merges - the text of `merges.txt`: a first line `#version` (optional), then two tokens a line
 * @param config - the parsed `tokenizer_config.json`
 */
export function tokenizerFromVocabularyAndMerges(
  vocab: unknown,
  merges: string,
  config: unknown = {},
): Tokenizer {
  const settings = readObject(config, "tokenizer_config.json");
  const ids = readObject(vocab, "vocab.json");
  const isRoberta = ["<s>", "</s>", "<mask>"].every((token) => Object.hasOwn(ids, token));
  const addPrefixSpace = readBoolean(settings, "add_prefix_space", "tokenizer_config.json", false);
  const byteLevel = {
    type: "ByteLevel",
    add_prefix_space: addPrefixSpace,
    trim_offsets: true,
    use_regex: true,
  };
  const family = isRoberta
    ? robertaStages(ids, settings, addPrefixSpace)
    : {
        added_tokens: specialTokensJson([
          requireId(ids, readString(settings, "eos_token", "tokenizer_config.json", "<|endoftext|>")),
        ]),
        post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true },
      };
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    ...family,
    normalizer: null,
    pre_tokenizer: byteLevel,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: ids,
      merges: readMergesText(merges),
    },
  };
  return Tokenizer.fromJson(json, config);
}

function robertaStages(ids: JsonObject, settings: JsonObject, addPrefixSpace: boolean): JsonObject {
  const named = (role: string, fallback: string) =>
    requireId(ids, readString(settings, role, "tokenizer_config.json", fallback));
  const first = named("cls_token", "<s>");
  const end = named("sep_token", "</s>");
  const mask = named("mask_token", "<mask>");
  const others = [named("pad_token", "<pad>"), named("unk_token", "<unk>")];
  return {
    added_tokens: specialTokensJson([first, end, mask, ...others], mask.name),
    post_processor: {
      type: "RobertaProcessing",
      sep: [end.name, end.id],
      cls: [first.name, first.id],
      trim_offsets: true,
      add_prefix_space: addPrefixSpace,
    },
  };
}

function requireId(ids: JsonObject, name: string): NamedToken {
  const id = ids[name];
  if (typeof id === "number") return { name, id };
  throw new QkvError("file", `vocab.json: must have the special token ${name}; got none of that name`);
}

/** The merges of a `merges.txt`, each as two tokens. */
export function readMergesText(text: string): [string, string][] {
  const merges: [string, string][] = [];
  text.split("\n").forEach((rawLine, index) => {
    const line = rawLine.replace(/\r$/, "");
    if (line === "" || (index === 0 && line.startsWith("#version"))) return;
    const [left, right, ...more] = line.split(" ");
    if (left === undefined || !left || !right || more.length > 0) {
      throw new QkvError(
        "file",
        `merges.txt:${index + 1}: must be two tokens with a space between; got "${line.slice(0, 60)}"`,
      );
    }
    merges.push([left, right]);
  });
  return merges;
}
