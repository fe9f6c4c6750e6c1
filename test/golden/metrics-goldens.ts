import { readFileSync } from "node:fs";
import { readSharedJson, sharedPath } from "../shared.ts";

/** A JSON file of the metric goldens. */
export function readMetricJson<Value>(path: string): Value {
  return readSharedJson<Value>(`goldens/metrics/${path}`);
}

/** The segments of a text file of the metric goldens: lines split at LF only. */
export function readSegments(path: string): string[] {
  const text = readFileSync(sharedPath(`goldens/metrics/${path}`), "utf8");
  return text.replace(/\n$/, "").split("\n");
}

/** A number of the goldens; not-a-number is written as a string. */
export type GoldenNumber = number | "NaN";

/** Whether two numbers are equal to 1e-9 relative; not-a-number equals itself. */
export function isClose(actual: number, expected: GoldenNumber): boolean {
  if (expected === "NaN") return Number.isNaN(actual);
  return Math.abs(actual - expected) <= 1e-9 * Math.abs(expected);
}

/**
 * The differences between a computed value and the expected one, each with its place. Numbers are close, or
 * equal where the place's last name is in `exact`; everything else is equal.
 */
export function differences(
  actual: unknown,
  expected: unknown,
  place: string,
  exact: readonly string[] = [],
): string[] {
  if (typeof actual === "number" && (typeof expected === "number" || expected === "NaN")) {
    const isExact = exact.some((name) => place.endsWith(`.${name}`) || place.includes(`.${name}[`));
    const isSame = isExact ? actual === expected : isClose(actual, expected);
    return isSame ? [] : [`${place}: ${actual}, expected ${expected}`];
  }
  if (Array.isArray(actual) && Array.isArray(expected)) {
    if (actual.length !== expected.length) {
      return [`${place}: ${actual.length} values, expected ${expected.length}`];
    }
    return actual.flatMap((value, index) => differences(value, expected[index], `${place}[${index}]`, exact));
  }
  if (isRecord(actual) && isRecord(expected)) {
    const names = new Set([...Object.keys(actual), ...Object.keys(expected)]);
    return [...names].flatMap((name) => differences(actual[name], expected[name], `${place}.${name}`, exact));
  }
  return actual === expected
    ? []
    : [`${place}: ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
