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

/**
 * The sizes of `torch_step.py`; `recipe`, the batches that recipes/multi30k-en-de trains on, two an update; and two for
 * memory: `deep`, 12 layers of width 512 on 16 texts of 512 tokens, and `gpt2`, GPT-2 with 124 million parameters
 * on 4 texts of 512 tokens.
 */
export const sizeNames = ["nano", "mid", "mt", "recipe", "deep", "gpt2"] as const;
export type SizeName = (typeof sizeNames)[number];

/** A model of one size that can be trained on generated batches. */
export interface Subject {
  /** One update on a new batch of random ids. @param small - on two texts of eight tokens, for language models */
  step(small?: boolean): Promise<{ loss: number }>;
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
    examples: "batch",
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
  deep: { layerCount: 12, headCount: 8, modelDim: 512, length: 512, rows: 16, vocabSize: 8000 },
  gpt2: { layerCount: 12, headCount: 12, modelDim: 768, length: 512, rows: 4, vocabSize: 50_257 },
} as const;

/**
 * Makes the model of a size.
 * @param dropout - the rate at all places that have one; 0 = none
 * @param gradientCheckpointing - of a language model: whether layers are computed anew for the gradient
 */
export async function createSubject(
  device: Device,
  size: SizeName,
  dropout: number,
  gradientCheckpointing = false,
): Promise<Subject> {
  const random = new RandomStream(randomKey(1, "bench.batches"));
  const randomIds = (count: number, from: number, limit: number) =>
    Int32Array.from({ length: count }, () => from + random.below(limit - from));
  if (size === "mt" || size === "recipe")
    return createTranslator(device, size, dropout, (count) => randomIds(count, 3, 10_000));

  const { layerCount, headCount, modelDim, length, rows, vocabSize } = gptSizes[size];
  const config: Gpt2Config = {
    vocabSize,
    modelDim,
    headCount,
    feedForwardDim: 4 * modelDim,
    layerCount,
    maxPositions: size === "gpt2" ? 1024 : length,
    activation: "gelu",
    normEpsilon: 1e-5,
    residualDropout: dropout,
    embeddingDropout: dropout,
    attentionDropout: dropout,
    bosTokenId: 0,
    eosTokenId: 0,
  };
  const objective = languageModelObjective(config);
  const learner = await Learner.create(device, objective, {
    ...optionsFor(objective),
    gradientCheckpointing,
  });
  const tokens = rows * length;
  const weights = layerCount * 12 * modelDim ** 2 + vocabSize * modelDim;
  return {
    parameterCount: learner.parameterCount,
    tokens,
    floatingPointOperations: 6 * tokens * weights + 12 * layerCount * tokens * length * modelDim,
    step: (small = false) => {
      const count = small ? 16 : tokens;
      const [ids, labels] = [randomIds(count, 0, vocabSize), randomIds(count, 0, vocabSize)];
      return learner.update([{ rows: small ? 2 : rows, ids, labels }], learningRate);
    },
  };
}

const total = (lengths: Int32Array): number => lengths.reduce((left, right) => left + right, 0);

/** The lengths of rows; those of a recipe are about an eighth shorter than the longest, as real ones are. */
function raggedLengths(size: SizeName, rows: number, width: number): Int32Array {
  const spread = size === "recipe" ? Math.ceil(width / 4) + 1 : 1;
  return Int32Array.from({ length: rows }, (_, row) => width - (row % spread));
}

/** Puts padding behind each row's length. */
function padded(ids: Int32Array, lengths: Int32Array): Int32Array {
  const width = ids.length / lengths.length;
  lengths.forEach((length, row) => {
    ids.fill(0, row * width + length, (row + 1) * width);
  });
  return ids;
}

/** Rows, tokens of a source and tokens of a target of each batch; the next update takes the next group. */
const translationBatches = {
  mt: [[[128, 32, 32]]],
  recipe: [
    [
      [341, 10, 12],
      [215, 17, 19],
    ],
    [
      [273, 13, 15],
      [157, 24, 26],
    ],
  ],
} as const;

async function createTranslator(
  device: Device,
  size: "mt" | "recipe",
  dropout: number,
  randomIds: (count: number) => Int32Array,
): Promise<Subject> {
  const [modelDim, feedForwardDim, layers, vocabSize] = [128, 256, 4, 10_000];
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
  const groups: readonly (readonly (readonly [number, number, number])[])[] = translationBatches[size];
  const mean = (of: (rows: number, source: number, target: number) => number) =>
    groups.flat().reduce((sum, batch) => sum + of(...batch), 0) / groups.length;
  const attention = 4 * modelDim ** 2;
  const inner = 2 * modelDim * feedForwardDim;
  const products = (rows: number, source: number, target: number) =>
    rows * source * layers * (1.5 * attention + inner) +
    rows * target * (layers * (1.5 * attention + inner) + vocabSize * modelDim) +
    2 * layers * rows * modelDim * (source ** 2 + target ** 2 + source * target);
  let update = 0;
  return {
    parameterCount: learner.parameterCount,
    tokens: mean((rows, _, target) => rows * target),
    floatingPointOperations: 6 * mean(products),
    step: () =>
      learner.update(
        groups[update++ % groups.length]!.map(([rows, sourceWidth, targetWidth]) => {
          const sourceLengths = raggedLengths(size, rows, sourceWidth);
          const targetLengths = raggedLengths(size, rows, targetWidth);
          return {
            rows,
            sourceWidth,
            targetWidth,
            source: padded(randomIds(rows * sourceWidth), sourceLengths),
            sourceLengths,
            targetLengths,
            targetInput: padded(randomIds(rows * targetWidth), targetLengths),
            labels: padded(randomIds(rows * targetWidth), targetLengths),
            tokenCount: total(targetLengths),
            sourceTokenCount: total(sourceLengths),
          };
        }),
        learningRate,
      ),
  };
}
