import { equal, input, not, scalar } from "../src/graph/build.ts";
import { dim } from "../src/graph/dims.ts";
import type { Tensor } from "../src/graph/tensor.ts";
import { type Gpt2, gpt2Graph, gpt2Parameters } from "../src/models/gpt2.ts";
import type { Gpt2Config } from "../src/models/gpt2-config.ts";
import type { ParameterSpec } from "../src/nn/parameters.ts";
import type { Device } from "../src/runtime/device.ts";
import { Learner, type LearnerOptions, type Objective } from "../src/training/learner.ts";
import { adam } from "../src/training/optimizers/adam.ts";
import { parameterGroups } from "../src/training/parameter-groups.ts";
import { translationObjective } from "../src/training/translation-objective.ts";
import { RandomStream, randomKey } from "../src/util/random.ts";

/** The sizes of `torch_step.py`. */
export const sizeNames = ["nano", "mid", "mt"] as const;
export type SizeName = (typeof sizeNames)[number];

/** A model of one size that can be trained on generated batches. */
export interface Subject {
  /** One update on a new batch of random ids. */
  step(): Promise<{ loss: number }>;
  readonly parameterCount: number;
  readonly tokens: number;
  /** Additions and multiplications of the matrix products of one step, forward and backward. */
  readonly floatingPointOperations: number;
}

const optionsFor = (objective: { readonly parameters: unknown }): LearnerOptions => ({
  seed: 1,
  optimizer: adam({ beta1: 0.9, beta2: 0.99, epsilon: 1e-8 }),
  groups: parameterGroups(objective.parameters, { weightDecay: 0.1 }),
  maxGradientNorm: 1,
});
const learningRate = 1e-3;
/** No token of the batches is padding. */
const padTokenId = -1;

interface TextBatch {
  readonly rows: number;
  readonly ids: Int32Array;
  readonly labels: Int32Array;
}

/** Predicting the next token of a text. */
export function languageModelObjective(config: Gpt2Config): Objective<Gpt2<ParameterSpec>, TextBatch> {
  return {
    parameters: gpt2Parameters(config),
    loss(parameters: Gpt2<Tensor>) {
      const model = gpt2Graph(config, "training");
      const dims = [dim("batch"), dim("sequence")];
      const ids = input("ids", dims, "int32");
      const labels = input("labels", dims, "int32");
      const present = not(equal(ids, scalar(padTokenId, "int32")));
      return model.loss(parameters, model.hidden(parameters, ids, present), labels, padTokenId);
    },
    feeds({ rows, ids, labels }: TextBatch) {
      const shape = [rows, ids.length / rows];
      return { ids: { data: ids, shape }, labels: { data: labels, shape } };
    },
    count: ({ ids }) => ids.length,
  };
}

const gptSizes = {
  nano: { layerCount: 4, headCount: 4, modelDim: 128, length: 64, rows: 12, vocabSize: 65 },
  mid: { layerCount: 6, headCount: 8, modelDim: 512, length: 128, rows: 8, vocabSize: 8000 },
} as const;

/** Makes the model of a size. @param dropout - the rate at all places that have one; 0 = none */
export async function createSubject(device: Device, size: SizeName, dropout: number): Promise<Subject> {
  const random = new RandomStream(randomKey(1, "bench.batches"));
  const randomIds = (count: number, from: number, limit: number) =>
    Int32Array.from({ length: count }, () => from + random.below(limit - from));
  if (size === "mt") return createTranslator(device, dropout, (count) => randomIds(count, 3, 10_000));

  const { layerCount, headCount, modelDim, length, rows, vocabSize } = gptSizes[size];
  const config: Gpt2Config = {
    vocabSize,
    modelDim,
    headCount,
    feedForwardDim: 4 * modelDim,
    layerCount,
    maxPositions: length,
    activation: "gelu",
    normEpsilon: 1e-5,
    residualDropout: dropout,
    embeddingDropout: dropout,
    attentionDropout: dropout,
    bosTokenId: 0,
    eosTokenId: 0,
  };
  const objective = languageModelObjective(config);
  const learner = await Learner.create(device, objective, optionsFor(objective));
  const tokens = rows * length;
  const weights = layerCount * 12 * modelDim ** 2 + vocabSize * modelDim;
  return {
    parameterCount: learner.parameterCount,
    tokens,
    floatingPointOperations: 6 * tokens * weights + 12 * layerCount * tokens * length * modelDim,
    step: () => {
      const [ids, labels] = [randomIds(tokens, 0, vocabSize), randomIds(tokens, 0, vocabSize)];
      return learner.update([{ rows, ids, labels }], learningRate);
    },
  };
}

async function createTranslator(
  device: Device,
  dropout: number,
  randomIds: (count: number) => Int32Array,
): Promise<Subject> {
  const [modelDim, feedForwardDim, layers, vocabSize, rows, length] = [128, 256, 4, 10_000, 128, 32];
  const objective = translationObjective(
    {
      sourceVocabSize: vocabSize,
      targetVocabSize: vocabSize,
      modelDim,
      headCount: 4,
      feedForwardDim,
      encoderLayerCount: layers,
      decoderLayerCount: layers,
      maxPositions: 512,
      positions: "sinusoidal",
      activation: "relu",
      norm: "after",
      finalNorm: true,
      embeddingNorm: false,
      normEpsilon: 1e-5,
      scaleEmbedding: true,
      sharedEmbeddings: "all",
      outputBias: false,
      dropout,
      attentionDropout: dropout,
      activationDropout: dropout,
      padTokenId: 0,
      bosTokenId: 1,
      eosTokenId: 2,
    },
    { labelSmoothing: 0.1 },
  );
  const learner = await Learner.create(device, objective, optionsFor(objective));
  const tokens = rows * length;
  const lengths = new Int32Array(rows).fill(length);
  const attentions = 3 * layers;
  const weights =
    attentions * 4 * modelDim ** 2 + 2 * layers * 2 * modelDim * feedForwardDim + vocabSize * modelDim;
  return {
    parameterCount: learner.parameterCount,
    tokens,
    floatingPointOperations: 6 * tokens * weights + 12 * attentions * tokens * length * modelDim,
    step: () =>
      learner.update(
        [
          {
            rows,
            sourceWidth: length,
            targetWidth: length,
            source: randomIds(tokens),
            sourceLengths: lengths,
            targetLengths: lengths,
            targetInput: randomIds(tokens),
            labels: randomIds(tokens),
            tokenCount: tokens,
            sourceTokenCount: tokens,
          },
        ],
        learningRate,
      ),
  };
}
