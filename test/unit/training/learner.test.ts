import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Batch } from "../../../src/data/collate.ts";
import { collate } from "../../../src/data/collate.ts";
import { parallelCorpusOf } from "../../../src/data/parallel-corpus.ts";
import type { TransformerConfig } from "../../../src/models/transformer-config.ts";
import type { Device } from "../../../src/runtime/device.ts";
import { openCpu } from "../../../src/runtime/node/engine.ts";
import { Learner, type LearnerOptions } from "../../../src/training/learner.ts";
import { adam } from "../../../src/training/optimizers/adam.ts";
import { translationObjective } from "../../../src/training/translation-objective.ts";

const config: TransformerConfig = {
  sourceVocabSize: 20,
  targetVocabSize: 20,
  modelDim: 8,
  headCount: 2,
  feedForwardDim: 12,
  encoderLayerCount: 1,
  decoderLayerCount: 1,
  maxPositions: 32,
  positions: "sinusoidal",
  activation: "relu",
  norm: "after",
  finalNorm: false,
  embeddingNorm: false,
  normEpsilon: 1e-5,
  scaleEmbedding: true,
  sharedEmbeddings: "all",
  outputBias: true,
  dropout: 0,
  attentionDropout: 0,
  activationDropout: 0,
  padTokenId: 0,
  bosTokenId: 1,
  eosTokenId: 2,
};
const options: LearnerOptions = {
  seed: 5,
  optimizer: adam({ beta1: 0.9, beta2: 0.98, epsilon: 1e-8 }),
  maxGradientNorm: 0,
};
const marks = { padId: 0, bosId: 1, eosId: 2, appendEos: true };
const corpus = parallelCorpusOf([
  { source: [3, 4, 5], target: [6, 7] },
  { source: [8], target: [9, 10, 11, 12] },
  { source: [13, 14, 13, 14, 13], target: [15] },
  { source: [3, 3], target: [4, 4, 4] },
]);
const batchOf = (...pairs: number[]): Batch => collate(corpus, pairs, marks);

let device: Device;
beforeAll(async () => {
  device = await openCpu({ threads: 2 });
});
afterAll(() => device.dispose());

const create = (changes: Partial<TransformerConfig> = {}, learnerOptions: Partial<LearnerOptions> = {}) =>
  Learner.create(device, translationObjective({ ...config, ...changes }, { labelSmoothing: 0.1 }), {
    ...options,
    ...learnerOptions,
  });

const valuesOf = async (learner: Learner<unknown, Batch>) =>
  new Map(
    await Promise.all(
      [...learner.parameters].map(
        async ([address, array]) => [address, Float32Array.from(await array.read())] as const,
      ),
    ),
  );

describe("a learner", () => {
  test("learns four sentences by heart", async () => {
    const learner = await create();
    let loss = Number.POSITIVE_INFINITY;
    for (let step = 0; step < 150; step++) ({ loss } = await learner.update([batchOf(0, 1, 2, 3)], 0.01));
    // With label smoothing 0.1 over 20 pieces the loss cannot fall below about 0.6.
    expect(loss).toBeLessThan(0.75);
    await learner.dispose();
  });

  test("batches of different sizes together make the step that one large batch makes", async () => {
    const apart = await create();
    const together = await create();
    for (let step = 0; step < 3; step++) {
      const one = await apart.update([batchOf(0), batchOf(1, 2), batchOf(3)], 0.01);
      const all = await together.update([batchOf(0, 1, 2, 3)], 0.01);
      expect(one.count).toBe(all.count);
      expect(one.loss).toBeCloseTo(all.loss, 5);
      expect(one.gradientNorm).toBeCloseTo(all.gradientNorm, 4);
    }
    const expected = await valuesOf(together);
    for (const [address, values] of await valuesOf(apart)) {
      values.forEach((value, index) => {
        // Adam turns rounding noise of a gradient that is really 0 (the key biases) into small steps.
        const tolerance = address.endsWith("key.bias") ? 0.07 : 2e-3;
        expect(Math.abs(value - expected.get(address)![index]!), address).toBeLessThan(tolerance);
      });
    }
    await apart.dispose();
    await together.dispose();
  });

  test("makes the same bits twice, with dropout, on two threads, and others with another seed", async () => {
    const run = async (seed: number) => {
      const learner = await create({ dropout: 0.2, attentionDropout: 0.1, activationDropout: 0.1 }, { seed });
      for (let step = 0; step < 5; step++) await learner.update([batchOf(0, 1), batchOf(2, 3)], 0.01);
      const values = await valuesOf(learner);
      await learner.dispose();
      return values;
    };
    const first = await run(1);
    expect(await run(1)).toEqual(first);
    expect(await run(2)).not.toEqual(first);
  });

  test("makes the same bits on one thread and on two, where a second thread computes half of each batch", async () => {
    const run = async (threads: number) => {
      const own = await openCpu({ threads });
      const changed = { ...config, dropout: 0.2, attentionDropout: 0.1, activationDropout: 0.1 };
      const objective = translationObjective(changed, { labelSmoothing: 0.1 });
      const learner = await Learner.create(own, objective, { ...options, maxGradientNorm: 1 });
      const losses: number[] = [];
      // An odd number of rows, batches of one row, which cannot be halved, and several batches in one update.
      for (const batches of [[batchOf(0, 1, 2)], [batchOf(3)], [batchOf(0, 1, 2, 3), batchOf(2)]]) {
        const { loss, gradientNorm } = await learner.update(batches, 0.01);
        losses.push(loss, gradientNorm);
      }
      const values = await valuesOf(learner);
      await learner.dispose();
      await own.dispose();
      return { losses, values };
    };
    expect(await run(2)).toEqual(await run(1));
  });

  test("computes in halves what it computes at once", async () => {
    const changed = { ...config, dropout: 0.2, attentionDropout: 0.1, activationDropout: 0.1 };
    const { examples, ...whole } = translationObjective(changed, { labelSmoothing: 0.1 });
    expect(examples).toBe("batch");
    const [inHalves, atOnce] = await Promise.all([
      Learner.create(device, { ...whole, examples: "batch" }, options),
      Learner.create(device, whole, options),
    ]);
    for (let step = 0; step < 3; step++) {
      const one = await inHalves.update([batchOf(0, 1, 2, 3)], 0.01);
      const all = await atOnce.update([batchOf(0, 1, 2, 3)], 0.01);
      // The masks too are those of the whole batch.
      expect(one.loss).toBeCloseTo(all.loss, 5);
      expect(one.gradientNorm).toBeCloseTo(all.gradientNorm, 4);
    }
    await inHalves.dispose();
    await atOnce.dispose();
  });

  test("computes layers anew for the gradient with the same result", async () => {
    const changed = { dropout: 0.2, attentionDropout: 0.1, activationDropout: 0.1, encoderLayerCount: 2 };
    const run = async (gradientCheckpointing: boolean) => {
      const learner = await create(changed, { gradientCheckpointing, maxGradientNorm: 1 });
      for (let step = 0; step < 3; step++) await learner.update([batchOf(0, 1, 2, 3)], 0.01);
      const values = await valuesOf(learner);
      await learner.dispose();
      return values;
    };
    expect(await run(true)).toEqual(await run(false));
  });

  test("clips the gradient to the norm asked for", async () => {
    const learner = await create(
      {},
      {
        maxGradientNorm: 0.01,
        optimizer: adam({ beta1: 0, beta2: 0.5, epsilon: 1e-8 }),
      },
    );
    const { gradientNorm } = await learner.update([batchOf(0, 1, 2, 3)], 0.01);
    expect(gradientNorm).toBeGreaterThan(0.01);
    let squares = 0;
    for (const [name, state] of learner.states) {
      if (!name.endsWith(".exp_avg")) continue;
      for (const value of await state.read()) squares += value ** 2;
    }
    expect(Math.sqrt(squares)).toBeCloseTo(0.01, 5);
    await learner.dispose();
  });

  test("a batch in which nothing counts is told as such", async () => {
    const learner = await create();
    await expect(learner.update([{ ...batchOf(0, 1), tokenCount: 0 }], 0.01)).rejects.toThrow(
      "nothing in the batch of step 1 has a label that counts",
    );
    await learner.dispose();
  });

  test("names the first value that is not finite, and leaves the parameters as they were", async () => {
    const learner = await create();
    const gain = learner.parameters.get("encoder.layers.0.feedForwardNorm.gain")!;
    await gain.write(Float32Array.from({ length: 8 }, () => 3e38));
    const before = await valuesOf(learner);
    await expect(learner.update([batchOf(0, 1)], 0.01)).rejects.toThrow(
      /training: step 1 gave loss .*the first value that is not finite is encoder\.layers\.0\./,
    );
    expect(await valuesOf(learner)).toEqual(before);
    expect(learner.step).toBe(0);
    await learner.dispose();
  });
});
