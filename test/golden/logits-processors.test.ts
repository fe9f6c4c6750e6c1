import { describe, expect, test } from "vitest";
import * as processors from "../../src/generation/logits-processors.ts";
import { hasShared, needsShared, readSharedJson } from "../shared.ts";
import { expectClose, readGolden } from "./compare.ts";

/** The arguments that the reference's classes take. */
interface Arguments {
  readonly temperature: number;
  readonly top_k: number;
  readonly top_p: number;
  readonly min_p: number;
  readonly min_tokens_to_keep?: number;
  readonly mass: number;
  readonly epsilon: number;
  readonly penalty: number;
  readonly ngram_size: number;
  readonly bad_words_ids: number[][];
  readonly suppress_tokens: number[];
  readonly min_length: number;
  readonly max_length: number;
  readonly min_new_tokens: number;
  readonly prompt_length_to_skip: number;
  readonly input_ids_seq_length: number;
  readonly exponential_decay_length_penalty: [number, number];
  readonly eos_token_id: number | number[];
}
interface Golden {
  readonly inputs: { readonly input_ids: number[][] };
  readonly processors: readonly {
    readonly name: string;
    readonly class: string;
    readonly kwargs: Arguments;
    readonly out: { readonly tensor: string };
  }[];
}

const list = (value: number | number[]): number[] => (typeof value === "number" ? [value] : value);

/** The reference's classes, each with its arguments, as ours. */
const ours: Record<string, (args: Arguments) => processors.LogitsProcessor> = {
  TemperatureLogitsWarper: ({ temperature }) => processors.temperature(temperature),
  TopKLogitsWarper: ({ top_k, min_tokens_to_keep }) => processors.topK(top_k, min_tokens_to_keep),
  TopPLogitsWarper: ({ top_p, min_tokens_to_keep }) => processors.topP(top_p, min_tokens_to_keep),
  MinPLogitsWarper: ({ min_p }) => processors.minP(min_p),
  TypicalLogitsWarper: ({ mass }) => processors.typicalP(mass),
  EpsilonLogitsWarper: ({ epsilon }) => processors.epsilonCutoff(epsilon),
  EtaLogitsWarper: ({ epsilon }) => processors.etaCutoff(epsilon),
  RepetitionPenaltyLogitsProcessor: ({ penalty }) => processors.repetitionPenalty(penalty),
  NoRepeatNGramLogitsProcessor: ({ ngram_size }) => processors.noRepeatNgram(ngram_size),
  NoBadWordsLogitsProcessor: ({ bad_words_ids }) => processors.noBadWords(bad_words_ids, []),
  SuppressTokensLogitsProcessor: ({ suppress_tokens }) => processors.suppressTokens(suppress_tokens),
  MinLengthLogitsProcessor: ({ min_length, eos_token_id }) =>
    processors.minLength(min_length, list(eos_token_id)),
  MinNewTokensLengthLogitsProcessor: ({ prompt_length_to_skip, min_new_tokens, eos_token_id }) =>
    processors.minNewTokens(min_new_tokens, prompt_length_to_skip, list(eos_token_id)),
  ForcedEOSTokenLogitsProcessor:
    ({ max_length, eos_token_id }) =>
    (row, ids) => {
      if (ids.length === max_length - 1) processors.forceToken(row, list(eos_token_id)[0]!);
    },
  ExponentialDecayLengthPenalty: ({ exponential_decay_length_penalty, input_ids_seq_length, eos_token_id }) =>
    processors.exponentialDecayLengthPenalty(
      exponential_decay_length_penalty,
      input_ids_seq_length,
      list(eos_token_id),
    ),
  LogitNormalization: () => processors.normalizeScores,
};

describe.skipIf(!hasShared)(`logits processors of transformers${needsShared}`, () => {
  const golden = hasShared
    ? readSharedJson<Golden>("goldens/logits_processors/golden.json")
    : { inputs: { input_ids: [] }, processors: [] };
  const tensors = hasShared ? readGolden("goldens/logits_processors/golden.safetensors") : new Map();
  const rows = golden.inputs.input_ids;

  /** Applies a list of processors to each row of scores. */
  function apply(chain: readonly processors.LogitsProcessor[]): Float32Array {
    const { data, shape } = tensors.get("scores")!;
    const scores = Float32Array.from(data);
    rows.forEach((ids, row) => {
      for (const processor of chain)
        processor({ scores: scores.subarray(row * shape[1]!, (row + 1) * shape[1]!) }, ids);
    });
    return scores;
  }

  function expectScores(name: string, got: Float32Array, expected: Float32Array): void {
    const minusInfinity = (scores: Float32Array) =>
      Array.from(scores.keys()).filter((index) => scores[index] === Number.NEGATIVE_INFINITY);
    expect(minusInfinity(got), `${name}: what is forbidden`).toEqual(minusInfinity(expected));
    const finite = (scores: Float32Array) => scores.filter(Number.isFinite);
    expectClose(name, finite(got), finite(expected), { absolute: 1e-5, relative: 1e-5 });
  }

  test("there are as many as the reference has", () => {
    expect(golden.processors).toHaveLength(26);
  });

  test.each(golden.processors.map((entry) => [entry.name, entry] as const))("%s", (name, entry) => {
    const processor = ours[entry.class]!(entry.kwargs);
    expectScores(name, apply([processor]), tensors.get(entry.out.tensor)!.data);
  });

  test("a chain of them", () => {
    const got = apply([
      processors.repetitionPenalty(1.2),
      processors.noRepeatNgram(2),
      processors.temperature(0.8),
      processors.topK(10),
      processors.topP(0.85),
    ]);
    expectScores("chain", got, tensors.get("out/chain")!.data);
  });
});
