/** What the tokenizer of a new model of a family is like. */
export interface NewTokenizer {
  readonly kind: "byteLevel" | "wordPiece" | "unigram";
  /** The first tokens, in the order of their ids. */
  readonly specialTokens: readonly string[];
  /** What is put around texts: nothing, an end, BERT's or RoBERTa's beginning and end. */
  readonly template: "none" | "eos" | "bert" | "roberta";
  /** Keys of config.json, and the tokens whose ids they hold. */
  readonly ids: Readonly<Record<string, string>>;
}

/** WordPiece as BERT and its descendants have it. Source: Devlin et al., 2019, 3. */
export const bertTokenizer: NewTokenizer = {
  kind: "wordPiece",
  specialTokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
  template: "bert",
  ids: { pad_token_id: "[PAD]" },
};

/** Byte-level byte-pair encoding as RoBERTa has it. Source: Liu et al., 2019, 4.4. */
export const robertaTokenizer: NewTokenizer = {
  kind: "byteLevel",
  specialTokens: ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
  template: "roberta",
  ids: { bos_token_id: "<s>", pad_token_id: "<pad>", eos_token_id: "</s>" },
};

/** BART's: the same, and its decoder starts from the end token. Source: Lewis et al., 2020, and its checkpoints. */
export const bartTokenizer: NewTokenizer = {
  ...robertaTokenizer,
  ids: { ...robertaTokenizer.ids, decoder_start_token_id: "</s>", forced_eos_token_id: "</s>" },
};

/** Byte-level byte-pair encoding as GPT-2 has it, with one token between texts. Source: Radford et al., 2019, 2.2. */
export const gpt2Tokenizer: NewTokenizer = {
  kind: "byteLevel",
  specialTokens: ["<|endoftext|>"],
  template: "none",
  ids: { bos_token_id: "<|endoftext|>", eos_token_id: "<|endoftext|>" },
};

/** Pieces of a unigram language model, as Marian's models have them. */
export const marianTokenizer: NewTokenizer = {
  kind: "unigram",
  specialTokens: ["</s>", "<unk>", "<pad>"],
  template: "eos",
  ids: {
    eos_token_id: "</s>",
    pad_token_id: "<pad>",
    decoder_start_token_id: "<pad>",
    forced_eos_token_id: "</s>",
  },
};

/** The same with tokens for a hundred gaps. Source: Raffel et al., 2020, 3.1.4. */
export const t5Tokenizer: NewTokenizer = {
  kind: "unigram",
  specialTokens: ["<pad>", "</s>", "<unk>", ...Array.from({ length: 100 }, (_, gap) => `<extra_id_${gap}>`)],
  template: "eos",
  ids: { pad_token_id: "<pad>", eos_token_id: "</s>", decoder_start_token_id: "<pad>" },
};
