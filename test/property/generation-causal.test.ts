import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CausalGenerator } from "../../src/generation/causal-language.ts";
import type { DecodingOptions } from "../../src/generation/decoding-options.ts";
import { argMax } from "../../src/generation/sampling.ts";
import type { Hypothesis, TokenEvent } from "../../src/generation/search.ts";
import { equal, input, not, scalar } from "../../src/graph/build.ts";
import { dim } from "../../src/graph/dims.ts";
import { gpt2Generation, gpt2Graph, gpt2Parameters } from "../../src/models/gpt2.ts";
import type { Gpt2Config } from "../../src/models/gpt2-config.ts";
import { initialValues, listParameters, parameterTensors } from "../../src/nn/parameters.ts";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { RandomStream, randomKey } from "../../src/util/random.ts";

const vocab = 29;
const end = 1;
const config: Gpt2Config = {
  vocabSize: vocab,
  modelDim: 16,
  headCount: 2,
  feedForwardDim: 32,
  layerCount: 2,
  maxPositions: 96,
  activation: "geluTanh",
  normEpsilon: 1e-5,
  residualDropout: 0,
  embeddingDropout: 0,
  attentionDropout: 0,
  bosTokenId: 0,
  eosTokenId: end,
};
const tree = gpt2Parameters(config);

let device: Device;
let generator: CausalGenerator<typeof tree>;
/** The log-probabilities of what follows each position of one text, without any cache. */
let forward: (ids: readonly number[]) => Promise<Float64Array[]>;

/** Random weights, large enough that the next token depends on everything. */
function weights(address: string): Float32Array<ArrayBuffer> {
  const random = new RandomStream(randomKey(5, address));
  return initialValues(listParameters(tree).get(address)!, address, 3).map(
    (value) => value * 4 + random.normal() * 0.25,
  );
}

beforeAll(async () => {
  device = await openCpu({ threads: 1 });
  const fixedParameters = (address: string) => ({ data: weights(address) });
  const generation = gpt2Generation(config, tree);
  if (generation.kind !== "causal") throw new Error("GPT-2 is a causal model");
  generator = await CausalGenerator.create(device, generation, { fixedParameters });
  const graph = gpt2Graph(config, "inference");
  const ids = input("ids", [dim("batch"), dim("sequence")], "int32");
  const parameters = parameterTensors(tree);
  const hidden = graph.hidden(parameters, ids, not(equal(ids, scalar(-1, "int32"))));
  const outputs = new Map([["logits", graph.logits(parameters, hidden)]]);
  const program = await device.compile(outputs, { fixedParameters });
  forward = async (tokens) => {
    const feed = { data: Int32Array.from(tokens), shape: [1, tokens.length] };
    const logits = (await (
      await program.run({ ids: feed }, new Map())
    )
      .get("logits")!
      .read()) as Float32Array;
    return tokens.map((_, position) => {
      const row = Float64Array.from(logits.subarray(position * vocab, (position + 1) * vocab));
      const shift = Math.log(row.reduce((sum, score) => sum + Math.exp(score), 0));
      return row.map((score) => score - shift);
    });
  };
});
afterAll(() => device.dispose());

const prompt = fc.array(fc.integer({ min: 2, max: vocab - 1 }), { minLength: 1, maxLength: 9 });
const prompts = fc.array(prompt, { minLength: 1, maxLength: 5 });
const generate = (rows: number[][], options: Partial<DecodingOptions>) => generator.generate(rows, options);
const only = (found: readonly (readonly Hypothesis[])[]): Hypothesis => found[0]![0]!;
/** Has no effect on such short texts, but all scores are looked at instead of the likeliest tokens. */
const wholeRows = { noRepeatNgramSize: 90 };

test("with the cache the same tokens come as without", async () => {
  await fc.assert(
    fc.asyncProperty(prompt, async (start) => {
      const best = only(await generate([start], { maxNewTokens: 40 }));
      const ids = [...start];
      while (ids.length < start.length + 40 && (ids.length === start.length || ids.at(-1) !== end)) {
        ids.push(argMax((await forward(ids)).at(-1)!));
      }
      expect(best.tokens).toEqual(ids.slice(start.length));
    }),
    { numRuns: 8 },
  );
});

test("prompts of different length do not change each other", async () => {
  await fc.assert(
    fc.asyncProperty(prompts, fc.constantFrom(1, 3), async (rows, numBeams) => {
      const options = { maxNewTokens: 20, numBeams };
      const together = await generate(rows, options);
      for (const [index, row] of rows.entries()) {
        const [alone] = await generate([row], options);
        expect(alone!.map(({ tokens }) => tokens)).toEqual(together[index]!.map(({ tokens }) => tokens));
        expect(alone![0]!.score).toBeCloseTo(together[index]![0]!.score, 4);
      }
    }),
    { numRuns: 10 },
  );
});

test("the score of a long hypothesis is its log-probability, whatever its beam went through", async () => {
  await fc.assert(
    fc.asyncProperty(prompts, fc.constantFrom(2, 4), async (all, numBeams) => {
      const rows = all.slice(0, 2);
      const options = { maxNewTokens: 60, minNewTokens: 40, numBeams, numReturnSequences: numBeams };
      const found = await generate(rows, options);
      for (const [index, hypotheses] of found.entries()) {
        for (const { tokens, score, logProbabilities } of hypotheses) {
          const start = rows[index]!;
          const expected = await forward([...start, ...tokens.slice(0, -1)]);
          tokens.forEach((token, step) => {
            expect(logProbabilities[step]).toBeCloseTo(expected[start.length - 1 + step]![token]!, 3);
          });
          const sum = logProbabilities.reduce((left, right) => left + right, 0);
          expect(score).toBeCloseTo(sum / tokens.length, 5);
        }
      }
    }),
    { numRuns: 8 },
  );
});

test("what is picked inside the graph is what all scores would have given", async () => {
  const forbidding = { badWordsIds: [[3], [4, 5], [7]], suppressTokens: [9, 11], minNewTokens: 6 };
  const choices: Partial<DecodingOptions>[] = [
    {},
    { numBeams: 3, numReturnSequences: 3 },
    { forcedBosTokenId: 8, forcedEosTokenId: end, numBeams: 2 },
    { doSample: true, topK: 5, temperature: 1.4, topP: 0.9, numReturnSequences: 3 },
    { doSample: true, topK: 4, numBeams: 3, numReturnSequences: 2 },
  ];
  await fc.assert(
    fc.asyncProperty(prompts, fc.constantFrom(...choices), fc.nat(99), async (rows, choice, seed) => {
      const options = { maxNewTokens: 12, seed, ...forbidding, ...choice };
      const few = await generate(rows, options);
      const all = await generate(rows, { ...options, ...wholeRows });
      expect(few.map((row) => row.map(({ tokens }) => tokens))).toEqual(
        all.map((row) => row.map(({ tokens }) => tokens)),
      );
      for (const { tokens } of few.flat()) {
        for (const token of [3, 7, 9, 11]) expect(tokens).not.toContain(token);
        expect(tokens.length).toBeGreaterThan(6);
      }
    }),
    { numRuns: 25 },
  );
});

describe("sampling", () => {
  test("draws tokens as often as they are probable", async () => {
    const start = [5, 12, 7];
    const probabilities = (await forward(start)).at(-1)!.map(Math.exp);
    const draws = 4000;
    const options = { doSample: true, maxNewTokens: 1, numReturnSequences: draws, seed: 1 };
    const [found] = await generate([start], options);
    const counts = new Float64Array(vocab);
    for (const { tokens } of found!) counts[tokens[0]!]!++;
    counts.forEach((count, token) => {
      const expected = probabilities[token]!;
      const deviation = Math.sqrt((expected * (1 - expected)) / draws);
      expect(Math.abs(count / draws - expected)).toBeLessThan(4.5 * deviation + 1e-4);
    });
  });

  test("depends on the seed alone", async () => {
    const draw = async (seed: number, options: Partial<DecodingOptions>) =>
      (await generate([[4, 8]], { doSample: true, maxNewTokens: 12, seed, ...options }))
        .flat()
        .map((h) => h.tokens.join());
    for (const options of [{ numReturnSequences: 2 }, { numBeams: 3, numReturnSequences: 3 }]) {
      expect(await draw(1, options)).toEqual(await draw(1, options));
      const several = await Promise.all([1, 2, 3, 4].map((seed) => draw(seed, options)));
      expect(new Set(several.map((texts) => texts.join("|"))).size).toBeGreaterThan(1);
    }
  });
});

describe("while it runs", () => {
  test("tokens are told one by one", async () => {
    const events: TokenEvent[] = [];
    const rows = [[3, 4], [5], [6, 7, 8]];
    const onToken = (event: TokenEvent) => events.push(event);
    const found = await generator.generate(rows, { maxNewTokens: 15 }, new Map(), { onToken });
    found.forEach(([best], sequence) => {
      const own = events.filter((event) => event.sequence === sequence);
      expect(own.map(({ token }) => token)).toEqual(best!.tokens);
      expect(own.map(({ logProbability }) => logProbability)).toEqual(best!.logProbabilities);
      expect(own.map(({ last }) => last)).toEqual(own.map((_, index) => index === own.length - 1));
    });
    const streamed = generator.generate(rows, { numBeams: 2 }, new Map(), { onToken });
    await expect(streamed).rejects.toThrow(/cannot be streamed; got numBeams 2; use 1/);
  });

  test("the last token needs no position, and who is done need not wait for those with more room", async () => {
    const rows = [Array.from({ length: 93 }, (_, index) => 2 + (index % 20)), [3], [4], [5, 6], [7]];
    const options = { maxNewTokens: 20, minNewTokens: 20 };
    const together = (await generate(rows, options)).map(([best]) => best!.tokens);
    expect(together.map((tokens) => tokens.length)).toEqual([4, 20, 20, 20, 20]);
    const alone = await Promise.all(rows.map(async (row) => only(await generate([row], options)).tokens));
    expect(together).toEqual(alone);
    expect(only(await generate([Array(96).fill(3)], options)).tokens).toHaveLength(1);
  });

  test("it can be stopped between two tokens", async () => {
    const stop = new AbortController();
    let count = 0;
    const onToken = () => {
      if (++count === 3) stop.abort();
    };
    const stopped = generator.generate([[3]], { maxNewTokens: 30, minNewTokens: 20 }, new Map(), {
      onToken,
      signal: stop.signal,
    });
    await expect(stopped).rejects.toMatchObject({ code: "interrupted" });
    expect(count).toBe(3);
  });

  test("stop strings and further end tokens end it", async () => {
    const whole = only(await generate([[3, 9]], { maxNewTokens: 20, minNewTokens: 20 }));
    const decodeText = (tokens: readonly number[]) =>
      tokens.map((token) => String.fromCharCode(97 + token)).join("");
    const stopString = decodeText(whole.tokens.slice(4, 6));
    const options = { maxNewTokens: 20, minNewTokens: 20, stopStrings: [stopString] };
    const stopped = only(await generator.generate([[3, 9]], options, new Map(), { decodeText }));
    expect(stopped.ending).toBe("stop");
    expect(decodeText(stopped.tokens).indexOf(stopString)).toBe(stopped.tokens.length - stopString.length);
    const ends = [end, whole.tokens[5]!];
    const ended = only(await generate([[3, 9]], { maxNewTokens: 20, eosTokenId: ends }));
    expect(ends).toContain(ended.tokens.at(-1));
    expect(ended.tokens.length).toBeLessThanOrEqual(6);
    await expect(generate([[3]], { stopStrings: ["a"] })).rejects.toThrow(/stopStrings need a tokenizer/);
  });
});

test.each<[string, number[][], Partial<DecodingOptions>, RegExp]>([
  [
    "an empty prompt",
    [[3], []],
    {},
    /must end with a token that is looked at; got an empty one \(prompt 2\)/,
  ],
  // To the engine -1 would be the last token, without a word.
  ["a negative token", [[3], [4, -1]], {}, /whole numbers from 0 to 28; got -1 \(prompt 2\)/],
  ["a token outside the vocabulary", [[29]], {}, /whole numbers from 0 to 28; got 29 \(prompt 1\)/],
  ["half a token", [[1.5]], {}, /whole numbers from 0 to 28; got 1.5/],
  [
    "a prompt that is too long",
    [Array(97).fill(3)],
    {},
    /may have the model's 96 positions at most; got 97 tokens/,
  ],
  [
    "no room for a token",
    [[3, 4, 5]],
    { maxLength: 3 },
    /maxLength counts the prompt too; got 3 for a prompt of 3/,
  ],
  [
    "every token forbidden",
    [[3]],
    { suppressTokens: Array.from({ length: vocab }, (_, id) => id) },
    /every token is forbidden/,
  ],
])("%s is refused", async (_, rows, options, message) => {
  await expect(generate(rows, options)).rejects.toThrow(message);
});

test("weights that are no numbers are told, not written as tokens", async () => {
  const generation = gpt2Generation(config, tree);
  if (generation.kind !== "causal") throw new Error("GPT-2 is a causal model");
  const fixedParameters = (address: string) => ({
    data: address === "finalNorm.bias" ? weights(address).fill(Number.NaN) : weights(address),
  });
  const broken = await CausalGenerator.create(device, generation, { fixedParameters });
  await expect(broken.generate([[3]], {})).rejects.toMatchObject({ code: "weights" });
  await expect(broken.generate([[3]], { numBeams: 2 })).rejects.toThrow(/finite numbers; got NaN/);
  await broken.dispose();
});

test("no prompts give nothing", async () => {
  expect(await generate([], {})).toEqual([]);
});
