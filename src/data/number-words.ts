/**
 * A toy language pair that a small model learns in a minute or two: counted things, in English and German, such as
 * "forty-two pears and one tree" and "zweiundvierzig Birnen und ein Baum". German writes a number as one word with
 * the ones before the tens, and "one" agrees with the noun's gender.
 */
import { QkvError } from "../util/errors.ts";
import { RandomStream, randomKey } from "../util/random.ts";

const englishOnes = (
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " +
  "seventeen eighteen nineteen"
).split(" ");
const englishTens = "twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const germanOnes = (
  "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn " +
  "siebzehn achtzehn neunzehn"
).split(" ");
const germanTens = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split(" ");

/** A whole number from 0 to 999,999 in English words: 342 is "three hundred and forty-two". */
export function englishNumber(value: number): string {
  checkRange(value);
  if (value < 20) return englishOnes[value]!;
  if (value < 100) {
    const tens = englishTens[Math.floor(value / 10) - 2]!;
    return value % 10 === 0 ? tens : `${tens}-${englishOnes[value % 10]}`;
  }
  const [unit, name] = value < 1000 ? [100, "hundred"] : [1000, "thousand"];
  const rest = value % unit;
  const head = `${englishNumber(Math.floor(value / unit))} ${name}`;
  if (rest === 0) return head;
  return `${head} ${rest < 100 ? "and " : ""}${englishNumber(rest)}`;
}

/** A whole number from 0 to 999,999 as a German word: 342 is "dreihundertzweiundvierzig". */
export function germanNumber(value: number): string {
  checkRange(value);
  return value % 100 === 1 ? `${germanStem(value)}s` : germanStem(value);
}

/** As it stands before more of a word: "ein" rather than "eins". */
function germanStem(value: number): string {
  if (value === 1) return "ein";
  if (value < 20) return germanOnes[value]!;
  if (value < 100) {
    const tens = germanTens[Math.floor(value / 10) - 2]!;
    return value % 10 === 0 ? tens : `${germanStem(value % 10)}und${tens}`;
  }
  const [unit, name] = value < 1000 ? [100, "hundert"] : [1000, "tausend"];
  const rest = value % unit;
  return `${germanStem(Math.floor(value / unit))}${name}${rest === 0 ? "" : germanStem(rest)}`;
}

function checkRange(value: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= 999_999) return;
  throw new QkvError("option", `number words: go from 0 to 999,999; got ${value}`);
}

type Noun = readonly [
  one: string,
  many: string,
  germanOne: string,
  germanMany: string,
  article: "ein" | "eine",
];

const nouns: readonly Noun[] = [
  ["apple", "apples", "Apfel", "Äpfel", "ein"],
  ["bird", "birds", "Vogel", "Vögel", "ein"],
  ["book", "books", "Buch", "Bücher", "ein"],
  ["cat", "cats", "Katze", "Katzen", "eine"],
  ["flower", "flowers", "Blume", "Blumen", "eine"],
  ["house", "houses", "Haus", "Häuser", "ein"],
  ["key", "keys", "Schlüssel", "Schlüssel", "ein"],
  ["pear", "pears", "Birne", "Birnen", "eine"],
  ["question", "questions", "Frage", "Fragen", "eine"],
  ["tree", "trees", "Baum", "Bäume", "ein"],
];

/** One sentence in both languages. */
export interface SentencePair {
  readonly source: string;
  readonly target: string;
}

/** Two or three counted things; half of the numbers are below 100, some are 1. */
function countedThings(random: RandomStream): SentencePair {
  const parts = Array.from({ length: 2 + random.below(2) }, () => {
    const kind = random.below(10);
    const number = kind === 0 ? 1 : kind < 5 ? 2 + random.below(98) : 2 + random.below(998);
    const [one, many, germanOne, germanMany, article] = nouns[random.below(nouns.length)]!;
    if (number === 1) return { source: `one ${one}`, target: `${article} ${germanOne}` };
    const german = number % 100 === 1 ? germanStem(number) : germanNumber(number);
    return { source: `${englishNumber(number)} ${many}`, target: `${german} ${germanMany}` };
  });
  const join = (texts: readonly string[], and: string) =>
    `${texts.slice(0, -1).join(", ")} ${and} ${texts.at(-1)}`;
  return {
    source: join(
      parts.map(({ source }) => source),
      "and",
    ),
    target: join(
      parts.map(({ target }) => target),
      "und",
    ),
  };
}

/** Different sentences, always the same for a seed. */
export function* numberSentences(seed: number): Generator<SentencePair, never, undefined> {
  const random = new RandomStream(randomKey(seed, "numberWords"));
  const seen = new Set<string>();
  for (;;) {
    const pair = countedThings(random);
    if (seen.has(pair.source)) continue;
    seen.add(pair.source);
    yield pair;
  }
}
