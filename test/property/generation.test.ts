import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { argMax } from "../../src/generation/sampling.ts";
import { SequenceGenerator } from "../../src/generation/sequence-to-sequence.ts";
import { equal, input, not, scalar } from "../../src/graph/build.ts";
import { dim } from "../../src/graph/dims.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import {
  transformerGeneration,
  transformerGraph,
  transformerParameters,
} from "../../src/models/transformer.ts";
import type { TransformerConfig } from "../../src/models/transformer-config.ts";
import { initialValues, listParameters, parameterTensors } from "../../src/nn/parameters.ts";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { RandomStream, randomKey } from "../../src/util/random.ts";

const vocab = 23;
const config: TransformerConfig = {
  sourceVocabSize: vocab,
  targetVocabSize: vocab,
  modelDim: 16,
  headCount: 2,
  feedForwardDim: 24,
  encoderLayerCount: 2,
  decoderLayerCount: 2,
  maxPositions: 64,
  positions: "learned",
  activation: "gelu",
  norm: "before",
  finalNorm: true,
  embeddingNorm: true,
  normEpsilon: 1e-5,
  scaleEmbedding: true,
  sharedEmbeddings: "target-output",
  outputBias: true,
  dropout: 0.1,
  attentionDropout: 0,
  activationDropout: 0,
  padTokenId: 0,
  bosTokenId: 1,
  eosTokenId: 2,
};

let device: Device;
let generator: SequenceGenerator<ReturnType<typeof transformerParameters>>;
let forward: (source: number[], target: number[]) => Promise<Float32Array>;

/** Random weights, large enough that the next token depends on everything. */
function weights(address: string): Float32Array<ArrayBuffer> {
  const spec = listParameters(transformerParameters(config)).get(address)!;
  const values = initialValues(spec, address, 7);
  const random = new RandomStream(randomKey(11, address));
  return values.map((value) => value * 2 + random.normal() * 0.2);
}

beforeAll(async () => {
  device = await openCpu({ threads: 1 });
  const fixedParameters = (address: string) => ({ data: weights(address) });
  generator = await SequenceGenerator.create(device, transformerGeneration(config), { fixedParameters });

  const parameters = parameterTensors(transformerParameters(config));
  const graph = transformerGraph(config, "inference");
  const source = input("source", [dim("batch"), dim("sequence", "source")], "int32");
  const target = input("target", [dim("batch"), dim("sequence", "target")], "int32");
  const present = (ids: Tensor) => not(equal(ids, scalar(config.padTokenId, "int32")));
  // Random weights may well generate padding, which is then a token like others.
  const all = (ids: Tensor) => not(equal(ids, scalar(-1, "int32")));
  const memory = graph.encode(parameters, source, present(source));
  const logits = graph.logits(
    parameters,
    graph.decode(parameters, target, all(target), memory, present(source)),
  );
  const program = await device.compile(new Map([["logits", logits]]), { fixedParameters });
  forward = async (sourceIds, targetIds) => {
    const feed = (ids: number[]) => ({ data: Int32Array.from(ids), shape: [1, ids.length] });
    const results = await program.run({ source: feed(sourceIds), target: feed(targetIds) }, new Map());
    return (await results.get("logits")!.read()) as Float32Array;
  };
});
afterAll(() => device.dispose());

const token = fc.integer({ min: 3, max: vocab - 1 });
const sentence = fc.array(token, { minLength: 1, maxLength: 9 }).map((ids) => [...ids, config.eosTokenId]);

test("with the cache the same tokens come as without", async () => {
  await fc.assert(
    fc.asyncProperty(sentence, async (source) => {
      const [hypotheses] = await generator.generate([source], { maxNewTokens: 24 });
      const target = [config.bosTokenId];
      while (target.length <= 24 && (target.length === 1 || target.at(-1) !== config.eosTokenId)) {
        const logits = await forward(source, target);
        target.push(argMax(logits, logits.length - vocab, logits.length));
      }
      expect(hypotheses![0]!.tokens).toEqual(target.slice(1));
    }),
    { numRuns: 25 },
  );
});

test("one beam finds what greedy search finds, in any batch", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(sentence, { minLength: 1, maxLength: 6 }), async (sources) => {
      const together = await generator.generate(sources, { maxNewTokens: 24 });
      for (const [index, source] of sources.entries()) {
        const [alone] = await generator.generate([source], { maxNewTokens: 24 });
        expect(alone![0]!.tokens).toEqual(together[index]![0]!.tokens);
        expect(alone![0]!.score).toBeCloseTo(together[index]![0]!.score, 4);
      }
    }),
    { numRuns: 15 },
  );
});

test("the hypotheses of a search differ, come best first, and end at the first end of sequence", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(sentence, { minLength: 1, maxLength: 4 }), async (sources) => {
      const options = { maxNewTokens: 12, numBeams: 4, numReturnSequences: 4, lengthPenalty: 1 };
      const found = await generator.generate(sources, options);
      for (const hypotheses of found) {
        const scores = hypotheses.map(({ score }) => score);
        expect(scores).toEqual([...scores].sort((left, right) => right - left));
        expect(new Set(hypotheses.map(({ tokens }) => tokens.join())).size).toBe(hypotheses.length);
        for (const { tokens } of hypotheses) expect(tokens.slice(0, -1)).not.toContain(config.eosTokenId);
      }
    }),
    { numRuns: 10 },
  );
});

test("a hypothesis's score is the log-probability of its tokens over its length", async () => {
  await fc.assert(
    fc.asyncProperty(sentence, async (source) => {
      const [hypotheses] = await generator.generate([source], {
        maxNewTokens: 10,
        numBeams: 3,
        numReturnSequences: 3,
      });
      for (const { tokens, score } of hypotheses!) {
        const logits = await forward(source, [config.bosTokenId, ...tokens.slice(0, -1)]);
        let sum = 0;
        tokens.forEach((id, position) => {
          const row = logits.subarray(position * vocab, (position + 1) * vocab);
          const largest = Math.max(...row);
          sum +=
            row[id]! - largest - Math.log(row.reduce((total, value) => total + Math.exp(value - largest), 0));
        });
        expect(score).toBeCloseTo(sum / tokens.length, 4);
      }
    }),
    { numRuns: 15 },
  );
});

test("sampling is a function of the seed, and with topK 1 it is greedy search", async () => {
  const source = [5, 9, 14, 2];
  const draw = async (seed: number) =>
    (
      await generator.generate([source], { doSample: true, seed, maxNewTokens: 16, numReturnSequences: 3 })
    )[0]!.map(({ tokens }) => tokens.join());
  expect(await draw(1)).toEqual(await draw(1));
  const several = new Set((await Promise.all([1, 2, 3, 4].map(draw))).flat());
  expect(several.size).toBeGreaterThan(1);
  const [greedy] = await generator.generate([source], { maxNewTokens: 16 });
  const [narrow] = await generator.generate([source], { maxNewTokens: 16, doSample: true, topK: 1, seed: 3 });
  expect(narrow![0]!.tokens).toEqual(greedy![0]!.tokens);
});

test("padding of the batch changes nothing, and no position sees a later one", async () => {
  await fc.assert(
    fc.asyncProperty(
      sentence,
      fc.array(token, { minLength: 2, maxLength: 8 }),
      token,
      async (source, rest, other) => {
        const target = [config.bosTokenId, ...rest];
        const logits = await forward(source, target);
        const padded = await forward([...source, 0, 0, 0], target);
        padded.forEach((value, index) => {
          expect(Math.abs(value - logits[index]!)).toBeLessThan(1e-4);
        });
        const changed = await forward(source, [...target.slice(0, -1), other]);
        for (let index = 0; index < (target.length - 1) * vocab; index++) {
          expect(Math.abs(changed[index]! - logits[index]!)).toBeLessThan(1e-4);
        }
      },
    ),
    { numRuns: 15 },
  );
});

test.each<[string, number[][], object, RegExp]>([
  // To the engine -1 would be the last token, without a word.
  ["a negative token", [[3], [4, -1]], {}, /whole numbers from 0 to 22; got -1 \(source 2\)/],
  ["a token outside the vocabulary", [[23]], {}, /whole numbers from 0 to 22; got 23 \(source 1\)/],
  ["a source without positions", [Array(65).fill(3)], {}, /64 positions at most; got 65 tokens \(source 1\)/],
  ["a wrong target prompt", [[3]], { targetPrompts: [[1, -2]] }, /got -2 \(target prompt 1\)/],
  ["a target prompt too many", [[3]], { targetPrompts: [[1], [1]] }, /as many as sources; got 2 for 1/],
])("%s is refused", async (_, sources, controls, message) => {
  await expect(generator.generate(sources, {}, new Map(), controls)).rejects.toThrow(message);
});

test("no sources give nothing", async () => {
  expect(await generator.generate([], {})).toEqual([]);
});
