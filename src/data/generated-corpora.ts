import { numberSentences, type SentencePair } from "./number-words.ts";

/** A corpus that is made rather than fetched. */
export interface GeneratedCorpus {
  readonly description: string;
  /** Pairs without end and without repetition, always the same. */
  pairs(): Iterator<SentencePair>;
  readonly counts: { readonly train: number; readonly validation: number; readonly test: number };
}

/** What a recipe can name as `data.generate`. */
export const generatedCorpora = {
  "number-words": {
    description: "counted things in English and German: one tree and forty-two pears",
    pairs: () => numberSentences(1),
    counts: { train: 20_000, validation: 500, test: 500 },
  },
} as const satisfies Readonly<Record<string, GeneratedCorpus>>;

/** The name of one of `generatedCorpora`. */
export type GeneratedCorpusName = keyof typeof generatedCorpora;

export const generatedCorpusNames = Object.keys(generatedCorpora) as [
  GeneratedCorpusName,
  ...GeneratedCorpusName[],
];
