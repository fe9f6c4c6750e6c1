import { QkvError } from "../../util/errors.ts";
import { Tokenizer } from "../tokenizer.ts";
import {
  addedTokensJson,
  checkSpecialTokens,
  checkVocabSize,
  endTemplateJson,
  requireSpecial,
} from "./special-tokens.ts";
import { seedPieces } from "./unigram-seeds.ts";
import {
  type CountedWords,
  expectCounts,
  pruneByLoss,
  reestimate,
  type ScoredPiece,
} from "./unigram-steps.ts";
import { countWords } from "./words.ts";

/** How a unigram model is learned. */
export interface UnigramOptions {
  /** The most tokens there shall be, special tokens and single characters included; default 8,000. */
  vocabSize?: number;
  /** The first ids, in order; default `<pad>`, `</s>`, `<unk>`. */
  specialTokens?: readonly string[];
  /** Whether texts are put into small letters; default false. */
  lowercase?: boolean;
  /** The most characters of a token; default 16. */
  maxPieceLength?: number;
  /** The share of tokens that is kept in each round; default 0.75. */
  shrinkingFactor?: number;
  /** `eos` (default): a text's tokens end with `</s>`; `none`: nothing is put around. */
  template?: "none" | "eos";
  /** Called after each round with how many of the candidates have gone, and how many are to go. */
  onProgress?: (gone: number, goal: number) => void;
}

const defaultVocabSize = 8000;
const stepsPerRound = 2;
/** A little more than wanted is kept until the end, where single characters take their places. */
const spare = 1.1;
const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };

/**
 * Learns a unigram language model from lines of text: from many pieces that occur often, rounds of expectation and
 * maximization find their probabilities, and after each round those go whose loss would cost least, until the
 * wanted number is left. The same lines and options give the same tokenizer.
 *
 * Source: Kudo 2018, "Subword Regularization", section 3.2; details as in google/sentencepiece,
 * unigram_model_trainer.cc.
 */
export async function learnUnigram(
  lines: Iterable<string> | AsyncIterable<string>,
  options: UnigramOptions = {},
): Promise<Tokenizer> {
  const where = "learnUnigram";
  const { specialTokens = ["<pad>", "</s>", "<unk>"], shrinkingFactor = 0.75, onProgress } = options;
  if (!(shrinkingFactor > 0 && shrinkingFactor < 1)) {
    throw new QkvError(
      "option",
      `${where}: shrinkingFactor must lie between 0 and 1; got ${shrinkingFactor}`,
    );
  }
  checkSpecialTokens(specialTokens, where);
  const unknown = requireSpecial("<unk>", specialTokens, where);
  const post_processor = options.template === "none" ? null : endTemplateJson(specialTokens, where);
  const nfkc = { type: "NFKC" };
  const stages = {
    normalizer: options.lowercase ? { type: "Sequence", normalizers: [nfkc, { type: "Lowercase" }] } : nfkc,
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, metaspace] },
  };
  const counts = await countWords(lines, stages);
  const words: CountedWords = { texts: [...counts.keys()], counts: [...counts.values()] };
  const characterCounts = countCharacters(words);
  const vocabSize = options.vocabSize ?? defaultVocabSize;
  checkVocabSize(vocabSize, specialTokens.length + characterCounts.size, where);
  const wanted = vocabSize - specialTokens.length;

  let pieces = seedPieces(words, characterCounts, options.maxPieceLength ?? 16);
  const surplus = Math.max(0, pieces.length - wanted);
  for (;;) {
    for (let step = 0; step < stepsPerRound; step++) pieces = reestimate(pieces, expectCounts(pieces, words));
    onProgress?.(Math.min(surplus, surplus + wanted - pieces.length), surplus);
    if (pieces.length <= wanted * spare) break;
    pieces = pruneByLoss(
      pieces,
      words,
      Math.max(Math.floor(wanted * spare), Math.floor(pieces.length * shrinkingFactor)),
    );
  }
  const chosen = chooseFinal(pieces, characterCounts, wanted);
  return Tokenizer.fromJson({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokensJson(specialTokens),
    ...stages,
    post_processor,
    decoder: metaspace,
    model: {
      type: "Unigram",
      unk_id: specialTokens.indexOf(unknown),
      vocab: [...specialTokens.map((token) => [token, 0]), ...chosen.map(({ text, score }) => [text, score])],
      byte_fallback: false,
    },
  });
}

function countCharacters(words: CountedWords): Map<string, number> {
  const counts = new Map<string, number>();
  words.texts.forEach((text, index) => {
    for (const character of text) counts.set(character, (counts.get(character) ?? 0) + words.counts[index]!);
  });
  return counts;
}

/** All single characters, and the most probable of the other pieces. Lost characters get small scores. */
function chooseFinal(
  pieces: readonly ScoredPiece[],
  characters: Map<string, number>,
  wanted: number,
): ScoredPiece[] {
  const scores = new Map(pieces.map(({ text, score }) => [text, score]));
  const least = pieces.reduce((smallest, { score }) => Math.min(smallest, score), 0);
  const byCount = [...characters].sort(
    ([one, count], [other, otherCount]) => otherCount - count || (one < other ? -1 : 1),
  );
  const chosen = byCount.map(([text], rank) => ({
    text,
    // Each lost character a little below the one before, so that scores tell them apart.
    score: scores.get(text) ?? least - 1 - rank * 1e-4,
  }));
  const others = pieces.filter(({ text }) => !characters.has(text)).sort(byScore);
  return [...chosen, ...others.slice(0, Math.max(0, wanted - chosen.length))].sort(byScore);
}

function byScore(one: ScoredPiece, other: ScoredPiece): number {
  return other.score - one.score || (one.text < other.text ? -1 : one.text > other.text ? 1 : 0);
}
