import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BeamSearch } from "../../../src/generation/beam-search.ts";
import { checkDecodingOptions, type DecodingOptions } from "../../../src/generation/decoding-options.ts";
import type { Hypothesis } from "../../../src/generation/search.ts";
import { RandomStream, randomKey } from "../../../src/util/random.ts";

const vocab = 5;
const eos = 2;

/** Log-probabilities of the next token that depend on all tokens so far: a toy language model. */
function nextLogProbabilities(seed: number, tokens: readonly number[]): number[] {
  const random = new RandomStream(randomKey(seed, tokens.join()));
  const scores = Array.from({ length: vocab }, () => 2 * random.normal());
  const total = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
  return scores.map((score) => score - total);
}

function search(seed: number, options: Partial<DecodingOptions>): Hypothesis[] {
  const checked = checkDecodingOptions(options);
  const { numBeams, maxNewTokens } = checked;
  const beam = new BeamSearch({
    options: checked,
    prompt: [1],
    maxNewTokens: maxNewTokens!,
    endIds: [eos],
    sequence: 0,
  });
  let running: number[][] = Array.from({ length: numBeams }, () => []);
  const parents = new Int32Array(numBeams);
  const tokens = new Int32Array(numBeams);
  while (!beam.done) {
    const rows = running.map((sequence) => ({
      scores: Float32Array.from(nextLogProbabilities(seed, sequence)),
      normaliser: 0,
    }));
    beam.advance(rows, parents, tokens);
    running = Array.from(tokens, (token, place) => [...running[parents[place]!]!, token]);
  }
  return beam.results();
}

/** Every sequence that ends within the limit, with its score. */
function everySequence(seed: number, limit: number, lengthPenalty: number) {
  const all: Pick<Hypothesis, "tokens" | "score">[] = [];
  const visit = (tokens: number[], score: number) => {
    nextLogProbabilities(seed, tokens).forEach((logProbability, token) => {
      const sequence = [...tokens, token];
      const sum = score + logProbability;
      if (token === eos || sequence.length === limit) {
        all.push({ tokens: sequence, score: sum / sequence.length ** lengthPenalty });
      } else visit(sequence, sum);
    });
  };
  visit([], 0);
  return all.sort((left, right) => right.score - left.score);
}

describe("beam search", () => {
  test("with one beam is greedy search", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const tokens: number[] = [];
        while (tokens.length < 12 && tokens.at(-1) !== eos) {
          const scores = nextLogProbabilities(seed, tokens);
          tokens.push(scores.indexOf(Math.max(...scores)));
        }
        const [best] = search(seed, { numBeams: 1, maxNewTokens: 12 });
        expect(best!.tokens).toEqual(tokens);
      }),
    );
  });

  test("with beams enough for everything finds the best sequence there is", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(0.5, 1, 2), (seed, lengthPenalty) => {
        const [best] = search(seed, {
          numBeams: 600,
          maxNewTokens: 4,
          lengthPenalty,
          earlyStopping: "never",
        });
        const [expected] = everySequence(seed, 4, lengthPenalty);
        expect(best!.tokens).toEqual(expected!.tokens);
        expect(best!.score).toBeCloseTo(expected!.score, 5);
      }),
      { numRuns: 20 },
    );
  });

  test("returns as many hypotheses as asked for, best first, none twice", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const found = search(seed, { numBeams: 4, numReturnSequences: 4, maxNewTokens: 9 });
        expect(found).toHaveLength(4);
        const scores = found.map(({ score }) => score);
        expect(scores).toEqual([...scores].sort((left, right) => right - left));
        expect(new Set(found.map(({ tokens }) => tokens.join())).size).toBe(4);
      }),
    );
  });
});

describe("decoding options", () => {
  test.each<[Record<string, unknown>, RegExp]>([
    [{ numBeam: 3 }, /unknown option "numBeam" \(did you mean "numBeams"\?\)/],
    [{ numBeams: 0 }, /numBeams must be a whole number, 1 or more; got 0/],
    [{ topP: 0 }, /topP must be above 0 and at most 1; got 0/],
    [{ numBeams: 2, numReturnSequences: 3 }, /numReturnSequences can be at most numBeams; got 3 and 2/],
  ])("%j is refused", (options, message) => {
    expect(() => checkDecodingOptions(options)).toThrow(message);
  });
});
