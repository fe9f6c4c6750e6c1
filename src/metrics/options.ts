import { didYouMean, QkvError } from "../util/errors.ts";

/** Refuses an option that is not among `known`, with the nearest name. */
export function requireKnownOptions(where: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const rule = `${where}: the options are ${known.join(", ")}; got "${name}"`;
    throw new QkvError("option", rule + didYouMean(name, known));
  }
}

/** The value, where it is one of the names; otherwise an error with the nearest one. */
export function requireOneOf<Name extends string>(
  where: string,
  option: string,
  value: string,
  names: readonly Name[],
): Name {
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  const rule = `${where}: ${option} is one of ${names.join(", ")}; got "${value}"`;
  throw new QkvError("option", rule + didYouMean(String(value), names));
}

/** The value, where it is a whole number of at least `minimum`. */
export function requireWholeNumber(where: string, option: string, value: number, minimum: number): number {
  if (Number.isSafeInteger(value) && value >= minimum) return value;
  throw new QkvError("option", `${where}: ${option} is a whole number of at least ${minimum}; got ${value}`);
}

/** The value, where it is a finite number of at least 0. */
export function requireNonNegative(where: string, option: string, value: number): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  throw new QkvError("option", `${where}: ${option} is a number of at least 0; got ${value}`);
}

/** The value, where it is true or false. */
export function requireBoolean(where: string, option: string, value: boolean): boolean {
  if (typeof value === "boolean") return value;
  throw new QkvError("option", `${where}: ${option} is true or false; got ${JSON.stringify(value)}`);
}
