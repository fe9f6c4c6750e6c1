/** Small data and small models for every task that is trained from files of records. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { RandomStream, randomKey } from "../../src/util/random.ts";

const adjectives = ["red", "green", "blue", "small", "large", "old", "new"];
const animals = ["cat", "dog", "bird"];
const things = ["house", "tree", "river"];
const verbs = ["runs", "sleeps", "sings", "stands", "falls"];

interface Sentence {
  readonly text: string;
  readonly words: readonly string[];
  readonly noun: string;
}

/** Sentences like "The red cat sleeps.", always the same for a seed. */
export function smallSentences(count: number, seed = 3): Sentence[] {
  const random = new RandomStream(randomKey(seed, "sentences"));
  const oneOf = (list: readonly string[]) => list[random.below(list.length)]!;
  return Array.from({ length: count }, () => {
    const noun = oneOf([...animals, ...things]);
    const words = ["The", oneOf(adjectives), noun, oneOf(verbs)];
    return { text: `${words.join(" ")}.`, words: [...words, "."], noun };
  });
}

const jsonLines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** Writes a file of each kind for training and one for validation, `NAME` and `valid-NAME`. */
export function writeTrainingData(folder: string): void {
  for (const [prefix, count, seed] of [
    ["", 60, 3],
    ["valid-", 10, 4],
  ] as const) {
    const sentences = smallSentences(count, seed);
    const write = (name: string, text: string) => writeFileSync(join(folder, `${prefix}${name}`), text);
    const isAnimal = (noun: string) => animals.includes(noun);
    // An empty line between documents.
    write("text.txt", sentences.map(({ text }, at) => `${text}\n${at % 5 === 4 ? "\n" : ""}`).join(""));
    write(
      "labels.csv",
      `sentence,label\n${sentences.map(({ text, noun }) => `"${text}",${isAnimal(noun) ? "animal" : "thing"}\n`).join("")}`,
    );
    write(
      "several.jsonl",
      jsonLines(
        sentences.map(({ text, words }) => ({
          text,
          label: words.filter((word) => adjectives.includes(word)),
        })),
      ),
    );
    write(
      "numbers.tsv",
      `text\tlabel\n${sentences.map(({ text }) => `${text}\t${text.length / 10}\n`).join("")}`,
    );
    write(
      "pairs.jsonl",
      jsonLines(
        sentences.map(({ text, noun }, at) => {
          const other = sentences[(at * 7 + 1) % count]!;
          return { text, text_pair: other.text, label: other.noun === noun ? "same" : "other" };
        }),
      ),
    );
    write(
      "tags.conll",
      sentences.map(({ words }) => `${words.map((word) => `${word} ${tagOf(word)}\n`).join("")}\n`).join(""),
    );
    write(
      "questions.jsonl",
      jsonLines(
        sentences.map(({ text, noun }) => ({ question: "What is it?", context: text, answers: [noun] })),
      ),
    );
    write(
      "short.jsonl",
      jsonLines(sentences.map(({ text, words }) => ({ source: text, target: words.slice(1, 3).join(" ") }))),
    );
  }
}

const tagOf = (word: string): string =>
  animals.includes(word) ? "B-ANIMAL" : things.includes(word) ? "B-THING" : "O";

/** What makes a model of a family so small that it trains in no time; dropout stays on. */
export const smallModels = {
  bert: {
    model_type: "bert",
    hidden_size: 16,
    intermediate_size: 16,
    num_attention_heads: 2,
    num_hidden_layers: 2,
    max_position_embeddings: 32,
  },
  roberta: {
    model_type: "roberta",
    hidden_size: 16,
    intermediate_size: 16,
    num_attention_heads: 2,
    num_hidden_layers: 1,
    max_position_embeddings: 34,
    type_vocab_size: 1,
  },
  gpt2: { model_type: "gpt2", n_embd: 16, n_layer: 1, n_head: 2, n_positions: 16 },
  t5: {
    model_type: "t5",
    d_model: 16,
    d_kv: 8,
    d_ff: 16,
    num_layers: 1,
    num_decoder_layers: 1,
    num_heads: 2,
  },
  bart: {
    model_type: "bart",
    d_model: 16,
    encoder_layers: 1,
    decoder_layers: 1,
    encoder_attention_heads: 2,
    decoder_attention_heads: 2,
    encoder_ffn_dim: 16,
    decoder_ffn_dim: 16,
    max_position_embeddings: 32,
  },
} as const;

/** A training of the tests: the rate stays as it is, so that a run's steps do not depend on how many follow. */
export const smallTraining = {
  max_tokens: 256,
  learning_rate: 0.01,
  lr_scheduler_type: "constant",
  warmup_steps: 0,
  weight_decay: 0.01,
  logging_steps: 1,
  eval_steps: 4,
};
