import { Tokenizer as Reference } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeStream } from "../../src/tokenizers/decode-stream.ts";
import { readSentencePieceModel } from "../../src/tokenizers/files/sentence-piece-model.ts";
import { learnBytePairEncoding } from "../../src/tokenizers/learning/byte-pair-encoding.ts";
import { learnUnigram } from "../../src/tokenizers/learning/unigram.ts";
import { learnWordPiece } from "../../src/tokenizers/learning/word-piece.ts";
import { mergeLongWord, mergeShortWord } from "../../src/tokenizers/models/merge-symbols.ts";
import { makeMergeTable } from "../../src/tokenizers/models/merge-table.ts";
import { Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import { QkvError } from "../../src/util/errors.ts";
import { hasShared, needsShared, readSharedJson } from "../shared.ts";

const corpus = [
  "The quick brown fox jumps over the lazy dog. It's 42 foxes, isn't it?",
  "Ein Mann mit grüner Jacke überquert die Straße.  Zwei   Leerzeichen!",
  "the cat sat on the mat, the cats sat on the mats; 1234 5678",
  "naïve café – “quoted” 你好世界 😀 emoji",
];

const anyText = fc.string({ unit: "binary", maxLength: 40 });
const usualText = fc.oneof(
  anyText,
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc
    .array(
      fc.constantFrom("the", "cat", "Mann", "Straße", " ", "  ", "\n", ".", "!", "é", "😀", "42", "你"),
      {
        maxLength: 20,
      },
    )
    .map((parts) => parts.join("")),
);
/** The reference takes U+FEFF for white space and U+0085 not, as JavaScript does and Unicode does not. */
const textOfReference = usualText.filter((text) => text.length > 0 && !/[\ufeff\x85]/.test(text));
const savedAndRead = (tokenizer: Tokenizer) => JSON.parse(JSON.stringify(tokenizer.toJson()));

describe("a learned byte-level encoding", async () => {
  const tokenizer = await learnBytePairEncoding(corpus, { vocabSize: 400, minFrequency: 1, template: "eos" });
  const reference = new Reference(savedAndRead(tokenizer), {});

  test("gives back every text", () => {
    fc.assert(
      fc.property(usualText, (text) => {
        const ids = tokenizer.encodeIds(text);
        expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(text);
        expect(
          reference.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
        ).toBe(text);
      }),
    );
  });

  test("gives back texts that spell special tokens, where these are to be split", () => {
    const parts = fc.array(fc.oneof(usualText, fc.constantFrom("</s>", "<pad>", "<", "s>")), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(parts, (pieces) => {
        const text = pieces.join("");
        const options = { splitSpecialTokens: true };
        const ids = tokenizer.encodeIds(text, options);
        expect(tokenizer.encode(text, options).ids).toEqual(ids);
        expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(text);
      }),
    );
  });

  test("comes out of a stream of ids as it comes out of all at once", () => {
    fc.assert(
      fc.property(usualText, (text) => {
        const ids = tokenizer.encodeIds(text);
        const options = { skipSpecialTokens: true };
        const stream = new DecodeStream(tokenizer, options);
        const parts = [...ids.map((id) => stream.push(id)), stream.finish()];
        expect(parts.join("")).toBe(tokenizer.decode(ids, options));
      }),
    );
  });

  test("has the same ids in the reference implementation", () => {
    fc.assert(
      fc.property(textOfReference, (text) => {
        expect(tokenizer.encodeIds(text)).toEqual(reference.encode(text).ids);
      }),
    );
  });

  test("covers the text with its offsets", () => {
    fc.assert(
      fc.property(usualText, (text) => {
        const { offsets } = tokenizer.encode(text, { addSpecialTokens: false });
        let end = 0;
        for (const [from, to] of offsets) {
          expect(from).toBeLessThanOrEqual(end);
          expect(to).toBeGreaterThanOrEqual(end);
          end = to;
        }
        expect(end).toBe(text.length);
      }),
    );
  });
});

describe.each([
  ["metaspace", () => learnBytePairEncoding(corpus, { vocabSize: 300, preTokenizer: "metaspace" })],
  ["whitespace", () => learnBytePairEncoding(corpus, { vocabSize: 300, preTokenizer: "whitespace" })],
  ["word pieces", () => learnWordPiece(corpus, { vocabSize: 260 })],
  ["unigram", () => learnUnigram(corpus, { vocabSize: 200 })],
] as const)("learned %s", async (_name, learn) => {
  const tokenizer = await learn();

  test("has the same ids in the reference implementation", () => {
    const reference = new Reference(savedAndRead(tokenizer), {});
    const known = fc
      .array(fc.constantFrom(...corpus.flatMap((line) => line.split(/(?<= )/))), {
        minLength: 1,
        maxLength: 12,
      })
      .map((parts) => parts.join("").trim());
    fc.assert(
      fc.property(known, (text) => {
        fc.pre(text.length > 0);
        expect(tokenizer.encodeIds(text)).toEqual(reference.encode(text).ids);
      }),
    );
  });

  test("is the same when learned again, and when saved and read", async () => {
    const saved = JSON.stringify(tokenizer.toJson());
    expect(JSON.stringify((await learn()).toJson())).toBe(saved);
    const read = Tokenizer.fromJson(JSON.parse(saved));
    fc.assert(
      fc.property(usualText, (text) => {
        expect(read.encodeIds(text)).toEqual(tokenizer.encodeIds(text));
      }),
    );
  });
});

describe.skipIf(!hasShared)(`both ways to encode agree${needsShared}`, () => {
  test.each([
    "bert_cased",
    "bert_uncased",
    "gpt2",
    "llama2_style",
    "llama3_style",
    "roberta",
    "t5",
  ])("%s", (name) => {
    const tokenizer = Tokenizer.fromJson(readSharedJson(`goldens/tokenizers/${name}/tokenizer.json`));
    const special = fc.constantFrom(...tokenizer.addedTokens.map((token) => token.content));
    const text = fc
      .array(
        fc.oneof(usualText, special, fc.constantFrom(" ", "\r\n", "ﬁ", "①", "e\u0301", "각", "İ", "Σ")),
        {
          maxLength: 6,
        },
      )
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, (value) => {
        const encoding = tokenizer.encode(value);
        expect(tokenizer.encodeIds(value)).toEqual(encoding.ids);
        for (const [start, end] of encoding.offsets) {
          expect(start).toBeLessThanOrEqual(end);
          expect(end).toBeLessThanOrEqual(value.length);
        }
      }),
    );
  });
});

test("long words and short words are merged alike", () => {
  const merge = fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9));
  fc.assert(
    fc.property(fc.array(merge, { maxLength: 30 }), fc.array(fc.nat(9), { maxLength: 60 }), (merges, ids) => {
      const column = (index: 0 | 1 | 2) => Int32Array.from(merges, (entry) => entry[index]);
      const table = makeMergeTable(column(0), column(1), column(2));
      const symbols = () => ({
        ids: [...ids],
        starts: ids.map((_, at) => at),
        ends: ids.map((_, at) => at + 1),
      });
      const short = { ids: [], starts: [], ends: [] };
      const long = { ids: [], starts: [], ends: [] };
      mergeShortWord(symbols(), table, short);
      mergeLongWord(symbols(), table, long);
      expect(long).toEqual(short);
    }),
  );
});

test("damaged SentencePiece files are refused, never anything worse", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        readSentencePieceModel(bytes, "x.model");
      } catch (error) {
        expect(error).toBeInstanceOf(QkvError);
      }
    }),
    { numRuns: 500 },
  );
});

describe.skipIf(!hasShared)(
  `damaged tokenizer files are refused or work, never anything worse${needsShared}`,
  () => {
    const wrong = [null, 0, -1, 1.5, 1e9, "", "x", true, [], {}, [[]], [null], { type: "x" }, "("];

    test.each(["bert_uncased", "gpt2", "llama2_style", "llama3_style", "roberta"])("%s", (name) => {
      const text = JSON.stringify(readSharedJson(`goldens/tokenizers/${name}/tokenizer.json`));
      fc.assert(
        fc.property(
          fc.array(fc.nat(), { minLength: 1, maxLength: 6 }),
          fc.nat(wrong.length),
          (path, damage) => {
            const json = JSON.parse(text);
            replaceAt(json, path, wrong[damage]);
            try {
              const tokenizer = Tokenizer.fromJson(json);
              tokenizer.decode(tokenizer.encode("Hello wörld 123 </s> 你", { pair: "b" }).ids);
            } catch (error) {
              expect(error).toBeInstanceOf(QkvError);
            }
          },
        ),
        { numRuns: 200 },
      );
    });

    /** Replaces what lies at the end of a path, which chooses keys by number; undefined takes it out. */
    function replaceAt(json: Record<string, unknown>, path: readonly number[], value: unknown): void {
      let parent = json;
      let key = "model";
      for (const choice of path) {
        const keys = Object.keys(parent);
        key = keys[choice % keys.length] ?? key;
        const inner = parent[key];
        if (typeof inner !== "object" || inner === null || Object.keys(inner).length === 0) break;
        if (choice !== path.at(-1)) parent = inner as Record<string, unknown>;
      }
      if (value !== undefined) parent[key] = value;
      else if (!Array.isArray(parent)) delete parent[key];
    }
  },
);
