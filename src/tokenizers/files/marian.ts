import { QkvError } from "../../util/errors.ts";
import { readObject } from "../json.ts";
import { Tokenizer } from "../tokenizer.ts";
import { sentencePieceStages, unigramJson } from "./sentence-piece.ts";
import { readSentencePieceModel } from "./sentence-piece-model.ts";
import { type NamedToken, specialTokensJson } from "./vocabulary-text.ts";

/** The files of a Marian model's tokenizers. */
export interface MarianFiles {
  /** The bytes of `source.spm` and `target.spm`. */
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  /** The parsed `vocab.json`, and `target_vocab.json` where the target has ids of its own. */
  readonly vocab: unknown;
  readonly targetVocab?: unknown;
  /** The parsed `tokenizer_config.json`. */
  readonly config?: unknown;
}

/**
 * The two tokenizers of a Marian model: SentencePiece cuts texts into pieces, `vocab.json` gives the pieces their
 * ids; pieces that it lacks are unknown. Texts end with `</s>`. A language code like `>>fra<<` in front of a
 * source is one token. Either tokenizer decodes ids of its vocabulary.
 */
export function marianTokenizers(files: MarianFiles): {
  readonly source: Tokenizer;
  readonly target: Tokenizer;
} {
  const config = files.config ?? {};
  return {
    source: marianTokenizer(files.source, "source.spm", files.vocab, "vocab.json", config),
    target:
      files.targetVocab === undefined
        ? marianTokenizer(files.target, "target.spm", files.vocab, "vocab.json", config)
        : marianTokenizer(files.target, "target.spm", files.targetVocab, "target_vocab.json", config),
  };
}

function marianTokenizer(
  bytes: Uint8Array,
  place: string,
  vocab: unknown,
  vocabPlace: string,
  config: unknown,
): Tokenizer {
  const model = readSentencePieceModel(bytes, place);
  const ids = readObject(vocab, vocabPlace);
  const named = (name: string): NamedToken => {
    const id = ids[name];
    if (typeof id === "number") return { name, id };
    throw new QkvError("file", `${vocabPlace}: must have the special token ${name}; got none of that name`);
  };
  const end = named("</s>");
  const unknown = named("<unk>");
  const codes = Object.keys(ids).filter((name) => /^>>.+<<$/.test(name));
  const special = [end, unknown, named("<pad>"), ...codes.map(named)];
  // A control piece is no text: its place is kept, under a name that no text has.
  const pieces = model.pieces.map(({ piece, score, kind }): [string, number] => [
    kind === "normal" || kind === "userDefined" ? piece : "",
    score,
  ]);
  const text = (id: "A" | "B") => ({ Sequence: { id, type_id: 0 } });
  const ending = { SpecialToken: { id: end.name, type_id: 0 } };
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokensJson(special),
    ...sentencePieceStages(model),
    post_processor: {
      type: "TemplateProcessing",
      single: [text("A"), ending],
      pair: [text("A"), text("B"), ending],
      special_tokens: { [end.name]: { id: end.name, ids: [end.id], tokens: [end.name] } },
    },
    model: { type: "Renumbered", model: unigramJson(model, pieces), vocab: ids, unk_token: unknown.name },
  };
  return Tokenizer.fromJson(json, config);
}
