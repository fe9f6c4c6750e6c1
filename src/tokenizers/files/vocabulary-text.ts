import { QkvError } from "../../util/errors.ts";
import { type JsonObject, readBoolean, readObject, readString } from "../json.ts";
import { Tokenizer } from "../tokenizer.ts";

/**
 * BERT's tokenizer from its older file `vocab.txt`, one token a line, the first with id 0.
 * @param config - the parsed `tokenizer_config.json`: `do_lower_case` (default true), `strip_accents`,
 *   `tokenize_chinese_chars` and the names of the special tokens
 * @throws QkvError where a special token is not in the file or a token is listed twice
 */
export function tokenizerFromVocabularyText(text: string, config: unknown = {}): Tokenizer {
  const settings = readObject(config, "tokenizer_config.json");
  const place = "vocab.txt";
  const vocab = new Map<string, number>();
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  if (lines.at(-1) === "") lines.pop();
  lines.forEach((token, id) => {
    if (vocab.has(token)) {
      throw new QkvError("file", `${place}:${id + 1}: a token must be listed once; got "${token}" again`);
    }
    vocab.set(token, id);
  });
  const lowercase = readBoolean(settings, "do_lower_case", "tokenizer_config.json", true);
  const special = (role: string, fallback: string) => {
    const name = readString(settings, role, "tokenizer_config.json", fallback);
    const id = vocab.get(name);
    if (id !== undefined) return { name, id };
    throw new QkvError(
      "file",
      `${place}: must list the special token ${name}; got ${vocab.size} tokens without it; ` +
        `name another one as ${role} in tokenizer_config.json`,
    );
  };
  const first = special("cls_token", "[CLS]");
  const end = special("sep_token", "[SEP]");
  const unknown = special("unk_token", "[UNK]");
  const others = [special("pad_token", "[PAD]"), special("mask_token", "[MASK]")];
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokensJson([first, end, unknown, ...others]),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: readBoolean(settings, "tokenize_chinese_chars", "tokenizer_config.json", true),
      strip_accents: typeof settings.strip_accents === "boolean" ? settings.strip_accents : null,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: bertTemplateJson(first, end),
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: unknown.name,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocab),
    },
  };
  return Tokenizer.fromJson(json, config);
}

/** A token and its id. */
export interface NamedToken {
  readonly name: string;
  readonly id: number;
}

/** The list `added_tokens` of a tokenizer file for special tokens, by id. */
export function specialTokensJson(tokens: readonly NamedToken[], leftStrip = ""): JsonObject[] {
  const byId = new Map(tokens.map((token) => [token.id, token.name]));
  return [...byId]
    .sort(([one], [other]) => one - other)
    .map(([id, content]) => ({
      id,
      content,
      single_word: false,
      lstrip: content === leftStrip,
      rstrip: false,
      normalized: false,
      special: true,
    }));
}

/** BERT's template: `[CLS] A [SEP]`, or `[CLS] A [SEP] B [SEP]` with type id 1 from B on. */
export function bertTemplateJson(first: NamedToken, end: NamedToken): JsonObject {
  const special = (token: NamedToken, type_id: number) => ({ SpecialToken: { id: token.name, type_id } });
  const text = (id: "A" | "B", type_id: number) => ({ Sequence: { id, type_id } });
  const single = [special(first, 0), text("A", 0), special(end, 0)];
  const definition = ({ name, id }: NamedToken) => [name, { id: name, ids: [id], tokens: [name] }];
  return {
    type: "TemplateProcessing",
    single,
    pair: [...single, text("B", 1), special(end, 1)],
    special_tokens: Object.fromEntries([first, end].map(definition)) as JsonObject,
  };
}
