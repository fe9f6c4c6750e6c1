/**
 * The stem of an English word by Porter's algorithm with the extensions of NLTK, which ROUGE uses: some
 * irregular forms, `ies` and `ied` of short words, and a final `y` that becomes `i` after any consonant.
 *
 * @param word - letters in any case; the stem is lower-case
 *
 * Source: Porter 1980, "An algorithm for suffix stripping"; NLTK's `PorterStemmer`, mode `NLTK_EXTENSIONS`.
 */
export function porterStem(word: string): string {
  const lower = word.toLowerCase();
  const irregular = irregularStems.get(lower);
  if (irregular !== undefined) return irregular;
  if (lower.length <= 2) return lower;
  return [
    removePlural,
    removePastOrGerund,
    softenFinalY,
    shortenDoubleSuffix,
    (stem: string) => applyRules(stem, thirdStep, (rest) => measure(rest) > 0),
    removeLastSuffix,
    removeFinalE,
    removeDoubleL,
  ].reduce((stem, step) => step(stem), lower);
}

const irregularStems: ReadonlyMap<string, string> = new Map([
  ["sky", "sky"],
  ["skies", "sky"],
  ["dying", "die"],
  ["lying", "lie"],
  ["tying", "tie"],
  ["news", "news"],
  ["innings", "inning"],
  ["inning", "inning"],
  ["outings", "outing"],
  ["outing", "outing"],
  ["cannings", "canning"],
  ["canning", "canning"],
  ["howe", "howe"],
  ["proceed", "proceed"],
  ["exceed", "exceed"],
  ["succeed", "succeed"],
]);

/** For every letter whether it is a consonant: not a, e, i, o, u, and not a `y` after a consonant. */
function consonants(word: string): boolean[] {
  const flags: boolean[] = [];
  for (const [index, letter] of Array.from(word).entries()) {
    if ("aeiou".includes(letter)) flags.push(false);
    else if (letter === "y" && index > 0) flags.push(!flags[index - 1]!);
    else flags.push(true);
  }
  return flags;
}

/** Porter's m: how often a consonant follows a vowel. */
function measure(stem: string): number {
  const flags = consonants(stem);
  let count = 0;
  for (let index = 1; index < flags.length; index++) {
    if (flags[index] && !flags[index - 1]) count++;
  }
  return count;
}

function hasVowel(stem: string): boolean {
  return consonants(stem).includes(false);
}

function endsInConsonant(stem: string): boolean {
  return consonants(stem).at(-1) === true;
}

function endsInDoubleConsonant(stem: string): boolean {
  return stem.length >= 2 && stem.at(-1) === stem.at(-2) && endsInConsonant(stem);
}

/**
 * Porter's *o: consonant, vowel, consonant other than w, x, y; with NLTK also a word of vowel and consonant.
 */
function endsInShortSyllable(stem: string): boolean {
  const flags = consonants(stem);
  if (stem.length === 2) return !flags[0] && flags[1]!;
  const isShort = flags.at(-3) === true && flags.at(-2) === false && flags.at(-1) === true;
  return isShort && !"wxy".includes(stem.at(-1)!);
}

/**
 * Replaces the first suffix that the word has, if the condition holds for what is left; no other rule is
 * tried.
 */
function applyRules(
  word: string,
  rules: readonly (readonly [suffix: string, replacement: string])[],
  condition: (stem: string, suffix: string) => boolean,
): string {
  for (const [suffix, replacement] of rules) {
    if (!word.endsWith(suffix)) continue;
    const stem = word.slice(0, word.length - suffix.length);
    return condition(stem, suffix) ? stem + replacement : word;
  }
  return word;
}

/** Step 1a: caresses to caress, ponies to poni, ties to tie, cats to cat. */
function removePlural(word: string): string {
  if (word.endsWith("ies") && word.length === 4) return word.slice(0, -1);
  const rules = [
    ["sses", "ss"],
    ["ies", "i"],
    ["ss", "ss"],
    ["s", ""],
  ] as const;
  return applyRules(word, rules, () => true);
}

/**
 * Step 1b: agreed to agree, plastered to plaster, hopping to hop, filing to file, spied to spi, died to die.
 */
function removePastOrGerund(word: string): string {
  if (word.endsWith("ied")) return word.length === 4 ? word.slice(0, -1) : word.slice(0, -2);
  if (word.endsWith("eed")) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const suffix = ["ed", "ing"].find((ending) => word.endsWith(ending));
  if (suffix === undefined) return word;
  const stem = word.slice(0, -suffix.length);
  return hasVowel(stem) ? repairEnd(stem) : word;
}

/** What follows once -ed or -ing is gone: an `e` comes back, or a doubled letter goes. */
function repairEnd(stem: string): string {
  if (["at", "bl", "iz"].some((ending) => stem.endsWith(ending))) return `${stem}e`;
  if (endsInDoubleConsonant(stem)) return "lsz".includes(stem.at(-1)!) ? stem : stem.slice(0, -1);
  return measure(stem) === 1 && endsInShortSyllable(stem) ? `${stem}e` : stem;
}

/** Step 1c: happy to happi, but enjoy stays. */
function softenFinalY(word: string): string {
  return applyRules(word, [["y", "i"]], (stem) => stem.length > 1 && endsInConsonant(stem));
}

/** Step 2: relational to relate, formaliti to formal. */
function shortenDoubleSuffix(word: string): string {
  // -alli comes first, and its result goes through the step once more.
  if (word.endsWith("alli") && measure(word.slice(0, -4)) > 0) return shortenDoubleSuffix(word.slice(0, -2));
  return applyRules(word, secondStep, (stem, suffix) => {
    // The l of -logi counts with the stem, so that geology becomes geolog.
    return measure(suffix === "logi" ? `${stem}l` : stem) > 0;
  });
}

const secondStep = [
  ["ational", "ate"],
  ["tional", "tion"],
  ["enci", "ence"],
  ["anci", "ance"],
  ["izer", "ize"],
  ["bli", "ble"],
  ["alli", "al"],
  ["entli", "ent"],
  ["eli", "e"],
  ["ousli", "ous"],
  ["ization", "ize"],
  ["ation", "ate"],
  ["ator", "ate"],
  ["alism", "al"],
  ["iveness", "ive"],
  ["fulness", "ful"],
  ["ousness", "ous"],
  ["aliti", "al"],
  ["iviti", "ive"],
  ["biliti", "ble"],
  ["fulli", "ful"],
  ["logi", "log"],
] as const;

const thirdStep = [
  ["icate", "ic"],
  ["ative", ""],
  ["alize", "al"],
  ["iciti", "ic"],
  ["ical", "ic"],
  ["ful", ""],
  ["ness", ""],
] as const;

/** Step 4: revival to reviv, adoption to adopt. */
function removeLastSuffix(word: string): string {
  return applyRules(word, fourthStep, (stem, suffix) => {
    return measure(stem) > 1 && (suffix !== "ion" || "st".includes(stem.at(-1)!));
  });
}

const fourthStep = (
  "al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize".split(" ") as string[]
).map((suffix) => [suffix, ""] as const);

/** Step 5a: probate to probat, cease to ceas, but rate stays. */
function removeFinalE(word: string): string {
  return applyRules(word, [["e", ""]], (stem) => {
    const size = measure(stem);
    return size > 1 || (size === 1 && !endsInShortSyllable(stem));
  });
}

/** Step 5b: controll to control, but roll stays. */
function removeDoubleL(word: string): string {
  return applyRules(word, [["ll", "l"]], (stem) => measure(`${stem}l`) > 1);
}
