/** What models that read one text and write another have in common: the forward pass, and how they write. */
import type { Tensor } from "../graph/tensor.ts";
import type { KeysAndValues } from "../nn/attention.ts";
import { sourceKeysAndValues } from "../nn/decoder.ts";
import type { MapLeaves } from "../nn/parameters.ts";
import type { CheckpointNames } from "../weights/checkpoint-names.ts";
import {
  type EncoderDecoderSizes,
  encoderDecoderInputs,
  encoderDecoderLayerOutputs,
  presentTokens,
} from "./encoder-decoder.ts";
import {
  architectureOf,
  type Family,
  type ForwardInputs,
  type ForwardOutputs,
  type Head,
  type Loss,
  type Mode,
  type Model,
  type ModelConfig,
} from "./family.ts";
import type { SequenceToSequence } from "./generative.ts";

type DecoderLayers = Parameters<typeof sourceKeysAndValues>[0];

/** The parts of a forward pass that writing needs. */
export interface WritingGraph<Tree> {
  /** @param ids - [batch, sequence] @returns the memory: [batch, sequence, model] */
  encode(parameters: Tree, ids: Tensor, present: Tensor): Tensor;
  /** @returns hidden states [batch, beam, model], and each layer's new keys and values; see `SequenceToSequence.step` */
  decodeStep(
    parameters: Tree,
    ids: Tensor,
    position: Tensor,
    past: readonly KeysAndValues[],
    pastMask: Tensor,
    source: readonly KeysAndValues[],
    sourcePresent: Tensor,
  ): { hidden: Tensor; present: KeysAndValues[] };
  /** Scores of the whole vocabulary. @param hidden - [..., model] @returns [..., vocab] */
  logits(parameters: Tree, hidden: Tensor): Tensor;
}

/** A family's forward pass. */
export interface EncoderDecoderGraph<Tree> extends WritingGraph<Tree> {
  /** Reads a whole target at once. @returns hidden states: [batch, sequence, model] */
  decode(parameters: Tree, ids: Tensor, present: Tensor, memory: Tensor, memoryPresent: Tensor): Tensor;
  /** The cross-entropy of the labels. @param hidden - [batch, sequence, model] @param labels - [batch, sequence] */
  loss(parameters: Tree, hidden: Tensor, labels: Tensor, labelSmoothing: number): Loss;
}

/** What of its parameters is known here. */
interface AnyTree {
  readonly decoder: { readonly layers: readonly unknown[] };
}

/** The sizes of what writes. */
interface WriterSizes extends Omit<SequenceToSequence<never>, "parameters" | "source" | "step"> {}

/** How targets are written with a model, one token at a time. */
export function encoderDecoderGeneration<Tree extends AnyTree>(
  sizes: WriterSizes,
  parameters: Tree,
  graph: WritingGraph<MapLeaves<Tree, Tensor>>,
): { readonly kind: "sequence-to-sequence" } & SequenceToSequence<Tree> {
  const { layerCount, headCount, headDim, padTokenId, bosTokenId, eosTokenId } = sizes;
  return {
    kind: "sequence-to-sequence",
    parameters,
    layerCount,
    headCount,
    headDim,
    sourceVocabSize: sizes.sourceVocabSize,
    maxPositions: sizes.maxPositions,
    padTokenId,
    bosTokenId,
    eosTokenId,
    source(values, ids, present) {
      const { decoder } = values as unknown as { decoder: { layers: DecoderLayers } };
      return sourceKeysAndValues(decoder.layers, graph.encode(values, ids, present), headCount);
    },
    step(values, ...rest) {
      const { hidden, present } = graph.decodeStep(values, ...rest);
      return { logits: graph.logits(values, hidden), present };
    },
  };
}

/** What a family says of one of its models. */
export interface EncoderDecoderParts<Tree> {
  readonly config: ModelConfig & EncoderDecoderSizes & { readonly eosTokenId: number };
  readonly parameters: Tree;
  readonly names: CheckpointNames;
  readonly graph: (mode: Mode) => EncoderDecoderGraph<MapLeaves<Tree, Tensor>>;
  /** The share of the wanted probability that all tokens have alike, while the model is trained. Default: 0. */
  readonly labelSmoothing?: number;
  /** Of the decoder. */
  readonly heads: { readonly headCount: number; readonly headDim: number };
  /** Whether the source, moved by one place, is the target where there is none. */
  readonly targetFromSource: boolean;
  /** Whether the last hidden states are those after a norm that follows the layers. */
  readonly finalNorm: boolean;
}

/** A model with this head: everything but what its family says. */
export function encoderDecoderModel<Tree extends AnyTree & object>(
  family: Family,
  head: Head,
  parts: EncoderDecoderParts<Tree>,
): Model<Tree> {
  const { config, parameters, names, graph, heads, targetFromSource, finalNorm, labelSmoothing = 0 } = parts;
  const withOutput = head === "sequence-to-sequence";
  const sizes = {
    ...config,
    ...heads,
    layerCount: config.decoderLayerCount,
    sourceVocabSize: config.vocabSize,
    bosTokenId: config.decoderStartTokenId,
  };
  return {
    modelType: family.modelType,
    architecture: architectureOf(family, head),
    head,
    config,
    parameters,
    names,
    inputs: encoderDecoderInputs(config, { withLabels: withOutput, fromSource: targetFromSource }),
    forward: (values, inputs, mode = "inference") =>
      forward(graph(mode), values, inputs, withOutput, mode === "training" ? labelSmoothing : 0),
    layerOutputs: encoderDecoderLayerOutputs(config, finalNorm),
    ...(withOutput && { generation: encoderDecoderGeneration(sizes, parameters, graph("inference")) }),
  };
}

function forward<Tree>(
  graph: EncoderDecoderGraph<Tree>,
  parameters: Tree,
  inputs: ForwardInputs,
  withOutput: boolean,
  labelSmoothing: number,
): ForwardOutputs {
  const sourcePresent = presentTokens(inputs.attentionMask!);
  const memory = graph.encode(parameters, inputs.inputIds!, sourcePresent);
  const targetPresent = presentTokens(inputs.decoderAttentionMask!);
  const hidden = graph.decode(parameters, inputs.decoderInputIds!, targetPresent, memory, sourcePresent);
  const encoded = { encoderLastHiddenState: memory };
  if (!withOutput) return { ...encoded, lastHiddenState: hidden };
  const logits = graph.logits(parameters, hidden);
  if (inputs.labels === undefined) return { ...encoded, logits };
  return { ...encoded, logits, loss: graph.loss(parameters, hidden, inputs.labels, labelSmoothing) };
}
