import {
  add,
  and,
  concat,
  contract,
  expand,
  lessOrEqual,
  mergeDims,
  multiply,
  range,
  rename,
  scalar,
  slice,
  softmax,
  splitDim,
  sum,
  transpose,
  where,
} from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import { dropout, type Linear, linear, linearParameters } from "./layers.ts";
import { type ParameterSpec, xavierUniform } from "./parameters.ts";

/** The projections W_Q, W_K, W_V of all heads side by side, and W_O. */
export interface MultiHeadAttention<Parameter> {
  readonly query: Linear<Parameter>;
  readonly key: Linear<Parameter>;
  readonly value: Linear<Parameter>;
  readonly output: Linear<Parameter>;
}

export function attentionParameters(model: Dim): MultiHeadAttention<ParameterSpec> {
  const context = dim("context", model.size);
  // Query, key and value begin as one matrix [3 · model, model] would: Xavier's bound for that shape.
  const projection = () => linearParameters(model, context, xavierUniform(Math.SQRT1_2));
  return {
    query: projection(),
    key: projection(),
    value: projection(),
    output: linearParameters(context, model),
  };
}

/** What is attended to: keys and values, each [batch, head, key, headDim]. */
export interface KeysAndValues {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** [batch, sequence, context] as [batch, head, sequence, headDim], the sequence under another name. */
function splitHeads(x: Tensor, headCount: number, sequenceName: string): Tensor {
  const headDim = (x.dims[2]!.size as number) / headCount;
  const heads = splitDim(rename(x, { sequence: sequenceName }), "context", [
    dim("head", headCount),
    dim("headDim", headDim),
  ]);
  return transpose(heads, ["batch", "head", sequenceName, "headDim"]);
}

/** Q = X · W_Q, head by head. @param x - [batch, sequence, model] @returns [batch, head, query, headDim] */
export function projectQueries(parameters: MultiHeadAttention<Tensor>, x: Tensor, headCount: number): Tensor {
  return named("queries", splitHeads(linear(parameters.query, x), headCount, "query"));
}

/** K = X · W_K and V = X · W_V, head by head. @param x - [batch, sequence, model] */
export function projectKeysAndValues(
  parameters: MultiHeadAttention<Tensor>,
  x: Tensor,
  headCount: number,
): KeysAndValues {
  return {
    keys: named("keys", splitHeads(linear(parameters.key, x), headCount, "key")),
    values: named("values", splitHeads(linear(parameters.value, x), headCount, "key")),
  };
}

/**
 * softmax(Q · Kᵀ / sqrt(d_k) + mask) · V.
 * @param queries - [batch, head, query, headDim]
 * @param mask - [batch, key] or [batch, query, key]: 0 = may attend, very negative = may not
 * @returns [batch, head, query, headDim]. Source: Vaswani et al., 2017, 3.2.1.
 */
export function attend(
  queries: Tensor,
  { keys, values }: KeysAndValues,
  mask: Tensor,
  dropoutRate = 0,
): Tensor {
  const headDim = queries.dims.at(-1)!.size as number;
  const scores = named("scores", contract(queries, keys, "headDim", 1 / Math.sqrt(headDim)));
  const weights = named("weights", softmax(add(scores, mask), "key"));
  return contract(dropout("weightsDropout", weights, dropoutRate), values, "key");
}

/**
 * The same for one new position when keys and values of the past lie in a cache: softmax runs over the scores of
 * the past and the score of the new position together, and nothing of the past is copied.
 * @param queries - [batch, head, query, headDim]: one new position of each of several hypotheses ("query")
 * @param past - the cache: [batch, head, query, past, headDim], its unused end masked by `pastMask` [past]
 * @param present - the new positions' own keys and values: [batch, head, key, headDim]
 * @returns [batch, head, query, headDim]
 */
export function attendWithCache(
  queries: Tensor,
  past: KeysAndValues,
  present: KeysAndValues,
  pastMask: Tensor,
): Tensor {
  const headDim = queries.dims.at(-1)!.size as number;
  const scale = 1 / Math.sqrt(headDim);
  const ownKeys = rename(present.keys, { key: "query" });
  const ownValues = rename(present.values, { key: "query" });
  const now = dim("past", 1);
  const query = queries.dims[2]!;

  const pastScores = add(contract(queries, past.keys, "headDim", scale), pastMask);
  const ownScore = multiply(sum(multiply(queries, ownKeys), ["headDim"]), scale);
  const scores = concat([pastScores, splitDim(ownScore, "query", [query, now])], "past");
  const weights = named("weights", softmax(scores, "past"));
  const ofPast = slice(weights, "past", 0, -1, past.keys.dims[3]!);
  const ofOwn = mergeDims(slice(weights, "past", -1, undefined, now), ["query", "past"], "query");
  return add(contract(ofPast, past.values, "past"), multiply(ownValues, ofOwn));
}

/** W_O over the heads' results side by side. @param context - [batch, head, query, headDim] @returns [batch, sequence, model] */
export function joinHeads(parameters: MultiHeadAttention<Tensor>, context: Tensor): Tensor {
  const side = mergeDims(
    transpose(context, ["batch", "query", "head", "headDim"]),
    ["head", "headDim"],
    "context",
  );
  return rename(linear(parameters.output, side), { query: "sequence" });
}

/**
 * Multi-head attention of one sequence to another, or to itself.
 * @param x - [batch, sequence, model]: who attends
 * @param memory - [batch, sequence, model]: what is attended to
 * @param mask - [batch, key] or [batch, query, key]
 * @returns [batch, sequence, model]. Source: Vaswani et al., 2017, 3.2.2.
 */
export function multiHeadAttention(
  name: string,
  parameters: MultiHeadAttention<Tensor>,
  x: Tensor,
  memory: Tensor,
  mask: Tensor,
  options: { headCount: number; dropout: number },
): Tensor {
  return scope(name, () => {
    const queries = projectQueries(parameters, x, options.headCount);
    const keysAndValues = projectKeysAndValues(parameters, memory, options.headCount);
    const context = named("context", attend(queries, keysAndValues, mask, options.dropout));
    return named("output", joinHeads(parameters, context));
  });
}

const forbidden = -1e9;

/** 0 where a key may be attended to, else very negative. @param present - [batch, sequence], true for what is no padding @returns [batch, key] */
export function paddingMask(present: Tensor): Tensor {
  return where(rename(present, { sequence: "key" }), scalar(0), scalar(forbidden));
}

/** The same, and no position sees a later one. @param present - [batch, sequence] @returns [batch, query, key] */
export function causalMask(present: Tensor): Tensor {
  const [batch, sequence] = present.dims as [Dim, Dim];
  const query = dim("query", sequence.size);
  const key = dim("key", sequence.size);
  const all = [batch, query, key];
  const earlier = lessOrEqual(expand(range(key), [query, key]), expand(range(query), [query, key]));
  const allowed = and(expand(earlier, all), expand(rename(present, { sequence: "key" }), all));
  return where(allowed, scalar(0), scalar(forbidden));
}
