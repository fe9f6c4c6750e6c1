import { QkvError } from "../util/errors.ts";
import { requireWholeNumber } from "./options.ts";

/**
 * Recall at k of a search: for each query the share of its relevant items that stand among the first k results,
 * `|relevant and first k| / |relevant|`, averaged over the queries. With one relevant item a query it is the share of
 * queries that find it. Items are told by equality; a result that stands twice counts once.
 *
 * @param rankings - the results of every query, best first
 * @param relevant - the right items of every query, in any order, at least one
 * @returns 0 to 1
 * @throws QkvError "data" for unequal or zero numbers of queries, or one without a relevant item
 *
 * Source: Manning, Raghavan, Schütze 2008, "Introduction to Information Retrieval", sections 8.3 and 8.4.
 */
export function recallAtK(
  rankings: readonly (readonly string[])[],
  relevant: readonly (readonly string[])[],
  k: number,
): number {
  requireWholeNumber("recallAtK", "k", k, 1);
  requireQueries("recallAtK", rankings, relevant);
  return mean(
    rankings.map((ranking, query) => {
      const right = new Set(relevant[query]);
      const found = new Set(ranking.slice(0, k).filter((item) => right.has(item)));
      return found.size / right.size;
    }),
  );
}

/**
 * Mean reciprocal rank of a search: one over the place of the first relevant result, counted from 1, or 0 where there
 * is none, averaged over the queries.
 *
 * @param k - only the first k results count; left out, all do
 * @returns 0 to 1
 * @throws QkvError as `recallAtK`
 *
 * Source: Voorhees 1999, "The TREC-8 Question Answering Track Report".
 */
export function meanReciprocalRank(
  rankings: readonly (readonly string[])[],
  relevant: readonly (readonly string[])[],
  k?: number,
): number {
  if (k !== undefined) requireWholeNumber("meanReciprocalRank", "k", k, 1);
  requireQueries("meanReciprocalRank", rankings, relevant);
  return mean(
    rankings.map((ranking, query) => {
      const right = new Set(relevant[query]);
      const place = ranking.slice(0, k).findIndex((item) => right.has(item));
      return place < 0 ? 0 : 1 / (place + 1);
    }),
  );
}

function requireQueries(
  where: string,
  rankings: readonly (readonly string[])[],
  relevant: readonly (readonly string[])[],
): void {
  if (rankings.length !== relevant.length) {
    const rule = `${where}: every query has results and relevant items`;
    throw new QkvError("data", `${rule}; got ${rankings.length} and ${relevant.length} queries`);
  }
  if (rankings.length === 0) throw new QkvError("data", `${where}: needs at least one query; got none`);
  const empty = relevant.findIndex((items) => items.length === 0);
  if (empty >= 0) {
    throw new QkvError("data", `${where}: query ${empty + 1} has no relevant item; leave the query out`);
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
