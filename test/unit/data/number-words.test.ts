import { expect, test } from "vitest";
import { generatedCorpora } from "../../../src/data/generated-corpora.ts";
import { englishNumber, germanNumber, numberSentences } from "../../../src/data/number-words.ts";

test.each([
  [0, "zero", "null"],
  [1, "one", "eins"],
  [7, "seven", "sieben"],
  [12, "twelve", "zwölf"],
  [16, "sixteen", "sechzehn"],
  [21, "twenty-one", "einundzwanzig"],
  [30, "thirty", "dreißig"],
  [42, "forty-two", "zweiundvierzig"],
  [77, "seventy-seven", "siebenundsiebzig"],
  [100, "one hundred", "einhundert"],
  [101, "one hundred and one", "einhunderteins"],
  [342, "three hundred and forty-two", "dreihundertzweiundvierzig"],
  [1000, "one thousand", "eintausend"],
  [1001, "one thousand and one", "eintausendeins"],
  [21_316, "twenty-one thousand three hundred and sixteen", "einundzwanzigtausenddreihundertsechzehn"],
  [
    999_999,
    "nine hundred and ninety-nine thousand nine hundred and ninety-nine",
    "neunhundertneunundneunzigtausendneunhundertneunundneunzig",
  ],
])("%d in words", (value, english, german) => {
  expect(englishNumber(value)).toBe(english);
  expect(germanNumber(value)).toBe(german);
});

test("numbers of one language are all different", () => {
  const values = Array.from({ length: 10_000 }, (_, value) => value);
  expect(new Set(values.map(englishNumber)).size).toBe(10_000);
  expect(new Set(values.map(germanNumber)).size).toBe(10_000);
});

test.each([-1, 1.5, 1_000_000, Number.NaN])("%d has no words", (value) => {
  expect(() => englishNumber(value)).toThrow("number words: go from 0 to 999,999");
});

test("sentences are always the same, never repeated, and well formed", () => {
  const first = (count: number) => {
    const pairs = numberSentences(1);
    return Array.from({ length: count }, () => pairs.next().value);
  };
  const pairs = first(2000);
  expect(first(2000)).toEqual(pairs);
  expect(new Set(pairs.map(({ source }) => source)).size).toBe(2000);
  expect(pairs.slice(0, 3)).toMatchInlineSnapshot(`
    [
      {
        "source": "three hundred and twenty-seven flowers, five hundred and sixteen apples and six hundred and twelve books",
        "target": "dreihundertsiebenundzwanzig Blumen, fünfhundertsechzehn Äpfel und sechshundertzwölf Bücher",
      },
      {
        "source": "four hundred and fifty keys, thirteen keys and eighty-six keys",
        "target": "vierhundertfünfzig Schlüssel, dreizehn Schlüssel und sechsundachtzig Schlüssel",
      },
      {
        "source": "fifty-nine pears and one key",
        "target": "neunundfünfzig Birnen und ein Schlüssel",
      },
    ]
  `);
  for (const { source, target } of pairs) {
    expect(source).toMatch(/^[a-z ,-]+ and [a-z -]+$/);
    expect(target).toMatch(/^[a-zA-Zäöüßä,Ä ]+ und [a-zA-ZäöüßÄ]+ [a-zA-ZäöüßÄ]+$/);
    if (/(^|, | and )one apple\b/.test(source)) expect(target).toMatch(/\bein Apfel\b/);
    if (/(^|, )one pear\b/.test(source)) expect(target).toMatch(/\beine Birne\b/);
  }
});

test("every generated corpus has pairs", () => {
  for (const corpus of Object.values(generatedCorpora)) {
    expect(corpus.pairs().next().value.source).not.toBe("");
  }
});
