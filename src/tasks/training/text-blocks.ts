import type { TokenTexts } from "../../data/packing.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { QkvError } from "../../util/errors.ts";
import { RandomStream, randomKey } from "../../util/random.ts";
import type { Draw, Example, ExampleStore, TaskContext, TrainingRecord } from "./training-task.ts";

/** How many tokens of a text are kept together; long texts lie in several pieces, so that each is soon read. */
const pieceLength = 4096;

/**
 * A text's tokens without special ones around, and the end token behind, in pieces. Texts follow one another and are
 * cut wherever a block is full, so a block may begin and end within a sentence and go on into the next text, with the
 * end token between.
 */
export function encodePieces(record: TrainingRecord, context: TaskContext): Generator<Example> {
  return piecesOf(record, context, endOfText(context.tokenizers.source, context.model.config.eosTokenId));
}

/** @param end - the token behind each text, where there shall be one */
export function* piecesOf(
  { fields }: TrainingRecord,
  { tokenizers }: TaskContext,
  end: number | undefined,
): Generator<Example> {
  const text = fields.text as string;
  // An empty line would be nothing but an end.
  if (text.trim() === "") return;
  const ids = tokenizers.source.encodeIds(text, { addSpecialTokens: false });
  if (end !== undefined) ids.push(end);
  for (let start = 0; start < ids.length; start += pieceLength)
    yield { ids: ids.slice(start, start + pieceLength) };
}

/**
 * The same, a sentence each. Where a record is a line it is one sentence; a longer record is divided behind a token
 * that ends with a full stop, an exclamation mark or a question mark.
 */
export function* encodeSentences(
  { fields }: TrainingRecord,
  { tokenizers, model, recipe }: TaskContext,
): Generator<Example> {
  const text = fields.text as string;
  if (text.trim() === "") return;
  const ids = tokenizers.source.encodeIds(text, { addSpecialTokens: false });
  const end = endOfText(tokenizers.source, model.config.eosTokenId);
  const isEnd = recipe.data.documents === "line" ? () => false : endsSentence(tokenizers.source);
  let start = 0;
  for (let place = 0; place < ids.length; place++) {
    const isLast = place === ids.length - 1;
    // Of several ends, as "?!" has, the last one counts.
    if (!isLast && (!isEnd(ids[place]!) || isEnd(ids[place + 1]!))) continue;
    const sentence = ids.slice(start, place + 1);
    if (isLast && end !== undefined) sentence.push(end);
    yield { ids: sentence };
    start = place + 1;
  }
}

/** The token between texts: the model's end, or what stands behind every text. */
export function endOfText(tokenizer: Tokenizer, eosTokenId: number | undefined): number | undefined {
  return eosTokenId ?? framesOf(tokenizer).after.at(-1);
}

/** The tokens of a store's texts. */
export function textsOf(store: ExampleStore): TokenTexts {
  return {
    length: store.length,
    lengthOf: (text) => store.lengthOf("ids", text),
    values: (text) => store.values("ids", text),
  };
}

/** The special tokens that a tokenizer puts before and behind a text. */
export function framesOf(tokenizer: Tokenizer): { before: number[]; after: number[] } {
  const { ids, specialTokensMask } = tokenizer.encode("a");
  const first = specialTokensMask.indexOf(0);
  const last = specialTokensMask.lastIndexOf(0);
  return { before: ids.slice(0, Math.max(0, first)), after: ids.slice(last + 1) };
}

/** Whether a token is one of the special ones, which stand around and between texts. */
export function isSpecial(tokenizer: Tokenizer): (id: number) => boolean {
  const special = new Set(tokenizer.addedTokens.filter((token) => token.special).map(({ id }) => id));
  return (id) => special.has(id);
}

/** Whether a sentence ends with a token, told by its last character. */
export function endsSentence(tokenizer: Tokenizer): (id: number) => boolean {
  return (id) => /[.!?]$/.test(tokenizer.idToToken(id) ?? "");
}

/** What a block is drawn with in an epoch: a pure function of seed, epoch and the block's number. */
export function randomOfBlock(what: string, { seed, epoch }: Draw, index: number): RandomStream {
  return new RandomStream(randomKey(seed, `${what}:${epoch}`, index));
}

/** Tokens of a block where the model has no limit of its own. Source: Raffel et al., 2020 (T5), 3.1.2. */
const lengthWithoutLimit = 512;

/**
 * How many tokens a block has: as many as are wanted, or as the model reads.
 * @param special - tokens that are put around each
 * @throws QkvError "config" where the model cannot read such a block
 */
export function blockLengthOf({ longest }: TaskContext, wanted: number | undefined, special: number): number {
  const size = wanted ?? (Number.isFinite(longest) ? longest : lengthWithoutLimit);
  if (size > longest) {
    throw new QkvError(
      "config",
      `recipe: objective.block_size can be ${longest} at most in this model; got ${size}; take --set block_size=${longest}`,
    );
  }
  if (size <= special) {
    throw new QkvError(
      "config",
      `recipe: objective.block_size must be above ${special}, the special tokens of a block; got ${size}; take longer blocks`,
    );
  }
  return size - special;
}
