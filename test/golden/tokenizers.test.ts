import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Encoding } from "../../src/tokenizers/encoding.ts";
import { codePointOffsets } from "../../src/tokenizers/offsets.ts";
import { Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import type { TruncationOptions } from "../../src/tokenizers/truncation.ts";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../shared.ts";

interface GoldenEncoding {
  ids: number[];
  tokens: string[];
  type_ids: number[];
  offsets: [number, number][];
  special_tokens_mask: number[];
  attention_mask: number[];
}

interface Batch {
  kwargs: {
    padding?: boolean | "max_length";
    max_length?: number;
    truncation?: boolean | TruncationOptions["strategy"];
    stride?: number;
    padding_side?: "left" | "right";
    pad_to_multiple_of?: number;
  };
}

interface Golden {
  single: {
    text: string;
    with_special: GoldenEncoding;
    ids_without_special: number[];
    decode_skip_special: string;
    decode_keep_special: string;
    decode_transformers_skip: string;
    decode_transformers_keep: string;
  }[];
  pairs: { a: string; b: string; with_special: GoldenEncoding }[];
  batches: (Batch & {
    texts?: string[];
    pair?: [string, string];
    input_ids: unknown;
    attention_mask: unknown;
    token_type_ids?: unknown;
  })[];
  overflow: Batch & { text: string; input_ids: number[][] };
}

const names = ["bert_cased", "bert_uncased", "gpt2", "llama2_style", "llama3_style", "roberta", "t5"];

/** The encoding as the goldens write it: offsets in code points. */
function describeEncoding(encoding: Encoding, text: string, pair?: string): GoldenEncoding {
  return {
    ids: encoding.ids,
    tokens: encoding.tokens,
    type_ids: encoding.typeIds,
    offsets: codePointOffsets(encoding, text, pair),
    special_tokens_mask: encoding.specialTokensMask,
    attention_mask: encoding.attentionMask,
  };
}

function readTruncation({ kwargs }: Batch): { truncation?: TruncationOptions } {
  const { truncation, max_length: maxLength, stride } = kwargs;
  if (!truncation || maxLength === undefined) return {};
  return {
    truncation: {
      maxLength,
      stride: stride ?? 0,
      ...(typeof truncation === "string" && { strategy: truncation }),
    },
  };
}

describe.skipIf(!hasShared)(`tokenizers equal to Hugging Face's${needsShared}`, () => {
  describe.each(names)("%s", (name) => {
    const folder = `goldens/tokenizers/${name}`;
    const tokenizer = Tokenizer.fromJson(
      readSharedJson(`${folder}/tokenizer.json`),
      readSharedJson(`${folder}/tokenizer_config.json`),
    );
    const golden = readSharedJson<Golden>(`${folder}/golden.json`);

    test.each(golden.single)("$text", (entry) => {
      const { text, with_special: expected } = entry;
      expect(describeEncoding(tokenizer.encode(text), text)).toEqual(expected);
      expect(tokenizer.encodeIds(text)).toEqual(expected.ids);
      expect(tokenizer.encodeIds(text, { addSpecialTokens: false })).toEqual(entry.ids_without_special);
      expect(tokenizer.encode(text, { addSpecialTokens: false }).ids).toEqual(entry.ids_without_special);
      const plain = { cleanUpTokenizationSpaces: false };
      expect(tokenizer.decode(expected.ids, { ...plain, skipSpecialTokens: true })).toBe(
        entry.decode_skip_special,
      );
      expect(tokenizer.decode(expected.ids, plain)).toBe(entry.decode_keep_special);
      expect(tokenizer.decode(expected.ids, { skipSpecialTokens: true })).toBe(
        entry.decode_transformers_skip,
      );
      expect(tokenizer.decode(expected.ids)).toBe(entry.decode_transformers_keep);
    });

    test.each(golden.pairs)("$a + $b", ({ a, b, with_special: expected }) => {
      expect(describeEncoding(tokenizer.encode(a, { pair: b }), a, b)).toEqual(expected);
      expect(tokenizer.encodeIds(a, { pair: b })).toEqual(expected.ids);
    });

    test.each(golden.batches)("batch $kwargs", (batch) => {
      const { padding, max_length, padding_side, pad_to_multiple_of } = batch.kwargs;
      const encodings = tokenizer.encodeBatch(batch.texts ?? [batch.pair!], {
        ...readTruncation(batch),
        ...(padding && {
          padding: {
            ...(padding === "max_length" && max_length !== undefined && { length: max_length }),
            ...(padding_side && { side: padding_side }),
            ...(pad_to_multiple_of && { multipleOf: pad_to_multiple_of }),
          },
        }),
      });
      const collect = (pick: (encoding: Encoding) => number[]) => {
        const rows = encodings.map(pick);
        return batch.texts ? rows : rows[0];
      };
      expect(collect((encoding) => encoding.ids)).toEqual(batch.input_ids);
      expect(collect((encoding) => encoding.attentionMask)).toEqual(batch.attention_mask);
      if (batch.token_type_ids) expect(collect((encoding) => encoding.typeIds)).toEqual(batch.token_type_ids);
    });

    test("what truncation cuts off", () => {
      const { overflow } = golden;
      const encoding = tokenizer.encode(overflow.text, readTruncation(overflow));
      const rows = [encoding, ...encoding.overflowing].map((part) => part.ids);
      expect(rows).toEqual(overflow.input_ids);
    });
  });
});

const vectorSeparator = "\n__ggml_vocab_test__\n";

describe.skipIf(!hasShared)(`tokenizers on real vocabularies${needsShared}`, () => {
  const readText = (path: string) => readFileSync(sharedPath(path), "utf8");

  test.each(["gpt2", "roberta-base", "bert-base-uncased"])("%s", (name) => {
    const tokenizer = Tokenizer.fromJson(readSharedJson(`tokenizers/${name}/tokenizer.json`));
    const inputs = readText(`tokenizers/${name}/cases.inp`).split(vectorSeparator);
    const lines = readText(`tokenizers/${name}/cases.out`).split("\n");
    for (const [index, text] of inputs.entries()) {
      const expected = lines[index]!.split(" ").filter(Boolean).map(Number);
      expect(tokenizer.encodeIds(text, { addSpecialTokens: false }), JSON.stringify(text)).toEqual(expected);
      expect(tokenizer.encode(text, { addSpecialTokens: false }).ids).toEqual(expected);
    }
  });

  test("the questions of SQuAD with BERT's vocabulary", () => {
    const folder = "tokenizers/bert-base-uncased";
    const tokenizer = Tokenizer.fromJson(readSharedJson(`${folder}/tokenizer.json`));
    const questions = readSharedJson<{ original: string; wordpiece: string[] }[]>(
      `${folder}/question_tokens.json`,
    );
    const ids = readSharedJson<number[][]>(`${folder}/tokenized_questions.json`);
    expect(questions.length).toBe(10_570);
    const got = questions.map(({ original }) => tokenizer.encode(original, { addSpecialTokens: false }));
    expect(got.map((encoding) => encoding.ids)).toEqual(ids);
    expect(got.map((encoding) => encoding.tokens)).toEqual(questions.map(({ wordpiece }) => wordpiece));
  });
});
