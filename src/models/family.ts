import type { Dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { MapLeaves } from "../nn/parameters.ts";
import type { CheckpointNames } from "../weights/checkpoint-names.ts";
import type { Generation } from "./generative.ts";
import type { NewTokenizer } from "./new-tokenizer.ts";

/** What a model gives beyond its hidden states. */
export type Head =
  | "base"
  | "masked-lm"
  | "pre-training"
  | "causal-lm"
  | "sequence-classification"
  | "token-classification"
  | "question-answering"
  | "sequence-to-sequence";

/** Whether the graph is built for training, where dropout acts, or for use. */
export type Mode = "training" | "inference";

/**
 * What a label of a whole text is: a number for each output, one of several classes, or any number of them.
 * The loss is the mean squared error, the cross-entropy, or the binary cross-entropy of each class.
 */
export type ProblemType = "regression" | "single-label" | "multi-label";

/** The inputs of models: Hugging Face's words in camelCase. */
export type InputName =
  | "inputIds"
  | "attentionMask"
  | "tokenTypeIds"
  | "positionIds"
  | "decoderInputIds"
  | "decoderAttentionMask"
  | "labels"
  | "nextSentenceLabel"
  | "startPositions"
  | "endPositions";

/** Numbers of this process with their shape, as a program is fed. */
export interface HostInput {
  readonly data: Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  readonly shape: readonly number[];
}
export type HostInputs = { readonly [Name in InputName]?: HostInput };

/** One input of a model. */
export interface InputSpec {
  readonly dtype: "int32" | "float32";
  readonly dims: readonly Dim[];
  /** Whole numbers must lie in [0, below), where it is given. */
  readonly below?: number;
  /** A number that may stand there besides: that of a label that does not count. */
  readonly ignored?: number;
  /** The longest that the last axis may be. */
  readonly longest?: number;
  /** What is taken where the input is not given; without it the input is left out, or refused if `required`. */
  readonly fill?: (given: HostInputs) => HostInput | undefined;
  /** Turns what Hugging Face's model is given into what the graph takes, e.g. labels into the next tokens. */
  readonly adapt?: (given: HostInput) => HostInput;
  readonly required?: boolean;
}
export type InputSpecs = { readonly [Name in InputName]?: InputSpec };

/** The inputs of a forward pass as values of the graph. */
export type ForwardInputs = { readonly [Name in InputName]?: Tensor };

/**
 * What a forward pass gives: Hugging Face's words in camelCase. What it gives layer by layer lies under the
 * addresses that the model's `layerOutputs` names.
 */
export interface ForwardOutputs {
  readonly lastHiddenState?: Tensor;
  readonly encoderLastHiddenState?: Tensor;
  readonly poolerOutput?: Tensor;
  readonly logits?: Tensor;
  /** Of a model in pre-training: the scores of hidden tokens, and whether the second segment is the next one. */
  readonly predictionLogits?: Tensor;
  readonly seqRelationshipLogits?: Tensor;
  readonly startLogits?: Tensor;
  readonly endLogits?: Tensor;
  /** A scalar; only where labels are among the inputs. */
  readonly loss?: Loss;
}

/** A loss as Hugging Face gives it, and as a sum with the number of things that it sums over. */
export interface Loss {
  readonly mean: Tensor;
  /** Missing where the mean is no sum divided by a number. */
  readonly sum?: Tensor;
  readonly count?: Tensor;
}

/** Sizes and choices that every model has; a family's own configuration has more. */
export interface ModelConfig {
  readonly vocabSize: number;
  readonly modelDim: number;
  readonly headCount: number;
  readonly layerCount: number;
  /** The longest input, in tokens. */
  readonly maxPositions: number;
  readonly padTokenId?: number | undefined;
  readonly bosTokenId?: number | undefined;
  readonly eosTokenId?: number | undefined;
  /** The names of the classes, by id, where the model has a head that classifies. */
  readonly labels?: readonly string[];
}

/** A family's model for one configuration and one head. */
export interface Model<Tree = unknown> {
  /** `model_type` of config.json. */
  readonly modelType: string;
  /** The name that Hugging Face gives this model, such as "BertForMaskedLM". */
  readonly architecture: string;
  readonly head: Head;
  readonly config: ModelConfig;
  /** The tree of parameter specifications. */
  readonly parameters: Tree;
  /** How its parameters are called in checkpoints. */
  readonly names: CheckpointNames;
  readonly inputs: InputSpecs;
  /**
   * Writes the forward pass down. Every value on the way gets its address.
   * @param parameters - `parameterTensors(model.parameters)`
   * @param inputs - every input that `completeInputs` fills; `labels` and such only where a loss is wanted
   */
  forward(parameters: MapLeaves<Tree, Tensor>, inputs: ForwardInputs, mode?: Mode): ForwardOutputs;
  /** Addresses, layer by layer, under the names that Hugging Face gives these outputs, e.g. `hidden_states`. */
  readonly layerOutputs: Readonly<Record<string, readonly string[]>>;
  /** How text is generated with it, where it can be. */
  readonly generation?: Generation<Tree>;
}

/** Options that decide which of a family's models it is. */
export interface ModelOptions {
  /** Default: the one that `architectures` of config.json names. */
  readonly head?: Head;
  /** For models that classify whole texts, where config.json does not say. Default: one label, or regression. */
  readonly problemType?: ProblemType;
  /** Of a model that writes: the loss that it is trained by is smoothed by this much. Default 0. */
  readonly labelSmoothing?: number;
  /** Leaves the pooler of a base model away, which many checkpoints lack and few uses need. */
  readonly withoutPooler?: boolean;
}

/** A family of models: everything that tells it from others is in one file. */
export interface Family {
  readonly modelType: string;
  /** The models it has, under the names that `architectures` of config.json gives them. */
  readonly architectures: Readonly<Record<string, Head>>;
  /** The keys of config.json that have a meaning here. */
  readonly configKeys: readonly string[];
  /** What the tokenizer of a new model is like. */
  readonly newTokenizer: NewTokenizer;
  /**
   * @param json - the contents of config.json
   * @param where - the file, for messages
   * @throws QkvError "config" for what the family does not support, by its name
   */
  createModel(json: unknown, head: Head, options: ModelOptions, where: string): Model;
}

/** `layers.0.output`, `layers.1.output` ...: a pattern for each of so many layers. */
export function layerAddresses(pattern: string, layerCount: number): string[] {
  return Array.from({ length: layerCount }, (_, layer) => pattern.replaceAll("{layer}", String(layer)));
}

/** The name of a family's model with this head. */
export function architectureOf(family: Pick<Family, "architectures">, head: Head): string {
  return Object.entries(family.architectures).find(([, own]) => own === head)![0];
}
