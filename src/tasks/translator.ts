import { type DecodingOptions, refuseIdleOptions } from "../generation/decoding-options.ts";
import { SequenceGenerator } from "../generation/sequence-to-sequence.ts";
import { type Transformer, transformerGeneration } from "../models/transformer.ts";
import type { TransformerConfig } from "../models/transformer-config.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import type { CompileOptions, Device, DeviceArray } from "../runtime/device.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { QkvError } from "../util/errors.ts";
import type { TaskControls } from "./task.ts";
import { tellFinished, tokenTeller } from "./written-tokens.ts";

/** What a translation model is besides its weights. */
export interface TranslationModel {
  readonly config: TransformerConfig;
  readonly sourceTokenizer: Tokenizer;
  readonly targetTokenizer: Tokenizer;
  /** How it generates where nothing else is asked for. */
  readonly decoding: Partial<DecodingOptions>;
}

export interface Translation {
  /** The best translation. */
  readonly text: string;
  /** Its log-probability divided by length^lengthPenalty. */
  readonly score: number;
  /** The best translations, as many as numReturnSequences asks for, the first again included. */
  readonly hypotheses: readonly { readonly text: string; readonly score: number }[];
  /** Whether the source was longer than the model can read, and was cut. */
  readonly truncated: boolean;
}

/** Sources of one batch, padding included. */
const tokensPerBatch = 1536;

/** Translates texts with a model whose weights are on a device. */
export class Translator {
  readonly model: TranslationModel;
  readonly #generator: SequenceGenerator<Transformer<ParameterSpec>>;
  readonly #parameters: ReadonlyMap<string, DeviceArray>;

  private constructor(
    model: TranslationModel,
    generator: SequenceGenerator<Transformer<ParameterSpec>>,
    parameters: ReadonlyMap<string, DeviceArray>,
  ) {
    this.model = model;
    this.#generator = generator;
    this.#parameters = parameters;
  }

  /**
   * @param options - the weights as fixed parameters of the programs, or
   * @param parameters - as arrays that may change between calls, as they do in training
   */
  static async create(
    device: Device,
    model: TranslationModel,
    options: CompileOptions,
    parameters: ReadonlyMap<string, DeviceArray> = new Map(),
  ): Promise<Translator> {
    const generator = await SequenceGenerator.create(device, transformerGeneration(model.config), options);
    return new Translator(model, generator, parameters);
  }

  /** The token ids that the encoder reads for a text, and whether it had to be cut. */
  sourceIds(text: string): { ids: number[]; truncated: boolean } {
    const { config, sourceTokenizer } = this.model;
    const ids = sourceTokenizer.encodeIds(text);
    const limit = config.maxPositions - 1;
    return { ids: [...ids.slice(0, limit), config.eosTokenId], truncated: ids.length > limit };
  }

  /**
   * Translates texts, several at a time, and returns the translations in the order of the texts.
   * An empty text stays empty.
   * @param options - over the model's own decoding options
   * @throws QkvError "interrupted" where the signal of `controls` asks for it
   */
  async translate(
    texts: readonly string[],
    options: Partial<DecodingOptions> = {},
    parameters: ReadonlyMap<string, DeviceArray> = this.#parameters,
    { signal, onToken }: Pick<TaskControls, "signal" | "onToken"> = {},
  ): Promise<Translation[]> {
    refuseIdleOptions(options, { ...this.model.decoding, ...options });
    const results = new Array<Translation>(texts.length);
    const sources: { ids: number[]; truncated: boolean; index: number }[] = [];
    texts.forEach((text, index) => {
      if (text.trim() === "")
        results[index] = { text: "", score: 0, hypotheses: [{ text: "", score: 0 }], truncated: false };
      else sources.push({ ...this.sourceIds(text), index });
    });
    sources.sort((left, right) => left.ids.length - right.ids.length);
    const decoding = { ...this.model.decoding, ...options };
    const tell = onToken && tokenTeller((_, tokens) => this.#textOf(tokens), onToken);
    const tellsAtOnce = tell !== undefined && (decoding.numBeams ?? 1) === 1;
    for (let start = 0; start < sources.length; ) {
      let end = start + 1;
      while (end < sources.length && (end + 1 - start) * sources[end]!.ids.length <= tokensPerBatch) end++;
      const batch = sources.slice(start, end);
      // A translation is hardly ever twice as long as its source; this bounds one that never ends.
      const maxNewTokens = Math.min(decoding.maxNewTokens ?? 256, 2 * batch.at(-1)!.ids.length + 20);
      const generated = await this.#generator.generate(
        batch.map(({ ids }) => ids),
        {
          ...decoding,
          maxNewTokens: options.maxNewTokens ?? (options.maxLength === undefined ? maxNewTokens : undefined),
        },
        parameters,
        {
          signal,
          decodeText: (tokens) => this.model.targetTokenizer.decode(tokens),
          ...(tellsAtOnce && { onToken: (event) => tell(batch[event.sequence]!.index, event) }),
        },
      );
      batch.forEach(({ index, truncated }, place) => {
        const hypotheses = generated[place]!.map(({ tokens, score }) => ({
          text: this.#textOf(tokens),
          score,
        }));
        const [best] = hypotheses;
        if (best === undefined) throw new QkvError("internal", "translation: no hypothesis was finished");
        results[index] = { ...best, hypotheses, truncated };
        if (tell !== undefined && !tellsAtOnce) tellFinished(index, generated[place]!, tell);
      });
      start = end;
    }
    return results;
  }

  #textOf(tokens: readonly number[]): string {
    return this.model.targetTokenizer.decode(tokens, { skipSpecialTokens: true });
  }

  async dispose(): Promise<void> {
    await this.#generator.dispose();
  }
}
