import { describe, expect, it } from "vitest";
import { tokenizeForBleu } from "../../../src/metrics/bleu-tokenizers.ts";

describe("tokenizeForBleu", () => {
  it("13a keeps period and comma between digits and resolves entities", () => {
    expect(tokenizeForBleu("It cost $1,000.50 in 1984.", "13a")).toEqual(
      "It cost $ 1,000.50 in 1984 .".split(" "),
    );
    expect(tokenizeForBleu("Tom &amp; &quot;Jerry&quot; &amp;lt;", "13a")).toEqual(
      'Tom & " Jerry " <'.split(" "),
    );
    expect(tokenizeForBleu("inter-\nesting 3-4 <skipped>end", "13a")).toEqual(
      "interesting 3 - 4 end".split(" "),
    );
  });

  it("intl parts every Unicode punctuation mark and symbol, but not a full stop behind a last number", () => {
    expect(tokenizeForBleu("„Ja“ — 5€ in 1984.", "intl")).toEqual("„ Ja “ — 5 € in 1984.".split(" "));
  });

  it("char takes code points, and combining marks are characters of their own", () => {
    expect(tokenizeForBleu("e\u0301 😀", "char")).toEqual(["e", "\u0301", "😀"]);
  });

  it("zh parts Chinese characters; by a slip of sacreBLEU quotes too, but not extension B", () => {
    expect(tokenizeForBleu("我有3个iPhone。", "zh")).toEqual(["我", "有", "3", "个", "iPhone", "。"]);
    expect(tokenizeForBleu("a“b", "zh")).toEqual(["a", "“", "b"]);
    expect(tokenizeForBleu("\u{20000}\u{20001}", "zh")).toEqual(["\u{20000}\u{20001}"]);
  });

  it("none splits at white space only", () => {
    expect(tokenizeForBleu(" a.b\u3000c, ", "none")).toEqual(["a.b", "c,"]);
  });
});
