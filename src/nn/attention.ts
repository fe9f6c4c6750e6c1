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
  softmax,
  split,
  splitDim,
  sum,
  transpose,
  where,
} from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import { named, scope } from "../graph/scope.ts";
import type { Tensor } from "../graph/tensor.ts";
import { dropout, type Linear, linear, linearParameters, type Projection } from "./layers.ts";
import { type Initializer, type ParameterSpec, xavierUniform } from "./parameters.ts";

/** The projections W_Q, W_K, W_V of all heads side by side, and W_O. */
export interface MultiHeadAttention<Parameter, Layer = Linear<Parameter>> {
  readonly query: Layer;
  readonly key: Layer;
  readonly value: Layer;
  readonly output: Layer;
}

/** The same, where the projections may have no biases. */
export type AttentionProjections = MultiHeadAttention<Tensor, Projection<Tensor>>;

/** @param weight - how the weights begin. Default: Xavier's uniform. */
export function attentionParameters(model: Dim, weight?: Initializer): MultiHeadAttention<ParameterSpec> {
  const context = dim("context", model.size);
  // Query, key and value begin as one matrix [3 · model, model] would: Xavier's bound for that shape.
  const projection = () => linearParameters(model, context, weight ?? xavierUniform(Math.SQRT1_2));
  return {
    query: projection(),
    key: projection(),
    value: projection(),
    output: linearParameters(context, model, weight),
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
export function projectQueries(parameters: AttentionProjections, x: Tensor, headCount: number): Tensor {
  return named("queries", splitHeads(linear(parameters.query, x), headCount, "query"));
}

/** K = X · W_K and V = X · W_V, head by head. @param x - [batch, sequence, model] */
export function projectKeysAndValues(
  parameters: AttentionProjections,
  x: Tensor,
  headCount: number,
): KeysAndValues {
  return {
    keys: named("keys", splitHeads(linear(parameters.key, x), headCount, "key")),
    values: named("values", splitHeads(linear(parameters.value, x), headCount, "key")),
  };
}

/**
 * softmax(scale · Q · Kᵀ + mask) · V.
 * @param queries - [batch, head, query, headDim]
 * @param mask - [batch, key] or [batch, query, key]: 0 = may attend, very negative = may not; or with biases
 *   [batch, head, query, key]
 * @param scale - default: 1 / sqrt(headDim)
 * @returns [batch, head, query, headDim]. Source: Vaswani et al., 2017, 3.2.1.
 */
export function attend(
  queries: Tensor,
  { keys, values }: KeysAndValues,
  mask: Tensor,
  dropoutRate = 0,
  scale = defaultScale(queries),
): Tensor {
  const scores = named("scores", contract(queries, keys, "headDim", scale));
  const weights = named("weights", softmax(add(scores, mask), "key"));
  return contract(dropout("weightsDropout", weights, dropoutRate), values, "key");
}

function defaultScale(queries: Tensor): number {
  return 1 / Math.sqrt(queries.dims.at(-1)!.size as number);
}

/** What `attendWithCache` may have besides. */
export interface CachedAttention {
  /** What the scores are multiplied with. Default: 1 / sqrt(headDim). */
  readonly scale?: number;
  /** Added to the score of the new position: [head, query]. */
  readonly presentBias?: Tensor;
  /**
   * What lies before the past and is the same for all hypotheses: keys and values, each [batch, head, key, headDim],
   * and their mask [batch, key].
   */
  readonly prompt?: KeysAndValues & { readonly mask: Tensor };
}

/**
 * The same for one new position when keys and values of the past lie in a cache: softmax runs over the scores of
 * the past and the score of the new position together, and nothing of the past is copied.
 * @param queries - [batch, head, query, headDim]: one new position of each of several hypotheses ("query")
 * @param past - the cache: [batch, head, query, past, headDim]
 * @param present - the new positions' own keys and values: [batch, head, key, headDim]
 * @param pastMask - [past]: very negative at the unused end of the cache; or with biases [head, query, past]
 * @returns [batch, head, query, headDim]
 */
export function attendWithCache(
  queries: Tensor,
  past: KeysAndValues,
  present: KeysAndValues,
  pastMask: Tensor,
  { scale = defaultScale(queries), presentBias, prompt }: CachedAttention = {},
): Tensor {
  const ownKeys = rename(present.keys, { key: "query" });
  const ownValues = rename(present.values, { key: "query" });
  const query = queries.dims[2]!;
  const before = dim("past", prompt === undefined ? 0 : prompt.keys.dims[2]!.size);
  const cached = past.keys.dims[3]!;
  const now = dim("past", 1);

  const pastScores = add(contract(queries, past.keys, "headDim", scale), pastMask);
  const ownScore = multiply(sum(multiply(queries, ownKeys), ["headDim"]), scale);
  const parts = [
    pastScores,
    splitDim(presentBias === undefined ? ownScore : add(ownScore, presentBias), "query", [query, now]),
  ];
  if (prompt !== undefined) {
    const scores = add(contract(queries, prompt.keys, "headDim", scale), prompt.mask);
    parts.unshift(rename(scores, { key: "past" }));
  }
  const weights = named("weights", softmax(concat(parts, "past"), "past"));
  const into = prompt === undefined ? [cached, now] : [before, cached, now];
  const [ofOwn, ofPast, ofPrompt] = split(weights, "past", into).toReversed() as [Tensor, Tensor, Tensor?];
  const own = multiply(ownValues, mergeDims(ofOwn, ["query", "past"], "query"));
  const context = add(contract(ofPast, past.values, "past"), own);
  if (prompt === undefined) return context;
  return add(context, contract(rename(ofPrompt!, { past: "key" }), prompt.values, "key"));
}

/** W_O over the heads' results side by side. @param context - [batch, head, query, headDim] @returns [batch, sequence, model] */
export function joinHeads(parameters: AttentionProjections, context: Tensor): Tensor {
  const side = mergeDims(
    transpose(context, ["batch", "query", "head", "headDim"]),
    ["head", "headDim"],
    "context",
  );
  return rename(linear(parameters.output, side), { query: "sequence" });
}

/** What multi-head attention depends on besides its parameters. */
export interface AttentionOptions {
  readonly headCount: number;
  /** On the weights. Default: 0. */
  readonly dropout?: number;
  /** What the scores are multiplied with. Default: 1 / sqrt(headDim). */
  readonly scale?: number;
}

/**
 * Multi-head attention of one sequence to another, or to itself.
 * @param x - [batch, sequence, model]: who attends
 * @param memory - [batch, sequence, model]: what is attended to
 * @param mask - [batch, key] or [batch, query, key], or with biases [batch, head, query, key]
 * @returns [batch, sequence, model]. Source: Vaswani et al., 2017, 3.2.2.
 */
export function multiHeadAttention(
  name: string,
  parameters: AttentionProjections,
  x: Tensor,
  memory: Tensor,
  mask: Tensor,
  options: AttentionOptions,
): Tensor {
  return scope(name, () => {
    const queries = projectQueries(parameters, x, options.headCount);
    const keysAndValues = projectKeysAndValues(parameters, memory, options.headCount);
    return joinedContext(parameters, queries, keysAndValues, mask, options);
  });
}

/**
 * The same where the keys and values of what is attended to are there already.
 * @param keysAndValues - [batch, head, key, headDim] each
 */
export function attentionTo(
  name: string,
  parameters: AttentionProjections,
  x: Tensor,
  keysAndValues: KeysAndValues,
  mask: Tensor,
  options: AttentionOptions,
): Tensor {
  return scope(name, () => {
    const queries = projectQueries(parameters, x, options.headCount);
    return joinedContext(parameters, queries, keysAndValues, mask, options);
  });
}

function joinedContext(
  parameters: AttentionProjections,
  queries: Tensor,
  keysAndValues: KeysAndValues,
  mask: Tensor,
  options: AttentionOptions,
): Tensor {
  const context = attend(queries, keysAndValues, mask, options.dropout, options.scale);
  return named("output", joinHeads(parameters, named("context", context)));
}

/**
 * Self-attention of one new position of each of several hypotheses, whose past lies in a cache.
 * @param x - [batch, sequence, model]: the hypotheses stand where a sequence would
 * @param past - [batch, head, query, past, headDim] each @param pastMask - see `attendWithCache`
 * @param keep - receives the new positions' keys and values, [batch, head, key, headDim] each
 * @returns [batch, sequence, model]
 */
export function cachedSelfAttention(
  name: string,
  parameters: AttentionProjections,
  x: Tensor,
  past: KeysAndValues,
  pastMask: Tensor,
  { headCount, ...options }: { readonly headCount: number } & CachedAttention,
  keep: (own: KeysAndValues) => void,
): Tensor {
  return scope(name, () => {
    const queries = projectQueries(parameters, x, headCount);
    const own = projectKeysAndValues(parameters, x, headCount);
    keep(own);
    return joinHeads(parameters, attendWithCache(queries, past, own, pastMask, options));
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
