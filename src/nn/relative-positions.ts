import { add, cast, constant, embed, expand, range, relu, subtract, transpose } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";

/** How distances between tokens are put into buckets. */
export interface RelativePositions {
  readonly bucketCount: number;
  /** All distances from here on share one bucket. */
  readonly maxDistance: number;
  /** Whether later tokens have buckets of their own (encoder) or are never looked at (decoder). */
  readonly bidirectional: boolean;
}

/**
 * The bucket of a distance (place of the key less place of the query): near ones have their own, farther ones share
 * one with others of about the same logarithm.
 * Source: Raffel et al., 2020 (T5), 2.1, as its code has it, which computes with single precision.
 */
export function distanceBucket(
  distance: number,
  { bucketCount, maxDistance, bidirectional }: RelativePositions,
): number {
  const buckets = bidirectional ? bucketCount >> 1 : bucketCount;
  const first = bidirectional && distance > 0 ? buckets : 0;
  const away = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = buckets >> 1;
  if (away < exact) return first + away;
  const { fround, log } = Math;
  const share = fround(fround(log(fround(away / exact))) / fround(log(maxDistance / exact)));
  const bucket = exact + Math.trunc(fround(share * (buckets - exact)));
  return first + Math.min(bucket, buckets - 1);
}

/** The biases of each distance from -maxDistance to maxDistance: [distance, head]. @param table - [bucket, head] */
function biasesByDistance(table: Tensor, options: RelativePositions): Tensor {
  const { maxDistance } = options;
  const buckets = Int32Array.from({ length: 2 * maxDistance + 1 }, (_, index) =>
    distanceBucket(index - maxDistance, options),
  );
  return embed(table, constant(buckets, [dim("distance", buckets.length)], "int32"));
}

/** Distances as rows of `biasesByDistance`. @param distances - whole numbers, as float32 */
function rowsOf(distances: Tensor, maxDistance: number): Tensor {
  const fromFirst = add(distances, maxDistance);
  const clamped = subtract(relu(fromFirst), relu(subtract(fromFirst, 2 * maxDistance)));
  return cast(clamped, "int32");
}

/**
 * What is added to the scores of a sequence that attends to itself.
 * @param table - [bucket, head] @param sequence - its axis
 * @returns [head, query, key]
 */
export function relativeBias(table: Tensor, sequence: Dim, options: RelativePositions): Tensor {
  const query = dim("query", sequence.size);
  const key = dim("key", sequence.size);
  const places = (axis: Dim) => expand(cast(range(axis), "float32"), [query, key]);
  const rows = rowsOf(subtract(places(key), places(query)), options.maxDistance);
  return transpose(embed(biasesByDistance(table, options), rows), ["head", "query", "key"]);
}

/**
 * The same for one new position of several hypotheses, which attends to a cache and to itself.
 * @param position - [query]: its place, the same for all @param past - the cache's axis
 * @returns for the past [head, query, past], and for the position itself [head, query]
 */
export function relativeBiasOfStep(
  table: Tensor,
  position: Tensor,
  past: Dim,
  options: RelativePositions,
): { past: Tensor; present: Tensor } {
  const query = position.dims[0]!;
  const axes = [query, past];
  const biases = biasesByDistance(table, options);
  const places = expand(cast(range(past), "float32"), axes);
  const rows = rowsOf(subtract(places, expand(cast(position, "float32"), axes)), options.maxDistance);
  const own = constant(new Int32Array(query.size as number).fill(options.maxDistance), [query], "int32");
  return {
    past: transpose(embed(biases, rows), ["head", query.name, past.name]),
    present: transpose(embed(biases, own), ["head", query.name]),
  };
}
