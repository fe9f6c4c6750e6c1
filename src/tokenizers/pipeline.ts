import { type AddedToken, type AddedTokenMatch, addedTokenFinder } from "./added-tokens.ts";
import { type AlignedText, alignWithItself, sliceAligned } from "./aligned-text.ts";
import { toByteCharacters } from "./byte-level.ts";
import { detachText } from "./detach.ts";
import { type Encoding, emptyEncoding, pushToken } from "./encoding.ts";
import type { Model, WordTokens } from "./models/model.ts";
import type { Normalizer } from "./normalizers/normalizer.ts";
import { byteCharactersStep } from "./pre-tokenizers/byte-level.ts";
import { cutIntoAlignedWords, cutIntoWords, type PreTokenizerStep } from "./pre-tokenizers/pre-tokenizer.ts";

/** The stages from a text to the tokens of the model. */
export interface Stages {
  readonly normalizer: Normalizer | undefined;
  readonly addedTokens: readonly AddedToken[];
  readonly preTokenizer: readonly PreTokenizerStep[];
  readonly model: Model;
}

const cachedWordLimit = 100_000;
const cachedWordLength = 64;

/**
 * Text to tokens, without what the post-processor puts around. There are two ways with one result: `ids`, quick,
 * which remembers the tokens of words, and `encode`, which keeps track of places.
 */
export class Pipeline {
  readonly #stages: Stages;
  readonly #findAll: AddedTokenFinders;
  /** Where special tokens in a text are to be taken as plain text. */
  readonly #findOrdinary: AddedTokenFinders;
  /** The steps before the last one, where that maps bytes to characters: done only for words not seen yet. */
  readonly #quickSteps: readonly PreTokenizerStep[];
  readonly #mapsBytes: boolean;
  #cache = new Map<string, number | readonly number[]>();

  constructor(stages: Stages) {
    this.#stages = stages;
    const { normalizer, addedTokens, preTokenizer } = stages;
    this.#findAll = makeFinders(addedTokens, normalizer);
    this.#findOrdinary = makeFinders(
      addedTokens.filter((token) => !token.special),
      normalizer,
    );
    this.#mapsBytes = preTokenizer.at(-1) === byteCharactersStep;
    this.#quickSteps = this.#mapsBytes ? preTokenizer.slice(0, -1) : preTokenizer;
  }

  /**
   * Adds the ids of a text's tokens to `output`.
   * @param splitsSpecial - whether special tokens in the text are plain text
   */
  ids(text: string, splitsSpecial: boolean, output: number[]): void {
    const find = splitsSpecial ? this.#findOrdinary : this.#findAll;
    let done = 0;
    for (const { token, start, end } of find.raw(text)) {
      this.#idsOfRaw(text.slice(done, start), done === 0, find, output);
      output.push(token.id);
      done = end;
    }
    this.#idsOfRaw(done === 0 ? text : text.slice(done), done === 0, find, output);
  }

  #idsOfRaw(raw: string, atStart: boolean, find: AddedTokenFinders, output: number[]): void {
    if (raw.length === 0) return;
    const text = this.#stages.normalizer?.normalize(raw) ?? raw;
    let done = 0;
    for (const { token, start, end } of find.normalized(text)) {
      this.#idsOfNormalized(text.slice(done, start), atStart && done === 0, output);
      output.push(token.id);
      done = end;
    }
    this.#idsOfNormalized(done === 0 ? text : text.slice(done), atStart && done === 0, output);
  }

  #idsOfNormalized(text: string, atStart: boolean, output: number[]): void {
    if (text.length === 0) return;
    for (const word of cutIntoWords(this.#quickSteps, text, atStart)) {
      const known = this.#cache.get(word) ?? this.#idsOfNewWord(word);
      if (typeof known === "number") output.push(known);
      else for (const id of known) output.push(id);
    }
  }

  #idsOfNewWord(word: string): number | readonly number[] {
    const tokens: WordTokens = { ids: [], starts: [], ends: [] };
    if (word.length > 0)
      this.#stages.model.encodeWord(this.#mapsBytes ? toByteCharacters(word) : word, tokens);
    const known = tokens.ids.length === 1 ? tokens.ids[0]! : tokens.ids;
    if (word.length <= cachedWordLength) {
      if (this.#cache.size >= cachedWordLimit) this.#cache.clear();
      this.#cache.set(detachText(word), known);
    }
    return known;
  }

  /** The tokens of a text with their places. */
  encode(text: string, splitsSpecial: boolean, sequenceId: number): Encoding {
    const encoding = emptyEncoding();
    const find = splitsSpecial ? this.#findOrdinary : this.#findAll;
    const state = { encoding, find, sequenceId, wordId: 0 };
    const source = alignWithItself(text);
    let done = 0;
    for (const { token, start, end } of find.raw(text)) {
      this.#encodeRaw(sliceAligned(source, done, start), state);
      pushAddedToken(state, token, sliceAligned(source, start, end));
      done = end;
    }
    this.#encodeRaw(sliceAligned(source, done, text.length), state);
    return encoding;
  }

  #encodeRaw(raw: AlignedText, state: EncodingState): void {
    if (raw.text.length === 0) return;
    const source = this.#stages.normalizer?.align(raw) ?? raw;
    let done = 0;
    for (const { token, start, end } of state.find.normalized(source.text)) {
      this.#encodeNormalized(sliceAligned(source, done, start), state);
      pushAddedToken(state, token, sliceAligned(source, start, end));
      done = end;
    }
    this.#encodeNormalized(sliceAligned(source, done, source.text.length), state);
  }

  #encodeNormalized(source: AlignedText, state: EncodingState): void {
    if (source.text.length === 0) return;
    const { model, preTokenizer } = this.#stages;
    for (const word of cutIntoAlignedWords(preTokenizer, source)) {
      if (word.text.length === 0) continue;
      const { ids, starts, ends }: WordTokens = { ids: [], starts: [], ends: [] };
      model.encodeWord(word.text, { ids, starts, ends });
      ids.forEach((id, index) => {
        const piece = sliceAligned(word, starts[index]!, ends[index]!);
        const isShownAsText = id === model.idShownAsText;
        pushToken(state.encoding, {
          id,
          token: isShownAsText ? piece.text : (model.idToToken(id) ?? ""),
          offset: placeOf(piece),
          typeId: state.sequenceId,
          wordId: state.wordId,
          sequenceId: state.sequenceId,
        });
      });
      state.wordId++;
    }
  }
}

/** Finds added tokens in a text as it is, and in a normalized one. */
interface AddedTokenFinders {
  readonly raw: (text: string) => AddedTokenMatch[];
  readonly normalized: (text: string) => AddedTokenMatch[];
}

function makeFinders(tokens: readonly AddedToken[], normalizer: Normalizer | undefined): AddedTokenFinders {
  const normalize = (content: string) => normalizer?.normalize(content) ?? content;
  return {
    raw: addedTokenFinder(
      tokens.filter(({ normalized }) => !normalized).map((token) => [token.content, token]),
    ),
    normalized: addedTokenFinder(
      tokens.filter(({ normalized }) => normalized).map((token) => [normalize(token.content), token]),
    ),
  };
}

interface EncodingState {
  readonly encoding: Encoding;
  readonly find: AddedTokenFinders;
  readonly sequenceId: number;
  wordId: number;
}

function pushAddedToken(state: EncodingState, token: AddedToken, place: AlignedText): void {
  pushToken(state.encoding, {
    id: token.id,
    token: place.text,
    offset: placeOf(place),
    typeId: state.sequenceId,
    wordId: state.wordId++,
    sequenceId: state.sequenceId,
  });
}

function placeOf(piece: AlignedText): [number, number] {
  return [piece.starts[0] ?? 0, piece.ends.at(-1) ?? 0];
}
