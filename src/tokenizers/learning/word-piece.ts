import { bertTemplateJson } from "../files/vocabulary-text.ts";
import { Tokenizer } from "../tokenizer.ts";
import { learnMerges } from "./merge-learner.ts";
import { addedTokensJson, checkSpecialTokens, checkVocabSize, requireSpecial } from "./special-tokens.ts";
import { charactersOf, countWords } from "./words.ts";

/** How a WordPiece vocabulary is learned. */
export interface WordPieceOptions {
  /** The most tokens there shall be, special tokens and single characters included; default 10,000. */
  vocabSize?: number;
  /** The first ids, in order; default `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]`, `[MASK]`. */
  specialTokens?: readonly string[];
  /** Whether texts are put into small letters and their accents go; default true. */
  lowercase?: boolean;
  /** What occurs less often is not merged; default 2. */
  minFrequency?: number;
  /** Called now and then with the tokens learned so far and their goal. */
  onProgress?: (tokens: number, goal: number) => void;
}

const prefix = "##";
const defaultVocabSize = 10_000;
const tokensBetweenReports = 256;

/**
 * Learns a WordPiece vocabulary from lines of text, with BERT's normalizer, words and template. Tokens are found
 * as byte-pair encoding finds merges; the pieces that continue a word carry `##`. The same lines and options give
 * the same tokenizer.
 */
export async function learnWordPiece(
  lines: Iterable<string> | AsyncIterable<string>,
  options: WordPieceOptions = {},
): Promise<Tokenizer> {
  const where = "learnWordPiece";
  const { specialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], onProgress } = options;
  checkSpecialTokens(specialTokens, where);
  const named = (name: string) => ({
    name: requireSpecial(name, specialTokens, where),
    id: specialTokens.indexOf(name),
  });
  const unknown = named("[UNK]");
  const stages = {
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: options.lowercase ?? true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
  };
  const counts = await countWords(lines, stages);
  const characters = charactersOf(counts);
  const symbols = [...specialTokens, ...characters, ...characters.map((character) => prefix + character)];
  const vocabSize = options.vocabSize ?? defaultVocabSize;
  checkVocabSize(vocabSize, symbols.length, where);
  const symbolIds = new Map(symbols.map((text, id) => [text, id]));
  learnMerges({
    words: [...counts.keys()].map((word) =>
      Array.from(word, (character, index) => symbolIds.get(index === 0 ? character : prefix + character)!),
    ),
    counts: [...counts.values()],
    symbols,
    join: (left, right) => left + right.slice(prefix.length),
    symbolLimit: vocabSize,
    mergeLimit: Number.POSITIVE_INFINITY,
    minFrequency: options.minFrequency ?? 2,
    ...(onProgress && {
      onMerge: (merges: number) => {
        if (merges % tokensBetweenReports === 0) onProgress(symbols.length, vocabSize);
      },
    }),
  });
  onProgress?.(symbols.length, vocabSize);
  return Tokenizer.fromJson({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokensJson(specialTokens),
    ...stages,
    post_processor: bertTemplateJson(named("[CLS]"), named("[SEP]")),
    decoder: { type: "WordPiece", prefix, cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: unknown.name,
      continuing_subword_prefix: prefix,
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(symbols.map((text, id) => [text, id])),
    },
  });
}
