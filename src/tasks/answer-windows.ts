import type { Encoding } from "../tokenizers/encoding.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { QkvError } from "../util/errors.ts";

/**
 * A question with each part of a long context that fits beside it.
 * @param limit - the most tokens that the model reads; Infinity where nothing limits them
 * @param stride - tokens of the context that two windows share; at most half of what a window holds
 * @throws QkvError "data" where the question leaves no room
 */
export function answerWindows(
  tokenizer: Tokenizer,
  { question, context }: { readonly question: string; readonly context: string },
  { limit, stride, where }: { readonly limit: number; readonly stride: number; readonly where: string },
): Encoding[] {
  if (limit === Number.POSITIVE_INFINITY) return [tokenizer.encode(question, { pair: context })];
  const room = limit - tokenizer.encodeIds(question, { pair: "" }).length;
  if (room < 1) {
    throw new QkvError(
      "data",
      `${where}: the question leaves no room for the context among the ${limit} tokens that the model ` +
        "reads; shorten it",
    );
  }
  const truncation = {
    maxLength: limit,
    strategy: "only_second",
    stride: Math.min(stride, Math.floor(room / 2)),
    side: "right",
  } as const;
  const encoding = tokenizer.encode(question, { pair: context, truncation });
  return [encoding, ...encoding.overflowing];
}
