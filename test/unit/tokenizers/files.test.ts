import { readFileSync } from "node:fs";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { type TokenizerFileName, tokenizersFromFiles } from "../../../src/tokenizers/files/folder.ts";
import { tokenizerFromSentencePiece } from "../../../src/tokenizers/files/sentence-piece.ts";
import { Tokenizer } from "../../../src/tokenizers/tokenizer.ts";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../../shared.ts";

const bytesOf = (content: string | object) =>
  new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content));
const folder = (files: { [Name in TokenizerFileName]?: string | object }) =>
  new Map(Object.entries(files).map(([name, content]) => [name as TokenizerFileName, bytesOf(content)]));

const bertVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nHello\n##s\n";
const gpt2Files = {
  "vocab.json": { a: 0, b: 1, ab: 2, "<|endoftext|>": 3 },
  "merges.txt": "#version: 0.2\na b\n",
};

/** A SentencePiece model of pieces [text, score, kind]. */
function sentencePieceFile(
  pieces: [string, number, number][],
  training: { [field: number]: number } = {},
): Uint8Array {
  const writer = new BinaryWriter();
  for (const [text, score, kind] of pieces) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(text).tag(2, WireType.Bit32).float(score);
    writer.tag(3, WireType.Varint).int32(kind).join();
  }
  writer.tag(2, WireType.LengthDelimited).fork();
  for (const [field, value] of Object.entries(training))
    writer.tag(Number(field), WireType.Varint).int32(value);
  return writer.join().finish();
}

describe("older files", () => {
  test("vocab.txt", () => {
    const { source, target } = tokenizersFromFiles(folder({ "vocab.txt": bertVocabulary }));
    expect(source.encodeIds("Hellos")).toEqual([2, 5, 7, 3]);
    expect(target).toBe(source);
    const cased = folder({ "vocab.txt": bertVocabulary, "tokenizer_config.json": { do_lower_case: false } });
    expect(tokenizersFromFiles(cased).source.encodeIds("Hellos")).toEqual([2, 6, 7, 3]);
  });

  test("vocab.json and merges.txt", () => {
    const { source } = tokenizersFromFiles(folder(gpt2Files));
    expect(source.encodeIds("ab<|endoftext|>ba")).toEqual([2, 3, 1, 0]);
    expect(source.decode([2, 1])).toBe("abb");
    const roberta = { ...gpt2Files["vocab.json"], "<s>": 4, "</s>": 5, "<mask>": 6, "<pad>": 7, "<unk>": 8 };
    const files = folder({ ...gpt2Files, "vocab.json": roberta });
    expect(tokenizersFromFiles(files).source.encodeIds("ab", { pair: "a" })).toEqual([4, 2, 5, 5, 0, 5]);
  });

  test.each([
    [{}, /needs tokenizer\.json, or source\.spm \+ target\.spm \+ vocab\.json.*got no such file/],
    [{ "vocab.json": {} }, /got vocab\.json/],
    [{ "tokenizer.json": "{" }, /tokenizer\.json: is not JSON/],
    [{ "vocab.txt": "a\nb\na\n" }, /vocab\.txt:3: a token must be listed once/],
    [{ "vocab.txt": "a\n" }, /vocab\.txt: must list the special token \[CLS\]/],
    [{ ...gpt2Files, "merges.txt": "a b\nab\n" }, /merges\.txt:2: must be two tokens/],
    [{ ...gpt2Files, "added_tokens.json": {} }, /added_tokens\.json: is not supported/],
    [{ "spiece.model": "not a model" }, /spiece\.model: /],
  ])("%j is refused", (files, message) => {
    expect(() => tokenizersFromFiles(folder(files as object))).toThrow(message);
  });
});

describe("SentencePiece files", () => {
  const special: [string, number, number][] = [
    ["<unk>", 0, 2],
    ["<s>", 0, 3],
    ["</s>", 0, 3],
  ];

  test("a unigram model: prefix, spaces, families", () => {
    const bytes = sentencePieceFile([...special, ["▁a", -1, 1], ["▁", -2, 1], ["b", -2, 1]]);
    expect(tokenizerFromSentencePiece(bytes).encodeIds("  a  b ")).toEqual([3, 4, 5]);
    const t5 = tokenizerFromSentencePiece(bytes, { family: "t5", config: { extra_ids: 2 } });
    expect(t5.encodeIds("a<extra_id_0>")).toEqual([3, 7, 2]);
    expect(tokenizerFromSentencePiece(bytes, { family: "llama" }).encodeIds("a")).toEqual([1, 3]);
    expect(t5.decode([3, 4, 5])).toBe("a b");
  });

  test("byte-pair encoding with bytes", () => {
    const bytes = sentencePieceFile(
      [
        ...special,
        ["<0x00>", 0, 6],
        ["ab", -1, 1],
        ["bc", 0, 1],
        ["▁", -3, 1],
        ["a", -4, 1],
        ["b", -5, 1],
        ["c", -6, 1],
      ],
      { 3: 2 },
    );
    const tokenizer = tokenizerFromSentencePiece(bytes);
    expect(tokenizer.encode("abc").tokens).toEqual(["▁", "a", "bc"]);
  });

  test("words and characters as models are refused", () => {
    expect(() => tokenizerFromSentencePiece(sentencePieceFile(special, { 3: 4 }))).toThrow(/unigram \(1\)/);
    expect(() => tokenizerFromSentencePiece(sentencePieceFile([["a", 0, 9]]))).toThrow(
      /kind that is not known/,
    );
  });
});

describe.skipIf(!hasShared)(`real files${needsShared}`, () => {
  const read = (path: string) => readFileSync(sharedPath(`tokenizers/${path}`));
  const lines = ["data/multi30k/val.en", "data/multi30k/val.de", "tokenizers/gpt2/cases.inp"].flatMap(
    (path) => (hasShared ? readFileSync(sharedPath(path), "utf8").split("\n") : []),
  );

  test.each([
    ["bert-base-uncased", ["vocab.txt"]],
    ["gpt2", ["vocab.json", "merges.txt"]],
    ["roberta-base", ["vocab.json", "merges.txt"]],
    ["t5-small", ["spiece.model"]],
  ] as const)("%s: older files and tokenizer.json give the same ids", (name, files) => {
    const bytes = new Map(files.map((file) => [file, read(`${name}/${file}`)] as const));
    const { source } = tokenizersFromFiles(bytes, name === "t5-small" ? "t5" : undefined);
    const newer = Tokenizer.fromJson(readSharedJson(`tokenizers/${name}/tokenizer.json`));
    expect(source.vocabSize).toBe(newer.vocabSize);
    for (const line of lines) expect(source.encodeIds(line)).toEqual(newer.encodeIds(line));
  });

  test("SentencePiece's own example", () => {
    const tokenizer = tokenizerFromSentencePiece(read("sentencepiece/test_model.model"));
    const { ids, tokens } = tokenizer.encode("I saw a girl with a telescope.");
    expect(tokens.join(" ")).toBe("▁I ▁saw ▁a ▁girl ▁with ▁a ▁ te le s c o pe .");
    expect(ids).toEqual([9, 459, 11, 939, 44, 11, 4, 142, 82, 8, 28, 21, 132, 6]);
    expect(tokenizer.decode(ids)).toBe("I saw a girl with a telescope.");
  });

  test("Marian's source and target", () => {
    const names = ["source.spm", "target.spm", "vocab.json"] as const;
    const files = new Map(names.map((name) => [name, read(`opus-mt-en-mg/${name}`)] as const));
    const { source, target } = tokenizersFromFiles(files);
    const { ids, tokens } = source.encode("Hello world! 가");
    expect(tokens).toEqual(["▁Hello", "▁world", "!", "▁", "가", "</s>"]);
    expect(ids.slice(-2)).toEqual([1, 0]);
    for (const tokenizer of [source, target]) {
      const text = "Manao ahoana ianao?";
      expect(tokenizer.decode(tokenizer.encodeIds(text), { skipSpecialTokens: true })).toBe(text);
    }
    expect(target.encodeIds("Manao ahoana")).not.toEqual(source.encodeIds("Manao ahoana"));
  });
});
