import { QkvError } from "../util/errors.ts";

/** The version of sacreBLEU whose values BLEU and chrF equal, and that stands in their signatures. */
export const sacrebleuVersion = "2.6.0";

/**
 * The references of every segment, from one stream per reference.
 *
 * @param where - the function's name, for errors
 * @param hypotheses - one segment each
 * @param streams - as many segments each as there are hypotheses; `null` = none for this segment
 * @returns for every segment its references, at least one
 * @throws QkvError "data" for no segments, unequal numbers of segments, or a segment without any reference
 */
export function referencesBySegment(
  where: string,
  hypotheses: readonly string[],
  streams: readonly (readonly (string | null)[])[],
): string[][] {
  if (!Array.isArray(hypotheses) || !Array.isArray(streams)) {
    throw new QkvError("data", `${where}: takes a list of hypotheses and a list of reference streams`);
  }
  if (hypotheses.length === 0) {
    throw new QkvError("data", `${where}: needs at least one segment; got 0 hypotheses`);
  }
  if (streams.length === 0) {
    throw new QkvError("data", `${where}: needs at least one stream of references; got none`);
  }
  for (const [number, stream] of streams.entries()) {
    if (!Array.isArray(stream)) {
      const wayOut = "put the segments of one reference into a list of their own";
      throw new QkvError(
        "data",
        `${where}: each reference is a list of segments; got ${typeof stream}; ${wayOut}`,
      );
    }
    if (stream.length !== hypotheses.length) {
      const which = streams.length === 1 ? "the references" : `reference ${number + 1}`;
      const rule = `${where}: hypotheses and references have the same number of segments`;
      throw new QkvError(
        "data",
        `${rule}; got ${hypotheses.length} hypotheses and ${stream.length} in ${which}`,
      );
    }
  }
  return hypotheses.map((hypothesis, segment) => {
    requireText(where, hypothesis, segment, "hypothesis");
    const references: string[] = [];
    for (const stream of streams) {
      const reference = stream[segment];
      if (reference === null || reference === undefined) continue;
      requireText(where, reference, segment, "reference");
      references.push(reference);
    }
    if (references.length === 0) {
      const wayOut = "leave the segment out, or give it an empty reference";
      throw new QkvError("data", `${where}: segment ${segment + 1} has no reference; ${wayOut}`);
    }
    return references;
  });
}

/** The number of references as a signature has it: `"1"`, `"2"` ..., or `"var"` where segments differ. */
export function referenceCount(references: readonly (readonly string[])[]): string {
  const counts = new Set(references.map((ofSegment) => ofSegment.length));
  return counts.size === 1 ? String([...counts][0]) : "var";
}

function requireText(where: string, value: unknown, segment: number, what: string): void {
  if (typeof value === "string") return;
  throw new QkvError(
    "data",
    `${where}: the ${what} of segment ${segment + 1} is a text; got ${typeof value}`,
  );
}
