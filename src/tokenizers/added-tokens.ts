import { type JsonObject, readBoolean, readCount, readList, readObject, readString } from "./json.ts";

/** A token that is found in a text before the model sees it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Whether it counts only where no word character stands beside it. */
  readonly singleWord: boolean;
  /** Whether it takes the white space on its left (right) along. */
  readonly leftStrip: boolean;
  readonly rightStrip: boolean;
  /** Whether it is looked for in the normalized text. */
  readonly normalized: boolean;
  /** Whether decoding may leave it out. */
  readonly special: boolean;
}

/** The list `added_tokens` of a `tokenizer.json`. */
export function readAddedTokens(value: unknown, place: string): AddedToken[] {
  if (value === undefined || value === null) return [];
  return readList(value, place)
    .map((entry, index) => readAddedToken(readObject(entry, `${place}[${index}]`), `${place}[${index}]`))
    .filter((token) => token.content.length > 0);
}

function readAddedToken(object: JsonObject, place: string): AddedToken {
  const special = readBoolean(object, "special", place, false);
  return {
    id: readCount(object, "id", place),
    content: readString(object, "content", place),
    singleWord: readBoolean(object, "single_word", place, false),
    leftStrip: readBoolean(object, "lstrip", place, false),
    rightStrip: readBoolean(object, "rstrip", place, false),
    normalized: readBoolean(object, "normalized", place, !special),
    special,
  };
}

/** Where a token was found: the units from `start` up to, not including, `end`. */
export interface AddedTokenMatch {
  readonly token: AddedToken;
  readonly start: number;
  readonly end: number;
}

/**
 * Finds tokens in a text: the leftmost first, of several at one place the longest.
 * @param tokens - pairs of the text to look for and the token it stands for
 */
export function addedTokenFinder(
  tokens: readonly (readonly [text: string, token: AddedToken])[],
): (text: string) => AddedTokenMatch[] {
  const byText = new Map(tokens.filter(([text]) => text.length > 0));
  if (byText.size === 0) return () => [];
  const longestFirst = [...byText.keys()].sort((one, other) => other.length - one.length);
  const expression = new RegExp(longestFirst.map(escapeForRegex).join("|"), "g");
  const beginnings = [...new Set(longestFirst.map((text) => text.charAt(0)))];
  return (text) => {
    if (!beginnings.some((beginning) => text.includes(beginning))) return [];
    expression.lastIndex = 0;
    const matches: AddedTokenMatch[] = [];
    let done = 0;
    for (let match = expression.exec(text); match !== null; match = expression.exec(text)) {
      const token = byText.get(match[0])!;
      let start = match.index;
      let end = start + match[0].length;
      if (
        token.singleWord &&
        (endsWithWord.test(text.slice(0, start)) || startsWithWord.test(text.slice(end)))
      ) {
        continue;
      }
      if (token.leftStrip) start = Math.max(done, text.slice(0, start).replace(whiteSpaceAtEnd, "").length);
      if (token.rightStrip) end += whiteSpaceAtStart.exec(text.slice(end))?.[0].length ?? 0;
      matches.push({ token, start, end });
      done = end;
    }
    return matches;
  };
}

const endsWithWord = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u;
const startsWithWord = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;
const whiteSpaceAtEnd = /\p{White_Space}+$/u;
const whiteSpaceAtStart = /^\p{White_Space}+/u;

function escapeForRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
