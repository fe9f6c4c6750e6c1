import type { DecodingOptions } from "../generation/decoding-options.ts";
import type { FeatureExtractionOptions, Features } from "./feature-extraction.ts";
import type { FillMaskOptions, MaskFilling } from "./fill-mask.ts";
import type { Answer, QuestionAnsweringOptions } from "./question-answering.ts";
import type { Summary } from "./summarization.ts";
import type { Classification, ClassifiedText, TextClassificationOptions } from "./text-classification.ts";
import type { GeneratedText, TextGenerationOptions } from "./text-generation.ts";
import type { TaggedEntity, TaggedToken, TokenClassificationOptions } from "./token-classification.ts";
import type { TranslatedText } from "./translation.ts";
import type { WrittenToken } from "./written-tokens.ts";

/** What the options of every call may hold besides. */
export interface CallControls {
  /** Stops the call, which then fails with "interrupted". */
  readonly signal?: AbortSignal;
}

/** The same for tasks that write text. */
export interface WritingControls extends CallControls {
  /**
   * Hears of each token as soon as it is written. Beams change their minds, so with them tokens come when their text is
   * finished.
   */
  readonly onToken?: (token: WrittenToken) => void;
}

/** A task's function: one input or a list. */
export interface Pipeline<Input, Options, One, Many, Controls = CallControls> {
  (input: Input, options?: Spelled<Options> & Controls): Promise<One>;
  (inputs: readonly Input[], options?: Spelled<Options> & Controls): Promise<Many>;
  /** Ends the thread. Calls that are under way fail with "interrupted". */
  dispose(): Promise<void>;
}

/** The function of a task that writes text. */
export interface WritingPipeline<Options, One, Many>
  extends Pipeline<string, Options, One, Many, WritingControls> {
  /** The tokens of one result or of several as they are written. Whoever leaves the loop stops the writing. */
  stream(
    input: string | readonly string[],
    options?: Spelled<Options> & CallControls,
  ): AsyncGenerator<WrittenToken, void, undefined>;
}

/** Options whose names may also be spelled with underscores. */
export type Spelled<Options> = Options & {
  readonly [Name in keyof Options as Name extends string ? SnakeCase<Name> : never]?: Options[Name];
};
type SnakeCase<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeCase<Rest>}`
  : "";

/** A question, or several, to a text, or several. With topK above 1 each result is a list. */
export interface QuestionAnsweringPipeline {
  (
    question: string,
    context: string,
    options?: Spelled<QuestionAnsweringOptions> & CallControls,
  ): Promise<Answer | Answer[]>;
  (
    questions: string | readonly string[],
    contexts: string | readonly string[],
    options?: Spelled<QuestionAnsweringOptions> & CallControls,
  ): Promise<(Answer | Answer[])[]>;
  dispose(): Promise<void>;
}

type Tags = (TaggedToken | TaggedEntity)[];
type TextToTextPipeline<Result> = WritingPipeline<Partial<DecodingOptions>, Result[], Result[]>;

/** The functions by their tasks. */
export interface Pipelines {
  /** A text with one mask gives a list, one with several a list for each. */
  "fill-mask": Pipeline<
    string,
    FillMaskOptions,
    MaskFilling[] | MaskFilling[][],
    (MaskFilling[] | MaskFilling[][])[]
  >;
  /** Lists within the list only where topK is not 1. */
  "text-classification": Pipeline<
    ClassifiedText,
    TextClassificationOptions,
    Classification[],
    (Classification | Classification[])[]
  >;
  "token-classification": Pipeline<string, TokenClassificationOptions, Tags, Tags[]>;
  "question-answering": QuestionAnsweringPipeline;
  "feature-extraction": Pipeline<string, FeatureExtractionOptions, FeatureTensor, FeatureTensor>;
  "text-generation": WritingPipeline<TextGenerationOptions, GeneratedText[], GeneratedText[][]>;
  summarization: TextToTextPipeline<Summary>;
  translation: TextToTextPipeline<TranslatedText>;
  "text2text-generation": TextToTextPipeline<GeneratedText>;
}

/** Vectors of texts: [text, model], or without pooling [text, token, model], where rows after a text's end are 0. */
export class FeatureTensor {
  readonly type = "float32";
  readonly dims: readonly number[];
  readonly data: Float32Array;

  constructor(dims: readonly number[], data: Float32Array) {
    this.dims = dims;
    this.data = data;
  }

  /** @param isPooled - whether each text has one vector */
  static stack(features: readonly Features[], isPooled: boolean): FeatureTensor {
    const width = features[0]?.dims[1] ?? 0;
    const rows = Math.max(0, ...features.map(({ dims }) => dims[0]));
    const data = new Float32Array(features.length * rows * width);
    features.forEach((own, index) => {
      data.set(own.data, index * rows * width);
    });
    return new FeatureTensor(isPooled ? [features.length, width] : [features.length, rows, width], data);
  }

  /** The numbers as nested lists. */
  tolist(): number[][] | number[][][] {
    const width = this.dims.at(-1)!;
    const rows = Array.from({ length: width === 0 ? 0 : this.data.length / width }, (_, row) =>
      Array.from(this.data.subarray(row * width, (row + 1) * width)),
    );
    const [texts = 0, tokens] = this.dims;
    if (this.dims.length === 2 || tokens === undefined) return rows;
    return Array.from({ length: texts }, (_, text) => rows.slice(text * tokens, (text + 1) * tokens));
  }
}
