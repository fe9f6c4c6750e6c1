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

/** The token that stands for a word that is not shown: the mask, or in T5's vocabularies the first sentinel. */
export function hiddenWordTokenOf(tokenizer: Tokenizer, where: string): number {
  return tokenizer.tokenToId("<extra_id_0>") ?? maskTokenOf(tokenizer, where).id;
}
