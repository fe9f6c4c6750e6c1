import { QkvError } from "../../util/errors.ts";
import { byteCharacters, toByteCharacters } from "../byte-level.ts";
import { Tokenizer } from "../tokenizer.ts";
import { learnMerges } from "./merge-learner.ts";
import {
  addedTokensJson,
  checkSpecialTokens,
  checkVocabSize,
  endTemplateJson,
  requireSpecial,
  robertaTemplateJson,
} from "./special-tokens.ts";
import { byCodePoint, charactersOf, countWords, type WordCounts } from "./words.ts";

/** What texts are cut into before byte-pair encoding is learned and used. */
export type BytePairWords = "byteLevel" | "metaspace" | "whitespace";

/** How a byte-pair encoding is learned. */
export interface BytePairEncodingOptions {
  /** The most tokens there shall be, special tokens and single characters included; default 10,000. */
  vocabSize?: number;
  /** How many merges are learned; instead of `vocabSize`. */
  merges?: number;
  /** The first ids, in order; default `<pad>`, `<s>`, `</s>`, `<unk>`. */
  specialTokens?: readonly string[];
  /** Whether texts are put into small letters; default false. */
  lowercase?: boolean;
  /**
   * `byteLevel` (default): GPT-2's words over bytes; nothing is unknown, and decoding gives back the text.
   * `metaspace`: words between spaces over characters, as SentencePiece cuts them.
   * `whitespace`: words between white space over characters, their ends marked with `</w>`.
   */
  preTokenizer?: BytePairWords;
  /** What occurs less often is not merged; default 2. */
  minFrequency?: number;
  /** `eos`: a text's tokens end with `</s>`; `roberta`: `<s>` and `</s>` stand around; `none` (default): nothing. */
  template?: "none" | "eos" | "roberta";
  /** Called now and then with the merges learned so far and their goal, where there is one. */
  onProgress?: (merges: number, goal: number | undefined) => void;
}

const defaultVocabSize = 10_000;
const templates = { none: () => null, eos: endTemplateJson, roberta: robertaTemplateJson };
const mergesBetweenReports = 256;

/**
 * Learns a byte-pair encoding from lines of text. The same lines and options give the same tokenizer: the most
 * frequent pair is merged first; of equally frequent ones, the pair whose left token has the smaller id, then
 * the one whose right token has.
 *
 * With `byteLevel`, one space is put in front of each text, and decoding takes it off again, so that a word has
 * the same tokens at a text's beginning as within it.
 *
 * Source: Sennrich, Haddow and Birch 2016, "Neural Machine Translation of Rare Words with Subword Units".
 */
export async function learnBytePairEncoding(
  lines: Iterable<string> | AsyncIterable<string>,
  options: BytePairEncodingOptions = {},
): Promise<Tokenizer> {
  const where = "learnBytePairEncoding";
  const { specialTokens = ["<pad>", "<s>", "</s>", "<unk>"], preTokenizer = "byteLevel" } = options;
  if (options.vocabSize !== undefined && options.merges !== undefined) {
    throw new QkvError("option", `${where}: takes vocabSize or merges; got both; leave one out`);
  }
  checkSpecialTokens(specialTokens, where);
  const { stages, alphabetOf } = wayOf[preTokenizer];
  const frame = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokensJson(specialTokens),
    ...stages(options.lowercase ?? false),
    post_processor: templates[options.template ?? "none"](specialTokens, where),
  };
  const unknownToken = preTokenizer === "byteLevel" ? null : requireSpecial("<unk>", specialTokens, where);
  const counts = await countWords(lines, frame);
  const { alphabet, symbolsOf, suffix } = alphabetOf(counts);

  const symbols = [...specialTokens, ...alphabet];
  const mergeLimit = options.merges ?? Number.POSITIVE_INFINITY;
  const symbolLimit =
    options.merges === undefined ? (options.vocabSize ?? defaultVocabSize) : Number.POSITIVE_INFINITY;
  checkVocabSize(symbolLimit, symbols.length, where);
  const goal = options.merges ?? symbolLimit - symbols.length;
  const { onProgress } = options;
  const symbolIds = new Map(symbols.map((text, id) => [text, id]));
  const merges = learnMerges({
    words: [...counts.keys()].map((word) => symbolsOf(word).map((symbol) => symbolIds.get(symbol)!)),
    counts: [...counts.values()],
    symbols,
    join: (left, right) => left + right,
    symbolLimit,
    mergeLimit,
    minFrequency: options.minFrequency ?? 2,
    ...(onProgress && {
      onMerge: (done: number) => {
        if (done % mergesBetweenReports === 0) onProgress(done, goal);
      },
    }),
  });
  onProgress?.(merges.length, goal);
  return Tokenizer.fromJson({
    ...frame,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: unknownToken,
      continuing_subword_prefix: null,
      end_of_word_suffix: suffix,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(symbols.map((text, id) => [text, id])),
      merges: merges.map(({ left, right }) => [symbols[left]!, symbols[right]!]),
    },
  });
}

/** The stages of a tokenizer file, and the symbols that words start from. */
interface Way {
  readonly stages: (lowercase: boolean) => { normalizer: unknown; pre_tokenizer: unknown; decoder: unknown };
  readonly alphabetOf: (counts: WordCounts) => {
    readonly alphabet: readonly string[];
    readonly symbolsOf: (word: string) => string[];
    readonly suffix: string | null;
  };
}

const byteLevelJson = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const metaspaceJson = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };
const lowercaseJson = { type: "Lowercase" };

const wayOf: { readonly [Words in BytePairWords]: Way } = {
  byteLevel: {
    stages: (lowercase) => {
      const prepend = { type: "Prepend", prepend: " " };
      return {
        normalizer: lowercase ? { type: "Sequence", normalizers: [lowercaseJson, prepend] } : prepend,
        pre_tokenizer: byteLevelJson,
        decoder: {
          type: "Sequence",
          decoders: [byteLevelJson, { type: "Strip", content: " ", start: 1, stop: 0 }],
        },
      };
    },
    alphabetOf: () => ({
      alphabet: [...byteCharacters].sort(byCodePoint),
      symbolsOf: (word) => [...toByteCharacters(word)],
      suffix: null,
    }),
  },
  metaspace: {
    stages: (lowercase) => ({
      normalizer: lowercase ? lowercaseJson : null,
      pre_tokenizer: metaspaceJson,
      decoder: metaspaceJson,
    }),
    alphabetOf: (counts) => ({
      alphabet: charactersOf(counts),
      symbolsOf: (word) => [...word],
      suffix: null,
    }),
  },
  whitespace: {
    stages: (lowercase) => ({
      normalizer: lowercase ? lowercaseJson : null,
      pre_tokenizer: { type: "WhitespaceSplit" },
      decoder: { type: "BPEDecoder", suffix: "</w>" },
    }),
    alphabetOf: (counts) => {
      const characters = charactersOf(counts);
      const suffix = "</w>";
      return {
        alphabet: [...characters, ...characters.map((character) => character + suffix)],
        symbolsOf: (word) => {
          const symbols = [...word];
          symbols.push(symbols.pop()! + suffix);
          return symbols;
        },
        suffix,
      };
    },
  },
};
