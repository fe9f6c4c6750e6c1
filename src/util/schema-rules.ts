/** What a schema asks for, said to people: the rule that a value breaks, and what the value is. */
import type { z } from "zod";
import { didYouMean } from "./errors.ts";

/** The message where there is no value. */
export const missing = "is needed; got nothing";

type Issue = z.core.$ZodRawIssue | z.core.$ZodIssue;

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list in brackets, [...]",
  tuple: "a list",
  object: "an object of keys and values",
  record: "an object of keys and values",
};

/**
 * The message of an issue, for the option `error` when a schema parses: `must be above 0; got -1`.
 * @returns undefined where the schema's own message says more
 */
export function ruleOf(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined && issue.code !== "custom") return missing;
  const expected = expectationOf(issue);
  if (expected === undefined) return undefined;
  const got = JSON.stringify(issue.input);
  const near =
    issue.code === "invalid_value" && typeof issue.input === "string"
      ? didYouMean(issue.input, issue.values.map(String))
      : "";
  return `must be ${expected}; got ${got.length > 80 ? `${got.slice(0, 80)} ...` : got}${near}`;
}

/** What stands behind "must be". */
function expectationOf(issue: Issue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return kinds[issue.expected];
    case "invalid_value":
      return issue.values.length === 1
        ? JSON.stringify(issue.values[0])
        : `one of ${issue.values.join(", ")}`;
    case "too_small":
    case "too_big":
      return boundOf(issue);
    case "invalid_union": {
      const options = issue.errors.map(([first]) => first && expectationOf(first));
      if (options.length === 0 || options.includes(undefined)) return undefined;
      return [...new Set(options)].join(", or ");
    }
    default:
      return undefined;
  }
}

function boundOf(issue: Extract<Issue, { code: "too_small" | "too_big" }>): string | undefined {
  const [bound, above, least] =
    issue.code === "too_small" ? [issue.minimum, "above", "or more"] : [issue.maximum, "below", "at most"];
  if (issue.origin === "array") return `a list of ${bound} items ${least}`;
  if (issue.origin !== "number" && issue.origin !== "int") return undefined;
  if (!issue.inclusive) return `${above} ${bound}`;
  return issue.code === "too_small" ? `${bound} ${least}` : `${least} ${bound}`;
}
