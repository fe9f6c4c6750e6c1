import { splitWhitespace } from "./text.ts";

/** Tokenizations by the rules of Moses, by language. */
export const mosesTokenizations = ["moses-de", "moses-en"] as const;

/** One of `mosesTokenizations`. */
export type MosesTokenization = (typeof mosesTokenizations)[number];

/** Says in signatures whose tokens these are; the number grows when tokens change. */
export const mosesRulesVersion = "qkv-moses-1";

/**
 * Tokens as papers on translation count them that report "tokenized BLEU": by the rules of the Moses tokenizer, without
 * its replacement of special characters (which changes no count of n-grams), without aggressive splitting of hyphens,
 * and without normalisation of punctuation before it.
 *
 * - Every character but letters, digits and `. ' \` , -` stands apart, so hyphens stay inside words.
 * - A comma stands apart, except between numbers. Two and more periods stay together.
 * - English: an apostrophe goes with what follows it inside a word (`don 't`, `1990 's`), and stands apart next to
 *   anything else. German: it always stands apart.
 * - A period at the end of the last word stands apart. At the end of another word it stays with an abbreviation, with a
 *   word that holds a letter and another period, and before a word in lower case.
 *
 * Source: what https://github.com/moses-smt/mosesdecoder/blob/0036c6c/scripts/tokenizer/tokenizer.perl does.
 */
export function tokenizeMoses(segment: string, tokenization: MosesTokenization): string[] {
  const language = languages[tokenization];
  const text = splitWhitespace(segment)
    .join(" ")
    .replace(/\p{Cc}/gu, (control) => (control <= "\u001f" ? "" : control))
    .replace(/[^\p{Alphabetic}\p{Nd} .'`,-]/gu, " $& ")
    .replace(/\.{2,}/g, " $& ")
    .replace(/(\P{N}),/gu, "$1 , ")
    .replace(/,(\P{N})/gu, " , $1")
    .replace(/(\p{N}),$/u, "$1 ,");
  const words = splitWhitespace(language.splitApostrophes(text.replace(/^ | $/g, "")));
  return words.flatMap((word, index) => splitPeriod(word, words[index + 1], language));
}

interface Language {
  readonly splitApostrophes: (text: string) => string;
  /** Keep their period. */
  readonly abbreviations: ReadonlySet<string>;
  /** Keep their period before a number. */
  readonly numberAbbreviations: ReadonlySet<string>;
}

/** An apostrophe at either end of the text is left where it is: each rule sees a character on both sides. */
function splitEnglishApostrophes(text: string): string {
  return text
    .replace(/(\P{Alphabetic})'(\P{Alphabetic})/gu, "$1 ' $2")
    .replace(/([^\p{Alphabetic}\p{N}])'(\p{Alphabetic})/gu, "$1 ' $2")
    .replace(/(\p{Alphabetic})'(\P{Alphabetic})/gu, "$1 ' $2")
    .replace(/(\p{Alphabetic})'(\p{Alphabetic})/gu, "$1 '$2")
    .replace(/(\p{N})'s/gu, "$1 's");
}

function splitPeriod(word: string, next: string | undefined, language: Language): string[] {
  if (next === undefined && word.endsWith(".'")) return [word.slice(0, -2), ".", "'"].filter(Boolean);
  const stem = word.slice(0, -1);
  if (!word.endsWith(".") || /^\.*$/.test(stem)) return [word];
  if (next === undefined) return [stem, "."];
  const stays =
    (stem.includes(".") && /\p{Alphabetic}/u.test(stem)) ||
    language.abbreviations.has(stem) ||
    /^\p{Lowercase}/u.test(next) ||
    (language.numberAbbreviations.has(stem) && /^[0-9]/.test(next));
  return stays ? [word] : [stem, "."];
}

const capitals = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
const titles = (
  "Adj Adm Adv Asst Bart Bldg Brig Bros Capt Cmdr Col Comdr Con Corp Cpl DR Dr Ens Gen Gov Hon Hosp Insp Lt MM MR MRS " +
  "MS Maj Messrs Mlle Mme Mr Mrs Ms Msgr Op Ord Pfc Ph Prof Pvt Rep Reps Res Rev Rt Sen Sens Sfc Sgt Sr St Supt Surg"
).split(" ");
const romanNumerals = "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX".split(" ");

/** The abbreviations are those of Moses's lists for the two languages. */
const languages: Readonly<Record<MosesTokenization, Language>> = {
  "moses-de": {
    splitApostrophes: (text) => text.replaceAll("'", " ' "),
    abbreviations: new Set([
      ...[...capitals, ...romanNumerals].flatMap((name) => [name, name.toLowerCase()]),
      ...titles,
      ...(
        "Mio Mrd bzw v vs usw d.h z.B u.a etc MwSt ggf d.J D.h m.E vgl I.F z.T sogen ff u.E g.U g.g.A c.-à-d Buchst " +
        "u.s.w sog u.ä Std evtl Zt Chr u.U o.ä Ltd b.A z.Zt spp sen SA k.o jun i.H.v dgl dergl Co zzt usf s.p.a Dkr " +
        "bzgl BSE No Nos Art Nr pp ca Ca"
      ).split(" "),
      // Ordinal numbers are written with a period.
      ...Array.from({ length: 99 }, (_, index) => String(index + 1)),
    ]),
    numberAbbreviations: new Set(),
  },
  "moses-en": {
    splitApostrophes: splitEnglishApostrophes,
    abbreviations: new Set([
      ...capitals,
      ...titles,
      ..."Drs Hr v vs i.e rev e.g Rs Nos Nr Jan Feb Mar Apr Jun Jul Aug Sep Oct Nov Dec".split(" "),
    ]),
    numberAbbreviations: new Set(["No", "Art", "pp"]),
  },
};
