import { numberSentences, type SentencePair } from "./number-words.ts";
import { smallQuestions } from "./small-questions.ts";

interface PartCounts {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}

/** A corpus that is made rather than fetched. */
export interface GeneratedCorpus {
  readonly description: string;
  /** Pairs without end and without repetition, always the same. */
  pairs(): Iterator<SentencePair>;
  readonly counts: PartCounts;
}

/** Records that are made, for the tasks of the model families. */
export interface GeneratedRecords {
  readonly description: string;
  /** Records without end and without repetition, always the same. */
  records(): Iterator<object>;
  readonly counts: PartCounts;
}

/** What a recipe of a translator can name as `data.generate`. */
export const generatedCorpora = {
  "number-words": {
    description: "counted things in English and German: one tree and forty-two pears",
    pairs: () => numberSentences(1),
    counts: { train: 20_000, validation: 500, test: 500 },
  },
} as const satisfies Readonly<Record<string, GeneratedCorpus>>;

/** The name of one of `generatedCorpora`. */
export type GeneratedCorpusName = keyof typeof generatedCorpora;

export const generatedCorpusNames = namesOf(generatedCorpora);

/** What a recipe of a model family's task can name as `data.generate`. */
export const generatedRecords = {
  "small-questions": {
    description: "questions about people, each with a text of a few sentences that answers it",
    records: () => smallQuestions(1),
    counts: { train: 20_000, validation: 500, test: 500 },
  },
} as const satisfies Readonly<Record<string, GeneratedRecords>>;

/** The name of one of `generatedRecords`. */
export type GeneratedRecordsName = keyof typeof generatedRecords;

export const generatedRecordsNames = namesOf(generatedRecords);

function namesOf<Name extends string>(table: Readonly<Record<Name, unknown>>): [Name, ...Name[]] {
  return Object.keys(table) as [Name, ...Name[]];
}
