import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { QkvError } from "../util/errors.ts";

/** The token that stands for a hidden one. @param where - names the tokenizer in the message */
export function maskTokenOf(tokenizer: Tokenizer, where: string): { content: string; id: number } {
  for (const content of ["[MASK]", "<mask>"]) {
    const id = tokenizer.tokenToId(content);
    if (id !== undefined) return { content, id };
  }
  throw new QkvError("config", `${where}: its tokenizer must have a token [MASK] or <mask>; got neither`);
}
