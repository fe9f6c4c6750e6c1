import { type JsonObject, readCount, readObject } from "../json.ts";
import { byteTokenName } from "../models/byte-pair-encoding.ts";
import { Tokenizer } from "../tokenizer.ts";
import { readSentencePieceModel, type SentencePieceModel } from "./sentence-piece-model.ts";
import { type NamedToken, specialTokensJson } from "./vocabulary-text.ts";

/** Which family a SentencePiece file serves: what stands around a text, and which tokens are added. */
export type SentencePieceFamily = "t5" | "llama" | "plain";

const mark = "▁";
const defaultExtraIds = 100;

/**
 * A tokenizer from a SentencePiece file alone (`spiece.model`, `tokenizer.model`).
 * @param family - `t5`: `</s>` at the end and tokens `<extra_id_0>` ... added; `llama`: `<s>` in front;
 *   `plain`: nothing around. Default by the `tokenizer_class` of the configuration, else `plain`
 * @param config - the parsed `tokenizer_config.json`
 */
export function tokenizerFromSentencePiece(
  bytes: Uint8Array,
  options: { readonly family?: SentencePieceFamily; readonly config?: unknown; readonly place?: string } = {},
): Tokenizer {
  const settings = readObject(options.config ?? {}, "tokenizer_config.json");
  const family = options.family ?? familyOfClass(settings.tokenizer_class);
  const model = readSentencePieceModel(bytes, options.place ?? "SentencePiece model");
  const vocab: [string, number][] = model.pieces.map(({ piece, score }) => [piece, score]);
  const special = model.pieces.flatMap(({ piece, kind }, id): NamedToken[] =>
    kind === "control" || kind === "unknown" || kind === "userDefined" ? [{ name: piece, id }] : [],
  );
  if (family === "t5") {
    const extraIds = readCount(settings, "extra_ids", "tokenizer_config.json", defaultExtraIds);
    for (let extra = extraIds - 1; extra >= 0; extra--) {
      special.push({ name: `<extra_id_${extra}>`, id: vocab.length });
      vocab.push([`<extra_id_${extra}>`, 0]);
    }
  }
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokensJson(special),
    ...sentencePieceStages(model),
    post_processor: templateJson(family, special),
    model: model.algorithm === "unigram" ? unigramJson(model, vocab) : bytePairJson(model),
  };
  return Tokenizer.fromJson(json, settings);
}

function familyOfClass(name: unknown): SentencePieceFamily {
  if (typeof name !== "string") return "plain";
  if (/^(?:M?T5)Tokenizer/.test(name)) return "t5";
  return /Llama/.test(name) ? "llama" : "plain";
}

/** Normalizer, pre-tokenizer and decoder that do what SentencePiece does before and after its model. */
export function sentencePieceStages(model: SentencePieceModel): JsonObject {
  const replace = (pattern: JsonObject, content: string) => ({ type: "Replace", pattern, content });
  const normalizers: JsonObject[] = [];
  if (model.replacements.length > 0) {
    const text = Array.from(model.replacements, (byte) => String.fromCharCode(byte)).join("");
    normalizers.push({ type: "Precompiled", precompiled_charsmap: btoa(text), longest_match: true });
  }
  if (model.removesExtraSpaces) {
    normalizers.push(replace({ Regex: " {2,}" }, " "), replace({ Regex: "\\A | \\z" }, ""));
  }
  if (model.addsPrefix) normalizers.push({ type: "Prepend", prepend: mark });
  normalizers.push(replace({ String: " " }, mark));
  // Where no piece goes beyond a word, words can be cut apart first: the pieces stay the same.
  const crossesWords = model.pieces.some(({ piece }) => piece.indexOf(mark, 1) > 0);
  const split = { type: "Split", pattern: { String: mark }, behavior: "MergedWithNext", invert: false };
  return {
    normalizer: { type: "Sequence", normalizers },
    pre_tokenizer: crossesWords ? null : split,
    decoder: {
      type: "Sequence",
      decoders: [
        replace({ String: mark }, " "),
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: model.addsPrefix ? 1 : 0, stop: 0 },
      ],
    },
  };
}

/** The model of a tokenizer file for a unigram model. */
export function unigramJson(model: SentencePieceModel, vocab: readonly [string, number][]): JsonObject {
  return {
    type: "Unigram",
    unk_id: Math.max(
      0,
      model.pieces.findIndex(({ kind }) => kind === "unknown"),
    ),
    vocab,
    byte_fallback: model.fallsBackToBytes,
  };
}

/**
 * The model of a tokenizer file for byte-pair encoding. SentencePiece merges the two neighbours whose joint piece
 * has the highest score; so the merges are all pairs of pieces that make up a piece, by its score.
 */
function bytePairJson(model: SentencePieceModel): JsonObject {
  const ids = new Map(model.pieces.map(({ piece }, id) => [piece, id]));
  const merges: { left: string; right: string; score: number }[] = [];
  for (const { piece, score, kind } of model.pieces) {
    if (kind !== "normal") continue;
    const characters = [...piece];
    const splits: { left: string; right: string; score: number }[] = [];
    for (let count = 1; count < characters.length; count++) {
      const left = characters.slice(0, count).join("");
      const right = characters.slice(count).join("");
      if (ids.has(left) && ids.has(right)) splits.push({ left, right, score });
    }
    splits.sort(
      (one, other) =>
        ids.get(one.left)! - ids.get(other.left)! || ids.get(one.right)! - ids.get(other.right)!,
    );
    merges.push(...splits);
  }
  merges.sort((one, other) => other.score - one.score);
  return {
    type: "BPE",
    dropout: null,
    unk_token: model.pieces.find(({ kind }) => kind === "unknown")?.piece ?? null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: model.fallsBackToBytes && ids.has(byteTokenName(0)),
    ignore_merges: false,
    vocab: Object.fromEntries(ids),
    merges: merges.map(({ left, right }) => [left, right]),
  };
}

function templateJson(family: SentencePieceFamily, special: readonly NamedToken[]): JsonObject | null {
  const token = special.find(({ name }) => name === (family === "t5" ? "</s>" : "<s>"));
  if (family === "plain" || token === undefined) return null;
  const text = (id: "A" | "B", type_id: number) => ({ Sequence: { id, type_id } });
  const around = (id: "A" | "B", type_id: number) => {
    const added = { SpecialToken: { id: token.name, type_id } };
    return family === "t5"
      ? [text(id, 0), { ...added, SpecialToken: { id: token.name, type_id: 0 } }]
      : [added, text(id, type_id)];
  };
  return {
    type: "TemplateProcessing",
    single: around("A", 0),
    pair: [...around("A", 0), ...around("B", 1)],
    special_tokens: { [token.name]: { id: token.name, ids: [token.id], tokens: [token.name] } },
  };
}
