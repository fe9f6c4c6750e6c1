import { QkvError } from "../../util/errors.ts";

/** Refuses special tokens that are empty or listed twice. */
export function checkSpecialTokens(specialTokens: readonly string[], where: string): void {
  const seen = new Set<string>();
  for (const token of specialTokens) {
    if (token.length > 0 && !seen.has(token)) seen.add(token);
    else {
      throw new QkvError(
        "option",
        `${where}: special tokens must be different texts, none empty; got ${JSON.stringify(specialTokens)}`,
      );
    }
  }
}

/** The special token, which must be in the list. */
export function requireSpecial(token: string, specialTokens: readonly string[], where: string): string {
  if (specialTokens.includes(token)) return token;
  throw new QkvError(
    "option",
    `${where}: this choice needs the special token ${token}; got ${specialTokens.join(" ")}; add it`,
  );
}

/** Refuses a vocabulary too small for the special tokens and single characters. */
export function checkVocabSize(vocabSize: number, least: number, where: string): void {
  if (vocabSize >= least) return;
  throw new QkvError(
    "option",
    `${where}: the vocabulary must hold the special tokens and all single characters, ${least} here; got a ` +
      `vocab_size of ${vocabSize}; take a larger one`,
  );
}

/** The list `added_tokens` of a tokenizer file. */
export function addedTokensJson(specialTokens: readonly string[]): object[] {
  return specialTokens.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
}

/** A post-processor that ends each text with `</s>`. */
export function endTemplateJson(specialTokens: readonly string[], where: string): object {
  const end = requireSpecial("</s>", specialTokens, where);
  const text = (id: "A" | "B") => ({ Sequence: { id, type_id: 0 } });
  const special = { SpecialToken: { id: end, type_id: 0 } };
  return {
    type: "TemplateProcessing",
    single: [text("A"), special],
    pair: [text("A"), special, text("B"), special],
    special_tokens: { [end]: { id: end, ids: [specialTokens.indexOf(end)], tokens: [end] } },
  };
}

/** RoBERTa's post-processor: `<s> A </s>`, or `<s> A </s> </s> B </s>`. */
export function robertaTemplateJson(specialTokens: readonly string[], where: string): object {
  const place = (token: string) => [
    requireSpecial(token, specialTokens, where),
    specialTokens.indexOf(token),
  ];
  return {
    type: "RobertaProcessing",
    cls: place("<s>"),
    sep: place("</s>"),
    trim_offsets: true,
    // The space in front of a text is put there by the normalizer: no part of the text is trimmed for it.
    add_prefix_space: true,
  };
}
