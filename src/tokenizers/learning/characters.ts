import { Tokenizer } from "../tokenizer.ts";
import { addedTokensJson, checkSpecialTokens, requireSpecial } from "./special-tokens.ts";
import { byCodePoint } from "./words.ts";

/** How a vocabulary of single characters is learned. */
export interface CharactersOptions {
  /** The first ids, in order; default `<pad>`, `<s>`, `</s>`, `<unk>`. */
  readonly specialTokens?: readonly string[];
  /** Whether texts are put into small letters; default false. */
  readonly lowercase?: boolean;
}

/**
 * A tokenizer whose tokens are the characters (code points) of some texts, in their order in Unicode; others are
 * unknown. It is written as a byte-pair encoding without merges, which Hugging Face's library reads.
 */
export async function learnCharacters(
  lines: Iterable<string> | AsyncIterable<string>,
  options: CharactersOptions = {},
): Promise<Tokenizer> {
  const where = "learnCharacters";
  const { specialTokens = ["<pad>", "<s>", "</s>", "<unk>"], lowercase = false } = options;
  checkSpecialTokens(specialTokens, where);
  const unknown = requireSpecial("<unk>", specialTokens, where);
  const characters = new Set<string>();
  for await (const line of lines)
    for (const character of lowercase ? line.toLowerCase() : line) characters.add(character);
  const symbols = [...specialTokens, ...[...characters].sort(byCodePoint)];
  return Tokenizer.fromJson({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokensJson(specialTokens),
    normalizer: lowercase ? { type: "Lowercase" } : null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: "Fuse" },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: unknown,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(symbols.map((text, id) => [text, id])),
      merges: [],
    },
  });
}
