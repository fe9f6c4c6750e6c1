import type { Tensor } from "../graph/tensor.ts";
import type { KeysAndValues } from "../nn/attention.ts";
import type { MapLeaves } from "../nn/parameters.ts";

/** The sizes of the keys and values that a decoder keeps. */
export interface KeyValueSizes {
  readonly layerCount: number;
  /** Heads of keys and values. */
  readonly headCount: number;
  readonly headDim: number;
}

/** What an encoder-decoder family must offer to be generated with. */
export interface SequenceToSequence<Tree> extends KeyValueSizes {
  readonly parameters: Tree;
  /** Tokens that the source may have; the target's are as many as there are scores. */
  readonly sourceVocabSize: number;
  /** The longest sequence, to encoder and decoder; Infinity where positions are relative. */
  readonly maxPositions: number;
  readonly padTokenId: number;
  /** What the decoder starts from. */
  readonly bosTokenId: number;
  readonly eosTokenId: number | readonly number[];
  /**
   * The source's keys and values for each decoder layer, each [batch, head, key, headDim].
   * @param ids - [batch, sequence] @param present - [batch, sequence], true for what is no padding
   */
  source(parameters: MapLeaves<Tree, Tensor>, ids: Tensor, present: Tensor): KeysAndValues[];
  /**
   * One step for each hypothesis.
   * @param ids - [batch, beam]: their last tokens
   * @param position - [beam]: the place in the sequence, the same for all
   * @param past - for each layer [batch, head, query, past, headDim], where query counts the hypotheses
   * @param pastMask - [past]: 0 where the cache is filled, very negative where not
   * @param source - for each layer [batch, head, key, headDim], one copy for all hypotheses
   * @param sourcePresent - [batch, sequence]
   * @returns scores of the next token, [batch, beam, vocab], and each layer's new keys and values,
   *   [batch, head, key, headDim]
   */
  step(
    parameters: MapLeaves<Tree, Tensor>,
    ids: Tensor,
    position: Tensor,
    past: readonly KeysAndValues[],
    pastMask: Tensor,
    source: readonly KeysAndValues[],
    sourcePresent: Tensor,
  ): DecoderStep;
}

/** What a decoder-only family must offer to be generated with. */
export interface CausalLanguageModel<Tree> extends KeyValueSizes {
  readonly parameters: Tree;
  /** The longest text, generated tokens included; Infinity where positions are relative. */
  readonly maxPositions: number;
  readonly padTokenId: number;
  readonly eosTokenId: number | readonly number[];
  /**
   * Reads prompts, padded on the left.
   * @param ids - [batch, sequence]
   * @param positions - [batch, sequence]: of each token among those that are no padding
   * @param present - [batch, sequence], true for what is no padding
   * @returns scores of the token after the last one, [batch, vocab], and each layer's keys and values,
   *   [batch, head, key, headDim]
   */
  prompt(parameters: MapLeaves<Tree, Tensor>, ids: Tensor, positions: Tensor, present: Tensor): DecoderStep;
  /**
   * One step for each hypothesis.
   * @param ids - [batch, beam]: their last tokens @param positions - [batch, beam]: the places of these
   * @param prompt - for each layer [batch, head, key, headDim], one copy for all hypotheses
   * @param promptMask - [batch, key]: 0 = may attend, very negative = may not
   * @param past - for each layer [batch, head, query, past, headDim], where query counts the hypotheses
   * @param pastMask - [past]: 0 where the cache is filled, very negative where not
   * @returns scores of the next token, [batch, beam, vocab], and each layer's new keys and values,
   *   [batch, head, key, headDim]
   */
  step(
    parameters: MapLeaves<Tree, Tensor>,
    ids: Tensor,
    positions: Tensor,
    prompt: readonly KeysAndValues[],
    promptMask: Tensor,
    past: readonly KeysAndValues[],
    pastMask: Tensor,
  ): DecoderStep;
}

/** Scores of next tokens, and the keys and values that later steps need. */
export interface DecoderStep {
  readonly logits: Tensor;
  readonly present: readonly KeysAndValues[];
}

/** How text is generated with a model. */
export type Generation<Tree> =
  | ({ readonly kind: "causal" } & CausalLanguageModel<Tree>)
  | ({ readonly kind: "sequence-to-sequence" } & SequenceToSequence<Tree>);
