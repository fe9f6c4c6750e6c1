import { Tokenizer as Reference } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutIntoWords } from "../../../src/tokenizers/pre-tokenizers/pre-tokenizer.ts";
import { readPreTokenizer } from "../../../src/tokenizers/pre-tokenizers/table.ts";
import { translateRegex } from "../../../src/tokenizers/regex.ts";

const matches = (source: string, text: string) => text.match(translateRegex(source, "test")) ?? [];

describe("Oniguruma's syntax", () => {
  test.each([
    ["possessive plus", "a++b|a", "aab aa", ["aab", "a", "a"]],
    ["possessive star gives nothing back", "a*+a|b", "aab", ["b"]],
    ["possessive question mark", "[^x]?+y", "ay y", ["ay", " y"]],
    ["a plus behind braces is one more quantifier", "(?:ab{2}+)c", "abbbbc", ["abbbbc"]],
    ["an atomic group gives nothing back", "(?>a|ab)c", "abc ac", ["ac"]],
    ["case folded within a group", "(?i:'s|'LL)x?", "'S 'll 's 'ſ", ["'S", "'ll", "'s", "'ſ"]],
    ["case folded from a switch on", "a(?i)b|c", "aB AB C", ["aB", "C"]],
    ["case folded in a class", "(?i:[a-c]+)d", "aBCd", ["aBCd"]],
    ["look-ahead and look-behind", "(?<=a)b(?!c)", "abc ab", ["b"]],
    ["a category", "\\p{Lu}\\p{Ll}+|\\pN", "Ab Éé 1", ["Ab", "Éé", "1"]],
    ["a negated category", "\\P{L}+|\\p{^L}{2}", "a12b", ["12"]],
    ["a script by its name", "\\p{Han}+", "ab你好c", ["你好"]],
    ["classes in classes", "[^(\\s|[.,!?…])]+", "ab(c d.e", ["ab", "c", "d", "e"]],
    ["an intersection", "[\\p{L}&&[^a-c]]+", "abcdef", ["def"]],
    ["POSIX brackets", "[[:alpha:]_]+|[[:digit:][:punct:]]+", "ab_1.é", ["ab_", "1.", "é"]],
    ["signs that JavaScript treats apart in classes", "[-&!#%,:;<=>@`~()|{}/]+", "a-&&~~(|)b", ["-&&~~(|)"]],
    ["a bracket at the beginning of a class", "[]a]+", "a]b", ["a]"]],
    ["codes of characters", "\\x{1F600}|\\u00e9|\\x41", "😀éA", ["😀", "é", "A"]],
    ["white space of Unicode", "\\s+", "a\u0085\u00a0b\ufeff", ["\u0085\u00a0"]],
    ["hexadecimal digits", "\\h+", "xfF09g", ["fF09"]],
    ["ends of lines", "^b$", "a\nb\nc", ["b"]],
    ["ends of the text", "\\Aa|c\\z", "a\na\nc", ["a", "c"]],
    ["braces that are no quantifier", "a{,2}b|x{", "aab x{", ["aab", "x{"]],
    ["lazy quantifiers", "a+?|b{1,2}?", "aabb", ["a", "a", "b", "b"]],
    ["comments", "a(?#note)b", "ab", ["ab"]],
    ["word boundaries", "\\bé\\b", "é éa", ["é"]],
  ])("%s", (_name, source, text, expected) => {
    expect(matches(source, text)).toEqual(expected);
  });

  test.each([
    ["(a", "a group is not closed"],
    ["a)", "a bracket is closed"],
    ["[a", "a class is not closed"],
    ["\\p{Nothing}", "the property \\p{Nothing} is not known"],
    ["(?~a)", "is not supported"],
    ["\\K", "\\K is not supported"],
    ["*", "nothing stands before"],
    ["a|+", "nothing stands before"],
    ["\\p{L", "\\p is not supported"],
    ["(?<=a", "a group is not closed"],
  ])("%s is refused", (source, reason) => {
    expect(() => translateRegex(source, "pre_tokenizer.pattern")).toThrow(/^pre_tokenizer\.pattern: /);
    expect(() => translateRegex(source, "pre_tokenizer.pattern")).toThrow(reason);
  });
});

const knownPatterns = {
  gpt2: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  llama3:
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  gpt4o:
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  bloom: " ?[^(\\s|[.,!?…。，、।۔،])]+",
  deepseek:
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  deepseekHan: "[一-龥぀-ゟ゠-ヿ]+",
};

describe("patterns of well-known models cut texts as the reference does", () => {
  const text = fc
    .array(
      fc.oneof(
        fc.string({ unit: "grapheme", maxLength: 8 }),
        fc.constantFrom(
          "I'm",
          "HE'LL",
          " ",
          "  ",
          "\n\n",
          "\r\n",
          "1234",
          "你好",
          "。",
          "été",
          "_a",
          ".b/",
          "(x)",
        ),
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join(""))
    .filter((value) => !/[\ufeff\x85ſ\u212a]/.test(value));

  test.each(Object.entries(knownPatterns))("%s", (_name, source) => {
    const json = { type: "Split", pattern: { Regex: source }, behavior: "Isolated", invert: false };
    const steps = readPreTokenizer(json, "pre_tokenizer");
    const stages = { normalizer: null, post_processor: null, decoder: null, added_tokens: [] };
    const model = { type: "BPE", vocab: {}, merges: [] };
    const reference = new Reference({ ...stages, model, pre_tokenizer: json }, {});
    fc.assert(
      fc.property(text, (value) => {
        const words = cutIntoWords(steps, value, true).filter((word) => word.length > 0);
        expect(words).toEqual(reference.pre_tokenizer.pre_tokenize(value));
      }),
      { numRuns: 300 },
    );
  });
});
