import { describe, expect, test } from "vitest";
import { alignWithItself } from "../../../src/tokenizers/aligned-text.ts";
import { readDecoder } from "../../../src/tokenizers/decoders/table.ts";
import { readModel } from "../../../src/tokenizers/models/table.ts";
import { readNormalizer } from "../../../src/tokenizers/normalizers/table.ts";
import { readPostProcessor } from "../../../src/tokenizers/post-processors/table.ts";
import { cutIntoAlignedWords, cutIntoWords } from "../../../src/tokenizers/pre-tokenizers/pre-tokenizer.ts";
import { readPreTokenizer } from "../../../src/tokenizers/pre-tokenizers/table.ts";

describe("normalizers", () => {
  test.each([
    [{ type: "NFC" }, "e\u0301 ﬁ", "é ﬁ"],
    [{ type: "NFD" }, "é각", "e\u0301\u1100\u1161\u11a8"],
    [{ type: "NFKC" }, "ﬁ①ｶﾞ", "fi1ガ"],
    [{ type: "NFKD" }, "ﬁé", "fie\u0301"],
    [{ type: "Lowercase" }, "ÀΣİ", "àσi\u0307"],
    [{ type: "Strip", strip_left: true, strip_right: false }, " \u3000a ", "a "],
    [{ type: "Strip" }, "  ", ""],
    [{ type: "StripAccents" }, "e\u0301a", "ea"],
    [{ type: "Prepend", prepend: "▁" }, "a", "▁a"],
    [{ type: "Prepend", prepend: "▁" }, "", ""],
    [{ type: "Replace", pattern: { String: " " }, content: "$&" }, "a b", "a$&b"],
    [{ type: "Replace", pattern: { Regex: " {2,}" }, content: "▁" }, "a   b c", "a▁b c"],
    [{ type: "Nmt" }, "a\u0001\tb\u200bc", "a b c"],
    [{ type: "BertNormalizer", lowercase: true }, "Ünï\u0000\tX你y", "uni x 你 y"],
    [{ type: "BertNormalizer", lowercase: false, strip_accents: null }, "Ünï", "Ünï"],
    [{ type: "BertNormalizer", lowercase: false, strip_accents: true }, "Ünï", "Uni"],
    [{ type: "ByteLevel" }, "é ", "Ã©Ġ"],
    [{ type: "Sequence", normalizers: [{ type: "NFD" }, { type: "StripAccents" }] }, "é", "e"],
  ])("%j", (json, text, expected) => {
    const normalizer = readNormalizer(json, "normalizer");
    expect(normalizer.normalize(text)).toBe(expected);
    const aligned = normalizer.align(alignWithItself(text));
    expect(aligned.text).toBe(expected);
    expect(aligned.starts.length).toBe(expected.length);
  });

  test("tell where their text comes from", () => {
    const normalizer = readNormalizer({ type: "BertNormalizer" }, "normalizer");
    const { text, starts, ends } = normalizer.align(alignWithItself("é\u0000😀B"));
    expect(text).toBe("e😀b");
    expect([...starts]).toEqual([0, 2, 2, 4]);
    expect([...ends]).toEqual([1, 4, 4, 5]);
  });
});

describe("pre-tokenizers", () => {
  const split = (behavior: string, invert = false) => ({
    type: "Split",
    pattern: { String: "-" },
    behavior,
    invert,
  });
  const countdown = "the-final--countdown";
  test.each([
    [{ type: "ByteLevel", add_prefix_space: true }, "a  b's", ["Ġa", "Ġ", "Ġb", "'s"]],
    [{ type: "ByteLevel", add_prefix_space: false, use_regex: false }, "a b", ["aĠb"]],
    [{ type: "Whitespace" }, "a.b  c_d", ["a", ".", "b", "c_d"]],
    [{ type: "WhitespaceSplit" }, "a.b\u0085c", ["a.b", "c"]],
    [{ type: "BertPreTokenizer" }, "a$b—c d", ["a", "$", "b", "—", "c", "d"]],
    [{ type: "Metaspace" }, "a b", ["▁a", "▁b"]],
    [{ type: "Metaspace", prepend_scheme: "never", split: false }, "a b", ["a▁b"]],
    [{ type: "Metaspace", add_prefix_space: false }, "a b", ["a", "▁b"]],
    [{ type: "Digits", individual_digits: true }, "a12b", ["a", "1", "2", "b"]],
    [{ type: "Digits" }, "a12b", ["a", "12", "b"]],
    [{ type: "Punctuation" }, "a.,b", ["a", ".", ",", "b"]],
    [{ type: "Punctuation", behavior: "Contiguous" }, "a.,b", ["a", ".,", "b"]],
    [{ type: "CharDelimiterSplit", delimiter: "-" }, "a-b--c", ["a", "b", "c"]],
    [{ type: "FixedLength", length: 2 }, "ab😀de", ["ab", "😀d", "e"]],
    [split("Removed"), countdown, ["the", "final", "countdown"]],
    [split("Isolated"), countdown, ["the", "-", "final", "-", "-", "countdown"]],
    [split("MergedWithPrevious"), countdown, ["the-", "final-", "-", "countdown"]],
    [split("MergedWithNext"), countdown, ["the", "-final", "-", "-countdown"]],
    [split("Contiguous"), countdown, ["the", "-", "final", "--", "countdown"]],
    [split("Removed", true), countdown, ["-", "-", "-"]],
    [{ type: "Split", pattern: { Regex: "(?=[A-Z])" }, behavior: "Isolated" }, "aBcD", ["a", "Bc", "D"]],
    [
      {
        type: "Sequence",
        pretokenizers: [{ type: "WhitespaceSplit" }, { type: "Digits", individual_digits: true }],
      },
      "a1 2",
      ["a", "1", "2"],
    ],
  ])("%j", (json, text, expected) => {
    const steps = readPreTokenizer(json, "pre_tokenizer");
    expect(cutIntoWords(steps, text, true).filter(Boolean)).toEqual(expected);
    const aligned = cutIntoAlignedWords(steps, alignWithItself(text)).filter((word) => word.text.length > 0);
    expect(aligned.map((word) => word.text)).toEqual(expected);
  });

  test("put the first mark only where the text begins, if asked to", () => {
    const steps = readPreTokenizer({ type: "Metaspace", prepend_scheme: "first" }, "pre_tokenizer");
    expect(cutIntoWords(steps, "a", true)).toEqual(["▁a"]);
    expect(cutIntoWords(steps, "a", false)).toEqual(["a"]);
  });
});

describe("decoders", () => {
  test.each([
    [{ type: "ByteLevel" }, ["Ġa", "Ã", "©", "好"], " aé好"],
    [{ type: "WordPiece", prefix: "##", cleanup: true }, ["a", "##b", ".", "do", "n't"], "ab. don't"],
    [{ type: "Metaspace" }, ["▁a", "▁b", "c"], "a bc"],
    [{ type: "Metaspace", prepend_scheme: "never" }, ["▁a"], " a"],
    [{ type: "BPEDecoder", suffix: "</w>" }, ["a", "b</w>", "c</w>"], "ab c"],
    [{ type: "ByteFallback" }, ["<0xC3>", "<0xA9>", "a", "<0xC3>", "<0xC3>"], "éa\ufffd\ufffd"],
    [
      { type: "CTC", pad_token: "<pad>", word_delimiter_token: "|" },
      ["a", "a", "<pad>", "a", "|", "b"],
      "aa b",
    ],
    [
      {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "▁" }, content: " " },
          { type: "Fuse" },
          { type: "Strip", content: " ", start: 1, stop: 0 },
        ],
      },
      ["▁▁a", "▁b"],
      " a b",
    ],
  ])("%j", (json, pieces, expected) => {
    expect(readDecoder(json, "decoder")(pieces).join("")).toBe(expected);
  });
});

describe("models", () => {
  const pieces = (model: object, word: string) => {
    const output = { ids: [], starts: [], ends: [] } as { ids: number[]; starts: number[]; ends: number[] };
    readModel(model, "model").encodeWord(word, output);
    return output.ids.map((id, index) => [id, output.starts[index], output.ends[index]]);
  };

  test("WordPiece takes the longest piece, or the word is unknown", () => {
    const model = {
      type: "WordPiece",
      unk_token: "?",
      vocab: { "?": 0, un: 1, "##aff": 2, "##able": 3, "##a": 4 },
    };
    expect(pieces(model, "unaffable")).toEqual([
      [1, 0, 2],
      [2, 2, 5],
      [3, 5, 9],
    ]);
    expect(pieces(model, "unx")).toEqual([[0, 0, 3]]);
    expect(pieces({ ...model, max_input_chars_per_word: 2 }, "una")).toEqual([[0, 0, 3]]);
  });

  test("a unigram model takes the best sum and joins what is unknown", () => {
    const vocab = [
      ["?", 0],
      ["a", -1],
      ["b", -1],
      ["ab", -3],
      ["abc", -1.5],
    ];
    const model = { type: "Unigram", unk_id: 0, vocab };
    expect(pieces(model, "ab")).toEqual([
      [1, 0, 1],
      [2, 1, 2],
    ]);
    expect(pieces(model, "abc")).toEqual([[4, 0, 3]]);
    expect(pieces(model, "xyab")).toEqual([
      [0, 0, 2],
      [1, 2, 3],
      [2, 3, 4],
    ]);
  });

  test("byte-pair encoding: prefix, suffix, bytes, joined unknowns, whole words", () => {
    const suffixed = {
      type: "BPE",
      end_of_word_suffix: "</w>",
      vocab: { a: 0, "b</w>": 1, "ab</w>": 2 },
      merges: ["a b</w>"],
    };
    expect(pieces(suffixed, "ab")).toEqual([[2, 0, 2]]);
    const prefixed = {
      type: "BPE",
      continuing_subword_prefix: "##",
      vocab: { a: 0, "##b": 1, ab: 2 },
      merges: [["a", "##b"]],
    };
    expect(pieces(prefixed, "ab")).toEqual([[2, 0, 2]]);
    const unknown = { type: "BPE", unk_token: "?", vocab: { "?": 0, a: 1 }, merges: [] };
    expect(pieces(unknown, "xya")).toEqual([
      [0, 0, 1],
      [0, 1, 2],
      [1, 2, 3],
    ]);
    expect(pieces({ ...unknown, fuse_unk: true }, "xya")).toEqual([
      [0, 0, 2],
      [1, 2, 3],
    ]);
    const bytes = { ...unknown, byte_fallback: true, vocab: { "?": 0, "<0xC3>": 1, "<0xA9>": 2 } };
    expect(pieces(bytes, "éx")).toEqual([
      [1, 0, 1],
      [2, 0, 1],
      [0, 1, 2],
    ]);
    const whole = { type: "BPE", ignore_merges: true, vocab: { a: 0, b: 1, ab: 2 }, merges: [] };
    expect(pieces(whole, "ab")).toEqual([[2, 0, 2]]);
  });
});

describe("what is not supported", () => {
  test.each([
    [
      () => readNormalizer({ type: "Lowercas" }, "normalizer"),
      /normalizer: the type "Lowercas".*did you mean "Lowercase"/,
    ],
    [
      () => readPreTokenizer({ type: "UnicodeScripts" }, "pre_tokenizer"),
      /known are BertPreTokenizer, ByteLevel/,
    ],
    [() => readModel({ type: "Bag" }, "model"), /known are BPE, /],
    [() => readModel({ type: "BPE", dropout: 0.1, vocab: {}, merges: [] }, "model"), /model\.dropout/],
    [() => readDecoder({ type: "X" }, "decoder"), /known are BPEDecoder/],
    [() => readPostProcessor({ type: "X" }, "post_processor"), /known are BertProcessing/],
    [
      () => readModel({ type: "BPE", vocab: { a: 0 }, merges: ["a b"] }, "model"),
      /model\.merges\[0\].*"b" is not in/,
    ],
    [() => readModel({ type: "BPE", vocab: { a: -1 }, merges: [] }, "model"), /model\.vocab\["a"\]/],
    [() => readModel({ type: "BPE", vocab: { a: 0 }, merges: ["a b c"] }, "model"), /two tokens/],
    [() => readPreTokenizer({ type: "Split", pattern: 3, behavior: "Removed" }, "pre_tokenizer"), /pattern/],
    [
      () => readPreTokenizer({ type: "Split", pattern: "a", behavior: "No" }, "pre_tokenizer"),
      /one of Removed/,
    ],
  ])("is refused with its place", (read, message) => {
    expect(read).toThrow(message);
  });
});
