/**
 * Small texts about people, and questions that one of their sentences answers: where somebody lives, what they do, what
 * they are fond of. The answer is always a span of the text, and the text has others that would fit: who reads only the
 * question does not know it.
 */
import { RandomStream, randomKey } from "../util/random.ts";

/** A question with its text, as SQuAD has them. */
export interface QuestionRecord {
  readonly question: string;
  readonly context: string;
  readonly answers: readonly string[];
  /** Of each answer its first character, counted in code points from 0. */
  readonly answer_start: readonly number[];
}

const names =
  "Ada Ben Carla David Emma Felix Greta Hugo Ida Jakob Klara Leon Maria Nils Olga Paul Rosa Simon Tara Victor".split(
    " ",
  );
const places =
  "Oslo,Bergen,Vienna,Lisbon,Turin,Cork,Ghent,Malmö,Graz,Porto,a small village,New York,the old town,Buenos Aires".split(
    ",",
  );
const professions =
  "a baker,a doctor,a teacher,a painter,a bus driver,a nurse,a carpenter,a writer of letters,an engineer,a farmer".split(
    ",",
  );
const things =
  "apples,long walks,the sea,old books,green tea,the piano,card games,snow,chess,black and white films".split(
    ",",
  );

/** A fact as a sentence, and the question whose answer is what it tells of a person. */
interface Fact {
  readonly values: readonly string[];
  readonly sentences: readonly ((name: string, value: string) => string)[];
  question(name: string): string;
}

const facts: readonly Fact[] = [
  {
    values: places,
    sentences: [
      (name, place) => `${name} lives in ${place}.`,
      (name, place) => `The home of ${name} is in ${place}.`,
    ],
    question: (name) => `Where does ${name} live?`,
  },
  {
    values: professions,
    sentences: [
      (name, profession) => `${name} works as ${profession}.`,
      (name, profession) => `${name} has been ${profession} for years.`,
    ],
    question: (name) => `What is ${name} by profession?`,
  },
  {
    values: things,
    sentences: [
      (name, thing) => `${name} is fond of ${thing}.`,
      (name, thing) => `Nothing pleases ${name} more than ${thing}.`,
    ],
    question: (name) => `What does ${name} like?`,
  },
];

const oneOf = <Value>(values: readonly Value[], random: RandomStream): Value =>
  values[random.below(values.length)]!;

/** Three to five sentences, each about another person or another fact of one, and a question about one of them. */
function smallQuestion(random: RandomStream): QuestionRecord {
  const told = new Set<string>();
  const sentences: { text: string; name: string; fact: Fact; value: string }[] = [];
  const wanted = 3 + random.below(3);
  while (sentences.length < wanted) {
    const name = oneOf(names, random);
    const fact = oneOf(facts, random);
    const key = `${name} ${facts.indexOf(fact)}`;
    if (told.has(key)) continue;
    told.add(key);
    const value = oneOf(fact.values, random);
    sentences.push({ text: oneOf(fact.sentences, random)(name, value), name, fact, value });
  }
  const asked = random.below(wanted);
  const { name, fact, value, text } = sentences[asked]!;
  const context = sentences.map((sentence) => sentence.text).join(" ");
  const before = sentences.slice(0, asked).map((sentence) => `${sentence.text} `);
  const start = [...before.join("")].length + [...text.slice(0, text.lastIndexOf(value))].length;
  return { question: fact.question(name), context, answers: [value], answer_start: [start] };
}

/** Questions without end, always the same for a seed; none comes twice. */
export function* smallQuestions(seed: number): Generator<QuestionRecord, never, undefined> {
  const random = new RandomStream(randomKey(seed, "smallQuestions"));
  const seen = new Set<string>();
  for (;;) {
    const record = smallQuestion(random);
    const key = `${record.question} ${record.context}`;
    if (seen.has(key)) continue;
    seen.add(key);
    yield record;
  }
}
