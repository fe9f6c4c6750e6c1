import { QkvError } from "../util/errors.ts";
import { type Encoding, emptyEncoding, sliceEncoding } from "./encoding.ts";

/** How tokens beyond a length are cut off. */
export interface TruncationOptions {
  /** The most tokens that may be left, special tokens included. */
  maxLength: number;
  /** Which of two texts is cut: the longer one first (default), only the first or only the second. */
  strategy?: "longest_first" | "only_first" | "only_second";
  /** How many tokens the parts that overflow share with the part before; default 0. */
  stride?: number;
  /** The side at which tokens are cut off; default right. */
  side?: "left" | "right";
}

/** One text's tokens or two's, cut to `maxLength` less the `addedTokens` that will be put around. */
export function truncate(
  first: Encoding,
  second: Encoding | undefined,
  options: TruncationOptions,
  addedTokens: number,
): { first: Encoding; second: Encoding | undefined } {
  const { maxLength, strategy = "longest_first", stride = 0, side = "right" } = options;
  const room = maxLength - addedTokens;
  if (!Number.isInteger(maxLength) || room < 0) {
    throw new QkvError(
      "option",
      `truncation: maxLength must be a whole number that leaves room for ${addedTokens} special tokens; got ${maxLength}`,
    );
  }
  const lengths = [first.ids.length, second?.ids.length ?? 0] as const;
  const excess = lengths[0] + lengths[1] - room;
  if (excess <= 0) return { first, second };
  const kept = lengthsToKeep(strategy, lengths, room, second !== undefined);
  return {
    first: cutOff(first, kept[0], stride, side),
    second: second && cutOff(second, kept[1], stride, side),
  };
}

function lengthsToKeep(
  strategy: NonNullable<TruncationOptions["strategy"]>,
  [first, second]: readonly [number, number],
  room: number,
  isPair: boolean,
): readonly [number, number] {
  if (strategy === "longest_first") {
    if (!isPair) return [room, 0];
    const shorter = Math.min(first, second);
    let keptShorter = shorter;
    let keptLonger = shorter > room ? shorter : Math.max(shorter, room - shorter);
    if (keptShorter + keptLonger > room) {
      keptShorter = Math.floor(room / 2);
      keptLonger = room - keptShorter;
    }
    return first > second ? [keptLonger, keptShorter] : [keptShorter, keptLonger];
  }
  const isFirst = strategy === "only_first";
  const other = isFirst ? second : first;
  const kept = room - other;
  if ((!isFirst && !isPair) || kept <= 0) {
    throw new QkvError(
      "option",
      `truncation: strategy ${strategy} must leave tokens of that text; got ${first} and ${second} tokens for ` +
        `${room} places; use longest_first or a larger maxLength`,
    );
  }
  return isFirst ? [kept, other] : [other, kept];
}

/** Keeps `kept` tokens at one side; the rest follows in parts of as many, each with `stride` tokens of the last. */
function cutOff(encoding: Encoding, kept: number, stride: number, side: "left" | "right"): Encoding {
  const { length } = encoding.ids;
  if (kept >= length) return encoding;
  if (kept === 0) return { ...emptyEncoding(), overflowing: [encoding] };
  if (!Number.isInteger(stride) || stride < 0 || stride >= kept) {
    throw new QkvError(
      "option",
      `truncation: stride must be less than the ${kept} tokens that are kept of a text; got ${stride}`,
    );
  }
  const parts: Encoding[] = [];
  const step = kept - stride;
  if (side === "right") {
    for (let start = 0; ; start += step) {
      const end = Math.min(start + kept, length);
      parts.push(sliceEncoding(encoding, start, end));
      if (end === length) break;
    }
  } else {
    for (let end = length; ; end -= step) {
      const start = Math.max(0, end - kept);
      parts.push(sliceEncoding(encoding, start, end));
      if (start === 0) break;
    }
  }
  const [result, ...overflowing] = parts;
  return { ...result!, overflowing };
}
