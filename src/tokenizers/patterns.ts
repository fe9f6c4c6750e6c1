import { type JsonObject, readObject, wrongKind } from "./json.ts";
import { translateRegex } from "./regex.ts";

/** What a stage looks for in a text. */
export interface Pattern {
  /** All matches from left to right that do not overlap, as a flat list of start and end. */
  find(text: string): number[];
  /** The text to look for, where it is a fixed one. */
  readonly literal?: string;
  /** The expression, with the flags g and u or v, where it is not a fixed text. */
  readonly expression?: RegExp;
}

/** The pattern of a field of JSON: {"String": text}, {"Regex": text} or, in older files, the text itself. */
export function readPattern(object: JsonObject, key: string, place: string): Pattern {
  const value = object[key];
  if (typeof value === "string") return literalPattern(value);
  const fields = readObject(value, `${place}.${key}`);
  if (typeof fields.String === "string") return literalPattern(fields.String);
  if (typeof fields.Regex === "string") {
    return regexPattern(translateRegex(fields.Regex, `${place}.${key}.Regex`));
  }
  throw wrongKind(`${place}.${key}`, 'an object with "String" or "Regex"', value);
}

/** Finds a fixed text. */
export function literalPattern(literal: string): Pattern {
  return {
    literal,
    find: (text) => {
      const matches: number[] = [];
      if (literal.length === 0) return matches;
      for (let start = text.indexOf(literal); start >= 0; ) {
        matches.push(start, start + literal.length);
        start = text.indexOf(literal, start + literal.length);
      }
      return matches;
    },
  };
}

/**
 * Finds a regular expression, which must have the flag g. A match of nothing counts, unless it stands where the
 * match before it ends.
 */
export function regexPattern(expression: RegExp): Pattern {
  return {
    expression,
    find: (text) => {
      const matches: number[] = [];
      let done = -1;
      expression.lastIndex = 0;
      for (let match = expression.exec(text); match !== null; match = expression.exec(text)) {
        const start = match.index;
        const end = start + match[0].length;
        if (end === start) {
          expression.lastIndex = start + ((text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1);
          if (start === done) continue;
        }
        matches.push(start, end);
        done = end;
      }
      return matches;
    },
  };
}
