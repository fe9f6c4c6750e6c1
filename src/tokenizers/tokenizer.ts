import { QkvError } from "../util/errors.ts";
import { type AddedToken, readAddedTokens } from "./added-tokens.ts";
import { cleanUpSpaces } from "./decoders/clean-up.ts";
import type { Decoder } from "./decoders/decoder.ts";
import { readDecoder } from "./decoders/table.ts";
import type { Encoding } from "./encoding.ts";
import { type JsonObject, readObject } from "./json.ts";
import type { Model } from "./models/model.ts";
import { readModel } from "./models/table.ts";
import { readNormalizer } from "./normalizers/table.ts";
import { type PaddingOptions, type PaddingToken, padAll } from "./padding.ts";
import { Pipeline } from "./pipeline.ts";
import { countAddedTokens, type PostProcessorStep } from "./post-processors/post-processor.ts";
import { postProcess, postProcessIds } from "./post-processors/process.ts";
import { readPostProcessor } from "./post-processors/table.ts";
import { readPreTokenizer } from "./pre-tokenizers/table.ts";
import { readSettings, type TokenizerSettings } from "./settings.ts";
import { type TruncationOptions, truncate } from "./truncation.ts";

/** How a text is encoded. */
export interface EncodeOptions {
  /** A second text, for models that read two. */
  pair?: string;
  /** Whether the tokenizer's template of special tokens is put around; default true. */
  addSpecialTokens?: boolean;
  /** Whether special tokens that a text spells are plain text; default false: they are the special tokens. */
  splitSpecialTokens?: boolean;
  /** How long the result may be; default any length. What is cut off is in the encoding's `overflowing`. */
  truncation?: TruncationOptions;
}

/** How several texts are encoded. */
export interface EncodeBatchOptions extends Omit<EncodeOptions, "pair"> {
  /** How the encodings are made equally long; default not at all. */
  padding?: PaddingOptions;
}

/** How ids are turned back into text. */
export interface DecodeOptions {
  /** Whether special tokens are left out; default false. */
  skipSpecialTokens?: boolean;
  /** Whether spaces before punctuation and in contractions are taken away; default as the settings say. */
  cleanUpTokenizationSpaces?: boolean;
}

/**
 * A tokenizer as a Hugging Face `tokenizer.json` describes it: normalizer, added tokens, pre-tokenizer, model,
 * post-processor and decoder.
 */
export class Tokenizer {
  readonly #json: JsonObject;
  readonly #model: Model;
  readonly #pipeline: Pipeline;
  readonly #postProcessor: readonly PostProcessorStep[];
  readonly #decoder: Decoder;
  /** What the model folder says beside the stages. */
  readonly settings: TokenizerSettings;
  readonly #addedById = new Map<number, AddedToken>();
  readonly #addedByContent = new Map<string, AddedToken>();

  private constructor(json: JsonObject, config: JsonObject) {
    const normalizer = json.normalizer ? readNormalizer(json.normalizer, "normalizer") : undefined;
    const addedTokens = readAddedTokens(json.added_tokens, "added_tokens");
    const preTokenizer = json.pre_tokenizer ? readPreTokenizer(json.pre_tokenizer, "pre_tokenizer") : [];
    this.#json = json;
    this.settings = readSettings(json, config);
    this.#model = readModel(json.model, "model");
    this.#pipeline = new Pipeline({ normalizer, addedTokens, preTokenizer, model: this.#model });
    this.#postProcessor = json.post_processor ? readPostProcessor(json.post_processor, "post_processor") : [];
    this.#decoder = json.decoder ? readDecoder(json.decoder, "decoder") : (pieces) => [pieces.join(" ")];
    for (const token of addedTokens) {
      this.#addedById.set(token.id, token);
      this.#addedByContent.set(token.content, token);
    }
  }

  /**
   * The tokenizer of a parsed `tokenizer.json`. The object is kept and must not be changed afterwards.
   * The file's own truncation and padding are not applied: both are asked for when encoding.
   * @param config - the parsed `tokenizer_config.json`, for the settings
   * @throws QkvError where a field is missing or wrong, or a stage has a type that is not supported
   */
  static fromJson(json: unknown, config: unknown = {}): Tokenizer {
    return new Tokenizer(readObject(json, "tokenizer.json"), readObject(config, "tokenizer_config.json"));
  }

  /** The content of a `tokenizer.json` from which the same tokenizer can be read. */
  toJson(): JsonObject {
    return this.#json;
  }

  /** How many tokens there are, added ones included. */
  get vocabSize(): number {
    let size = this.#model.vocabSize;
    for (const token of this.#addedByContent.keys()) if (this.#model.tokenToId(token) === undefined) size++;
    return size;
  }

  /** The tokens that are found in a text before the model sees it. */
  get addedTokens(): readonly AddedToken[] {
    return [...this.#addedById.values()];
  }

  /** The id of a token, or undefined where there is no such token. */
  tokenToId(token: string): number | undefined {
    return this.#addedByContent.get(token)?.id ?? this.#model.tokenToId(token);
  }

  /** The token of an id, or undefined where there is no such id. */
  idToToken(id: number): string | undefined {
    return this.#addedById.get(id)?.content ?? this.#model.idToToken(id);
  }

  /** The tokens of a text, or of two, with their places in it. */
  encode(text: string, options: EncodeOptions = {}): Encoding {
    const { pair, addSpecialTokens = true, splitSpecialTokens = false, truncation } = options;
    let first = this.#pipeline.encode(text, splitSpecialTokens, 0);
    let second = pair === undefined ? undefined : this.#pipeline.encode(pair, splitSpecialTokens, 1);
    if (truncation !== undefined) {
      const added = addSpecialTokens ? countAddedTokens(this.#postProcessor, second !== undefined) : 0;
      const side = truncation.side ?? this.settings.truncationSide;
      ({ first, second } = truncate(first, second, { ...truncation, side }, added));
    }
    return postProcess(this.#postProcessor, first, second, addSpecialTokens);
  }

  /** The tokens of several texts, or pairs of texts, each as `encode` gives them, padded if asked for. */
  encodeBatch(
    texts: readonly (string | readonly [first: string, second: string])[],
    options: EncodeBatchOptions = {},
  ): Encoding[] {
    const { padding, ...encodeOptions } = options;
    const encodings = texts.map((text) =>
      typeof text === "string"
        ? this.encode(text, encodeOptions)
        : this.encode(text[0], { ...encodeOptions, pair: text[1] }),
    );
    if (padding === undefined) return encodings;
    return padAll(
      encodings,
      padding,
      this.#paddingToken(padding.token),
      padding.side ?? this.settings.paddingSide,
    );
  }

  #paddingToken(wanted: string | undefined): PaddingToken {
    const token =
      wanted ?? this.settings.padToken ?? ["<pad>", "[PAD]"].find((name) => this.#addedByContent.has(name));
    const id = token === undefined ? undefined : this.tokenToId(token);
    if (token !== undefined && id !== undefined) return { token, id, typeId: 0 };
    const got = token === undefined ? "no pad token in the tokenizer's files" : `"${token}"`;
    throw new QkvError(
      "option",
      `padding: needs a token of the vocabulary; got ${got}; name one as padding.token`,
    );
  }

  /** The ids that `encode` gives, sooner. */
  encodeIds(text: string, options: EncodeOptions = {}): number[] {
    if (options.truncation !== undefined) return this.encode(text, options).ids;
    const { pair, addSpecialTokens = true, splitSpecialTokens = false } = options;
    const first: number[] = [];
    this.#pipeline.ids(text, splitSpecialTokens, first);
    const second: number[] = [];
    if (pair !== undefined) this.#pipeline.ids(pair, splitSpecialTokens, second);
    if (addSpecialTokens) {
      return postProcessIds(this.#postProcessor, first, pair === undefined ? undefined : second);
    }
    return pair === undefined ? first : [...first, ...second];
  }

  /**
   * The text that tokens stand for.
   * @throws QkvError where an id is not in the vocabulary
   */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const { skipSpecialTokens = false } = options;
    const tokens: string[] = [];
    for (const id of ids) {
      const added = this.#addedById.get(id);
      if (skipSpecialTokens && added?.special) continue;
      const token = added?.content ?? this.#model.idToToken(id);
      if (token === undefined) {
        throw new QkvError(
          "data",
          `decode: ids must be in the vocabulary of ${this.vocabSize} tokens; got ${id}; ` +
            "check that the ids come from this tokenizer",
        );
      }
      tokens.push(token);
    }
    const text = this.#decoder(tokens).join("");
    const cleansUp = options.cleanUpTokenizationSpaces ?? this.settings.cleanUpTokenizationSpaces;
    return cleansUp ? cleanUpSpaces(text) : text;
  }
}
