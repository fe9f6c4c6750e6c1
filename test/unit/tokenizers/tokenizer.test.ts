import { describe, expect, test } from "vitest";
import { codePointOffsets } from "../../../src/tokenizers/offsets.ts";
import { Tokenizer } from "../../../src/tokenizers/tokenizer.ts";
import { QkvError } from "../../../src/util/errors.ts";

const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "e", "##x", "."];
const special = (content: string, fields: object = {}) => ({
  id: words.indexOf(content),
  content,
  special: true,
  normalized: false,
  ...fields,
});
const piece = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } });
const json = {
  normalizer: { type: "BertNormalizer", lowercase: true },
  pre_tokenizer: { type: "BertPreTokenizer" },
  added_tokens: [
    ...["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map((token) => special(token)),
    special("[MASK]", { lstrip: true }),
    { id: 12, content: "New", normalized: true, single_word: true },
  ],
  post_processor: {
    type: "TemplateProcessing",
    single: [piece("[CLS]", 0), sequence("A", 0), piece("[SEP]", 0)],
    pair: [piece("[CLS]", 0), sequence("A", 0), piece("[SEP]", 0), sequence("B", 1), piece("[SEP]", 1)],
    special_tokens: {
      "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
      "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
    },
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
  },
};
const tokenizer = Tokenizer.fromJson(json);

describe("encoding", () => {
  test("tells ids, tokens, places, words and which text a token is of", () => {
    const encoding = tokenizer.encode("Ax 😀", { pair: "b" });
    expect(encoding).toEqual({
      ids: [2, 5, 10, 1, 3, 6, 3],
      tokens: ["[CLS]", "a", "##x", "[UNK]", "[SEP]", "b", "[SEP]"],
      offsets: [
        [0, 0],
        [0, 1],
        [1, 2],
        [3, 5],
        [0, 0],
        [0, 1],
        [0, 0],
      ],
      typeIds: [0, 0, 0, 0, 0, 1, 1],
      wordIds: [null, 0, 0, 1, null, 0, null],
      sequenceIds: [null, 0, 0, 0, null, 1, null],
      specialTokensMask: [1, 0, 0, 0, 1, 0, 1],
      attentionMask: [1, 1, 1, 1, 1, 1, 1],
      overflowing: [],
    });
    expect(codePointOffsets(encoding, "Ax 😀", "b")[3]).toEqual([3, 4]);
    expect(tokenizer.encodeIds("Ax 😀", { pair: "b" })).toEqual(encoding.ids);
  });

  test("finds added tokens: white space goes along, whole words only, in the normalized text", () => {
    expect(tokenizer.encode("a  [MASK] b", { addSpecialTokens: false })).toMatchObject({
      ids: [5, 4, 6],
      offsets: [
        [0, 1],
        [1, 9],
        [10, 11],
      ],
    });
    expect(tokenizer.encodeIds("NEW a newb new.", { addSpecialTokens: false })).toEqual([12, 5, 1, 12, 11]);
    expect(tokenizer.encodeIds("[mask]", { addSpecialTokens: false })).not.toContain(4);
  });

  test("counts added tokens in the vocabulary", () => {
    expect(tokenizer.vocabSize).toBe(13);
    expect(tokenizer.tokenToId("New")).toBe(12);
    expect(tokenizer.idToToken(12)).toBe("New");
    expect(tokenizer.idToToken(99)).toBeUndefined();
    expect(tokenizer.tokenToId("nothing")).toBeUndefined();
  });
});

describe("truncation", () => {
  const ids = (options: Parameters<Tokenizer["encode"]>[1]) => tokenizer.encode("a b c d e", options);

  test("cuts at either side and shares tokens between the parts", () => {
    const right = ids({ truncation: { maxLength: 5, stride: 1 } });
    expect([right, ...right.overflowing].map((part) => part.ids)).toEqual([
      [2, 5, 6, 7, 3],
      [2, 7, 8, 9, 3],
    ]);
    const left = ids({ truncation: { maxLength: 4, side: "left" } });
    expect([left, ...left.overflowing].map((part) => part.ids)).toEqual([
      [2, 8, 9, 3],
      [2, 6, 7, 3],
      [2, 5, 3],
    ]);
    expect(tokenizer.encodeIds("a b c d e", { truncation: { maxLength: 4 } })).toEqual([2, 5, 6, 3]);
  });

  test("cuts both texts to equal lengths where both are long", () => {
    const both = ids({ pair: "a b c d", truncation: { maxLength: 8 } });
    expect(both.ids).toEqual([2, 5, 6, 7, 3, 5, 6, 3]);
    const second = ids({ pair: "a b c d", truncation: { maxLength: 10, strategy: "only_second" } });
    expect(second.ids).toEqual([2, 5, 6, 7, 8, 9, 3, 5, 6, 3]);
    const first = ids({ pair: "a b c d", truncation: { maxLength: 8, strategy: "only_first" } });
    expect(first.ids).toEqual([2, 5, 3, 5, 6, 7, 8, 3]);
  });

  test.each([
    [{ maxLength: 1 }, /maxLength/],
    [{ maxLength: 4, stride: 2 }, /stride/],
    [{ maxLength: 4, strategy: "only_second" as const }, /only_second/],
  ])("refuses %j", (truncation, message) => {
    expect(() => ids({ truncation })).toThrow(message);
    expect(() => ids({ truncation })).toThrow(QkvError);
  });
});

describe("padding", () => {
  test("fills up to the longest, a length or a multiple, at either side", () => {
    const pad = (padding: object) =>
      tokenizer.encodeBatch(["a", ["a", "b"]], { padding }).map(({ ids }) => ids);
    expect(pad({})).toEqual([
      [2, 5, 3, 0, 0],
      [2, 5, 3, 6, 3],
    ]);
    expect(pad({ side: "left", multipleOf: 4 })[0]).toEqual([0, 0, 0, 0, 0, 2, 5, 3]);
    expect(pad({ length: 4 })[1]).toEqual([2, 5, 3, 6, 3]);
    const [first] = tokenizer.encodeBatch(["a"], { padding: { length: 4 } });
    expect(first).toMatchObject({
      attentionMask: [1, 1, 1, 0],
      specialTokensMask: [1, 0, 1, 1],
      tokens: { 3: "[PAD]" },
    });
  });

  test("takes token and side from the configuration", () => {
    const configured = Tokenizer.fromJson(json, { padding_side: "left", pad_token: { content: "[MASK]" } });
    expect(configured.encodeBatch(["a"], { padding: { length: 4 } })[0]!.ids).toEqual([4, 2, 5, 3]);
    expect(() => tokenizer.encodeBatch(["a"], { padding: { token: "[NONE]" } })).toThrow(
      /padding: .*\[NONE\]/,
    );
    expect(() => tokenizer.encodeBatch(["a"], { padding: { multipleOf: 0 } })).toThrow(/multipleOf/);
  });
});

describe("decoding", () => {
  test("leaves special tokens out if asked to, and cleans up", () => {
    expect(tokenizer.decode([2, 5, 10, 11, 3])).toBe("[CLS] ax. [SEP]");
    expect(tokenizer.decode([2, 5, 10, 11, 12], { skipSpecialTokens: true })).toBe("ax. New");
    const plain = Tokenizer.fromJson({ ...json, decoder: null });
    expect(plain.decode([5, 11])).toBe("a .");
    expect(plain.decode([5, 11], { cleanUpTokenizationSpaces: true })).toBe("a.");
    expect(
      Tokenizer.fromJson({ ...json, decoder: null }, { clean_up_tokenization_spaces: true }).decode([5, 11]),
    ).toBe("a.");
  });

  test("refuses ids that are not in the vocabulary", () => {
    expect(() => tokenizer.decode([5, 77])).toThrow(
      /decode: ids must be in the vocabulary of 13 tokens; got 77/,
    );
  });
});

test("a file that is no tokenizer is refused with the place", () => {
  expect(() => Tokenizer.fromJson([])).toThrow(/tokenizer\.json: must be an object/);
  expect(() => Tokenizer.fromJson({})).toThrow(/model: must be an object; got nothing/);
  const broken = structuredClone(json) as { post_processor: { special_tokens: object } };
  broken.post_processor.special_tokens = {};
  expect(() => Tokenizer.fromJson(broken)).toThrow(
    /post_processor\.single\[0\]: the special token "\[CLS\]"/,
  );
});
