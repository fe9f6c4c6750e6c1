import { QkvError } from "../util/errors.ts";
import { appendEncoding, type Encoding, emptyEncoding, pushToken } from "./encoding.ts";

/** How encodings are made equally long. */
export interface PaddingOptions {
  /** The length; default that of the longest encoding. */
  length?: number;
  /** The length is raised to a multiple of this number. */
  multipleOf?: number;
  /** The side at which padding stands; default as the tokenizer's files say, else right. */
  side?: "left" | "right";
  /** The token; default as the tokenizer's files say. */
  token?: string;
}

/** What padding consists of. */
export interface PaddingToken {
  readonly id: number;
  readonly token: string;
  readonly typeId: number;
}

/** The encodings, and what overflowed from them, filled up to one length. Longer ones stay as they are. */
export function padAll(
  encodings: readonly Encoding[],
  options: PaddingOptions,
  padding: PaddingToken,
  side: "left" | "right",
): Encoding[] {
  let target = options.length ?? 0;
  if (options.length === undefined) {
    for (const encoding of encodings) target = Math.max(target, encoding.ids.length);
  }
  const { multipleOf } = options;
  if (multipleOf !== undefined) {
    if (!Number.isInteger(multipleOf) || multipleOf < 1) {
      throw new QkvError(
        "option",
        `padding: multipleOf must be a whole number, 1 or more; got ${multipleOf}`,
      );
    }
    target = Math.ceil(target / multipleOf) * multipleOf;
  }
  return encodings.map((encoding) => padOne(encoding, target, padding, side));
}

function padOne(encoding: Encoding, target: number, padding: PaddingToken, side: "left" | "right"): Encoding {
  const filling = emptyEncoding();
  for (let length = encoding.ids.length; length < target; length++) {
    pushToken(filling, { ...padding, special: true, attended: false });
  }
  const result = emptyEncoding();
  appendEncoding(result, side === "left" ? filling : encoding);
  appendEncoding(result, side === "left" ? encoding : filling);
  result.overflowing = encoding.overflowing.map((part) => padOne(part, target, padding, side));
  return result;
}
