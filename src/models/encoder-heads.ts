import { add, multiply } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import { named } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import {
  spanHead,
  spanHeadParameters,
  type VocabularyHead,
  vocabularyHead,
  vocabularyHeadParameters,
} from "../nn/heads.ts";
import { type ActivationName, dropout, type Linear, linear, linearParameters } from "../nn/layers.ts";
import { classCrossEntropy } from "../nn/losses.ts";
import type { Initializer, ParameterSpec } from "../nn/parameters.ts";
import {
  answerLoss,
  answerPlaces,
  segmentRelation,
  textClassificationLoss,
  textLabels,
  tokenLabels,
} from "./classification.ts";
import {
  type ForwardInputs,
  type ForwardOutputs,
  type Head,
  type InputSpecs,
  layerAddresses,
  type Mode,
  type ModelConfig,
  type ProblemType,
} from "./family.ts";

/** What reads an encoder's hidden states: a model has one of these. Source: Devlin et al., 2019, 4. */
export interface EncoderHeads<Parameter> {
  readonly vocabularyHead?: VocabularyHead<Parameter>;
  /** Whether the second segment follows the first: scores of 0, it does, and 1, it is one from anywhere. */
  readonly nextSentence?: Linear<Parameter>;
  readonly textClassifier?: Linear<Parameter>;
  readonly tokenClassifier?: Linear<Parameter>;
  readonly spanHead?: Linear<Parameter>;
}

/** What the heads depend on. */
export interface EncoderHeadsConfig extends ModelConfig {
  readonly labels: readonly string[];
  readonly problemType: ProblemType;
  readonly normEpsilon: number;
  /** Between the two layers of the vocabulary head. */
  readonly headActivation: ActivationName;
  readonly textClassifierDropout: number;
  readonly tokenClassifierDropout: number;
  readonly spanDropout: number;
}

/**
 * @param textVector - the axis of what the classifier of texts reads
 * @param table - the table of embeddings, where it is also the projection to the vocabulary
 */
export function encoderHeadParameters(
  config: EncoderHeadsConfig,
  head: Head,
  textVector: Dim,
  weight: Initializer,
  table: ParameterSpec | undefined,
): EncoderHeads<ParameterSpec> {
  const model = dim("model", config.modelDim);
  const label = dim("label", config.labels.length);
  switch (head) {
    case "masked-lm":
      return { vocabularyHead: vocabularyHeadParameters(config.vocabSize, config.modelDim, weight, table) };
    case "pre-training":
      return {
        vocabularyHead: vocabularyHeadParameters(config.vocabSize, config.modelDim, weight, table),
        nextSentence: linearParameters(textVector, dim("relation", 2), weight),
      };
    case "sequence-classification":
      return { textClassifier: linearParameters(textVector, label, weight) };
    case "token-classification":
      return { tokenClassifier: linearParameters(model, label, weight) };
    case "question-answering":
      return { spanHead: spanHeadParameters(model, weight) };
    default:
      return {};
  }
}

/**
 * What a model with this head gives.
 * @param hidden - [batch, sequence, model]
 * @param textVector - makes one vector of each text: [batch, its axis]
 */
export function encoderHeadOutputs(
  config: EncoderHeadsConfig,
  head: Head,
  parameters: EncoderHeads<Tensor>,
  hidden: Tensor,
  textVector: () => Tensor,
  inputs: ForwardInputs,
  mode: Mode,
): ForwardOutputs {
  const thinned = (x: Tensor, rate: number) => dropout("headDropout", x, mode === "training" ? rate : 0);
  const { labels, startPositions, endPositions } = inputs;
  const hiddenTokens = () => {
    const { transformed, logits } = vocabularyHead(parameters.vocabularyHead!, hidden, {
      activation: config.headActivation,
      normEpsilon: config.normEpsilon,
    });
    const { output } = parameters.vocabularyHead!;
    return { logits, loss: labels && classCrossEntropy(transformed, output, labels) };
  };
  switch (head) {
    case "masked-lm": {
      const { logits, loss } = hiddenTokens();
      return { logits, ...(loss !== undefined && { loss }) };
    }
    case "pre-training": {
      const { logits: predictionLogits, loss: tokenLoss } = hiddenTokens();
      const x = textVector();
      const seqRelationshipLogits = named("relation", linear(parameters.nextSentence!, x));
      const scores = { predictionLogits, seqRelationshipLogits };
      const { nextSentenceLabel } = inputs;
      if (tokenLoss === undefined || nextSentenceLabel === undefined) return scores;
      const pairLoss = classCrossEntropy(x, parameters.nextSentence!, nextSentenceLabel);
      const mean = add(tokenLoss.mean, pairLoss.mean);
      // Summed over the pairs, as if each had the mean loss.
      return { ...scores, loss: { mean, sum: multiply(mean, pairLoss.count), count: pairLoss.count } };
    }
    case "sequence-classification": {
      const classifier = parameters.textClassifier!;
      const x = thinned(textVector(), config.textClassifierDropout);
      const logits = named("logits", linear(classifier, x));
      if (labels === undefined) return { logits };
      return { logits, loss: textClassificationLoss(config.problemType, classifier, x, logits, labels) };
    }
    case "token-classification": {
      const classifier = parameters.tokenClassifier!;
      const x = thinned(hidden, config.tokenClassifierDropout);
      const logits = named("logits", linear(classifier, x));
      if (labels === undefined) return { logits };
      return { logits, loss: classCrossEntropy(x, classifier, labels) };
    }
    case "question-answering": {
      const spans = spanHead(parameters.spanHead!, thinned(hidden, config.spanDropout));
      const loss = answerLoss(spans, startPositions, endPositions);
      return { ...spans, ...(loss !== undefined && { loss }) };
    }
    default:
      return { lastHiddenState: hidden };
  }
}

/** The inputs of a model with this head. @param text - those of its encoder */
export function encoderHeadInputs(config: EncoderHeadsConfig, head: Head, text: InputSpecs): InputSpecs {
  switch (head) {
    case "masked-lm":
      return { ...text, labels: tokenLabels(config.vocabSize) };
    case "pre-training":
      return { ...text, labels: tokenLabels(config.vocabSize), nextSentenceLabel: segmentRelation };
    case "sequence-classification":
      return { ...text, labels: textLabels(config.problemType, config.labels.length) };
    case "token-classification":
      return { ...text, labels: tokenLabels(config.labels.length) };
    case "question-answering":
      return { ...text, startPositions: answerPlaces, endPositions: answerPlaces };
    default:
      return text;
  }
}

/** The addresses of what Hugging Face returns layer by layer. */
export function encoderLayerOutputs(layerCount: number): Record<string, readonly string[]> {
  return {
    hidden_states: ["encoder.embedded", ...layerAddresses("encoder.layers.{layer}.output", layerCount)],
    attentions: layerAddresses("encoder.layers.{layer}.selfAttention.weights", layerCount),
  };
}
