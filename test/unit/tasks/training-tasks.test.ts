/** How records become examples, examples batches, and scores metrics; each against cases worked out by hand. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { tokenStream } from "../../../src/data/packing.ts";
import { createModel } from "../../../src/models/families.ts";
import { longestInput } from "../../../src/tasks/task.ts";
import { ExampleList } from "../../../src/tasks/training/example-list.ts";
import { checkGeneration } from "../../../src/tasks/training/generation-choices.ts";
import { sortLabels } from "../../../src/tasks/training/labels.ts";
import { trainingTasks } from "../../../src/tasks/training/table.ts";
import { framesOf, textsOf } from "../../../src/tasks/training/text-blocks.ts";
import { batchesOf, evaluationBatches } from "../../../src/tasks/training/training-batches.ts";
import type {
  HeldOut,
  TaskContext,
  TrainingRecord,
  TrainingSet,
  TrainingTask,
} from "../../../src/tasks/training/training-task.ts";
import { learnBytePairEncoding } from "../../../src/tokenizers/learning/byte-pair-encoding.ts";
import { learnCharacters } from "../../../src/tokenizers/learning/characters.ts";
import { learnUnigram } from "../../../src/tokenizers/learning/unigram.ts";
import { learnWordPiece } from "../../../src/tokenizers/learning/word-piece.ts";
import { Tokenizer } from "../../../src/tokenizers/tokenizer.ts";
import type { ModelRecipe } from "../../../src/training/model-recipe.ts";
import type { ModelTaskName } from "../../../src/training/model-tasks.ts";
import { parseRecipe } from "../../../src/training/recipe.ts";

const lines = [
  "Anna lives in New York and works at the harbour.",
  "Does Ole live in Oslo? No, he lives in Bergen!",
  "The harbour of Bergen is old.",
];
const bertSpecials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const tokenizers: Record<string, Tokenizer> = {};
beforeAll(async () => {
  const common = { minFrequency: 1 };
  tokenizers.wordPiece = await learnWordPiece(lines, {
    ...common,
    vocabSize: 70,
    specialTokens: bertSpecials,
  });
  tokenizers.byteLevel = await learnBytePairEncoding(lines, {
    ...common,
    vocabSize: 280,
    specialTokens: ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    template: "roberta",
  });
  tokenizers.unigram = await learnUnigram(lines, { vocabSize: 60 });
  tokenizers.withGaps = await learnUnigram(lines, {
    vocabSize: 62,
    specialTokens: ["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_1>"],
    template: "eos",
  });
  tokenizers.characters = await learnCharacters(lines);
});

const bertKeys = {
  model_type: "bert",
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 4,
  max_position_embeddings: 64,
};

const t5Keys = {
  model_type: "t5",
  d_model: 4,
  d_kv: 2,
  d_ff: 4,
  num_layers: 1,
  num_heads: 2,
  pad_token_id: 0,
  eos_token_id: 1,
  decoder_start_token_id: 0,
};

function contextOf<Name extends ModelTaskName>(
  task: Name,
  {
    tokenizer = "wordPiece",
    recipe = {},
    model = {},
  }: { tokenizer?: string; recipe?: object; model?: object } = {},
): TaskContext<Name> {
  const parsed = parseRecipe({ task, data: { train: "t.txt" }, ...recipe }, "test") as ModelRecipe<Name>;
  const own = tokenizers[tokenizer]!;
  const config = { ...bertKeys, vocab_size: own.vocabSize, ...model };
  const head = (trainingTasks[task] as unknown as TrainingTask<Name>).head(parsed);
  const made = createModel(config, { head, withoutPooler: true });
  const pair = { source: own, target: own };
  return {
    recipe: parsed,
    model: made,
    tokenizers: pair,
    longest: longestInput({ model: made, tokenizers: pair }),
    folder: "test",
  };
}

const recordOf = (fields: Record<string, unknown>): TrainingRecord =>
  ({ where: "file:1", fields }) as unknown as TrainingRecord;

describe("labels of words", () => {
  const tag = trainingTasks["token-classification"];
  const words = ["Anna", "lives", "in", "New", "York", "."];
  const tags = ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"];
  const names = sortLabels(tags);
  const labelled = { id2label: Object.fromEntries(names.map((name, id) => [id, name])) };
  const context = (tokenizer: string, objective: object = {}, model: object = {}) =>
    contextOf("token-classification", { tokenizer, recipe: { objective }, model: { ...labelled, ...model } });

  test.each([
    "wordPiece",
    "byteLevel",
    "unigram",
    "characters",
  ])("%s: one label for each word, at its first piece", (name) => {
    const own = context(name);
    const [example] = [...tag.encode(recordOf({ tokens: words, tags }), own)];
    const given = Array.from(example!.labels!).filter((label) => label !== -100);
    expect(given.map((label) => names[label])).toEqual(tags);
    const places = Array.from(example!.words!);
    expect(places.filter((word) => word !== -100)).toEqual([0, 1, 2, 3, 4, 5]);
    // The piece that has the label is the word's own: its text begins as the word does.
    const encoding = tokenizers[name]!.encode(words.join(" "));
    places.forEach((word, place) => {
      if (word === -100) return;
      const [start, end] = encoding.offsets[place]!;
      const piece = words.join(" ").slice(start, end).trim();
      expect(words[word]!.startsWith(piece), `${piece} of ${words[word]}`).toBe(true);
    });
  });

  test("WordPiece by hand: the first piece has the label, the others do not count", () => {
    const vocabulary = [...bertSpecials, "new", "yo", "##rk", "##ers", "."];
    const json = tokenizers.wordPiece!.toJson() as { model: object };
    const vocab = Object.fromEntries(vocabulary.map((token, id) => [token, id]));
    tokenizers.byHand = Tokenizer.fromJson({ ...json, model: { ...json.model, vocab } });
    const own = context("byHand");
    const given = { tokens: ["New", "Yorkers", "??", "."], tags: ["B-LOC", "I-LOC", "O", "B-PER"] };
    const [example] = [...tag.encode(recordOf(given), own)];
    // [CLS] New Yo ##rk ##ers [UNK] [UNK] . [SEP]
    expect(Array.from(example!.ids!)).toEqual([2, 5, 6, 7, 8, 1, 1, 9, 3]);
    const id = (name: string) => names.indexOf(name);
    expect(Array.from(example!.labels!)).toEqual([
      -100,
      id("B-LOC"),
      id("I-LOC"),
      -100,
      -100,
      id("O"),
      -100,
      id("B-PER"),
      -100,
    ]);
  });

  test("label_all_tokens: every piece of a word, none of special tokens", () => {
    const own = context("wordPiece", { label_all_tokens: true });
    const [example] = [...tag.encode(recordOf({ tokens: words, tags }), own)];
    const encoding = tokenizers.wordPiece!.encode(words.join(" "));
    const starts = words.map((_, index) => words.slice(0, index).join(" ").length + (index > 0 ? 1 : 0));
    const expected = encoding.offsets.map(([start], place) => {
      if (encoding.specialTokensMask[place] === 1) return -100;
      return names.indexOf(tags[starts.findLastIndex((own) => own <= start)]!);
    });
    expect(Array.from(example!.labels!)).toEqual(expected);
  });

  test("a long sentence becomes several examples with each word once", () => {
    const own = context("wordPiece", { max_length: 6 });
    const examples = [...tag.encode(recordOf({ tokens: words, tags }), own)];
    expect(examples.length).toBeGreaterThan(1);
    expect(examples.every(({ ids }) => ids!.length <= 6)).toBe(true);
    const all = examples.flatMap((example) => Array.from(example.words!)).filter((word) => word !== -100);
    expect(all).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("any words with any tokenizer: a word has a label, where anything of it is seen", () => {
    const word = fc.stringMatching(/^[A-Za-zäöü.,!?-]{1,8}$/);
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 12 }),
        fc.constantFrom("wordPiece", "byteLevel", "unigram", "characters"),
        (tokens, name) => {
          const own = context(name, {}, { max_position_embeddings: 400 });
          const given = tokens.map((_, at) => names[at % names.length]!);
          const examples = [...tag.encode(recordOf({ tokens, tags: given }), own)];
          const seen = examples.flatMap((example) =>
            Array.from(example.words!).flatMap((index, place) =>
              index === -100 ? [] : [[index, names[example.labels![place]!]]],
            ),
          );
          expect(seen).toEqual(given.map((label, index) => [index, label]));
        },
      ),
    );
  });

  test("words and tags that are not as many, and an unknown tag", () => {
    const own = context("wordPiece");
    const encode = (fields: Record<string, unknown>) => () => [...tag.encode(recordOf(fields), own)];
    expect(encode({ tokens: ["a"], tags: [] })).toThrow(
      "file:1: each word needs one tag; got 1 words and 0 tags",
    );
    expect(encode({ tokens: ["a"], tags: ["B-ORG"] })).toThrow(
      'file:1: a label must be one of B-LOC, B-PER, I-LOC, O; got "B-ORG"',
    );
  });

  test("entities are counted as seqeval counts them; words without a piece are O", () => {
    const own = context("wordPiece");
    const store = new ExampleList(tag.columns);
    const record = recordOf({ tokens: words, tags });
    for (const example of tag.encode(record, own)) store.add(example);
    const heldOut = { store, records: [record], recordOf: [0], set: tag.open(store, own) } as HeldOut;
    const tally = tag.tally!(heldOut, own);
    // The person is found; of the place only the first word.
    const told = ["B-PER", "O", "O", "B-LOC", "O", "O"];
    const places = Array.from(store.values("words", 0));
    const data = new Float32Array(places.length * names.length);
    places.forEach((word, place) => {
      if (word !== -100) data[place * names.length + names.indexOf(told[word]!)] = 1;
    });
    tally.visit(0, { data, width: names.length });
    expect(tally.finish(0)).toEqual({ f1: 0.5, precision: 0.5, recall: 0.5, accuracy: 5 / 6 });
  });

  test("tags of no entities have an accuracy, and no best model by entities", () => {
    const speech = ["NNP", "VBZ", "IN"];
    const model = { id2label: Object.fromEntries(speech.map((name, id) => [id, name])) };
    const own = context("wordPiece", {}, model);
    const store = new ExampleList(tag.columns);
    const record = recordOf({ tokens: ["Anna", "lives", "in"], tags: ["NNP", "VBZ", "IN"] });
    for (const example of tag.encode(record, own)) store.add(example);
    const tally = tag.tally!({ store, records: [record], recordOf: [0] } as unknown as HeldOut, own);
    const places = Array.from(store.values("words", 0));
    const data = new Float32Array(places.length * 3);
    // Everything is a name.
    for (const place of places.keys()) data[place * 3] = 1;
    tally.visit(0, { data, width: 3 });
    expect(tally.finish(0)).toEqual({ accuracy: 1 / 3 });
    const best = { training: { metric_for_best_model: "f1" } };
    const asked = contextOf("token-classification", { tokenizer: "wordPiece", recipe: best, model });
    expect(() => tag.open(store, asked)).toThrow('got "NNP"; take accuracy');
  });

  test("windows without a labelled token are no examples", () => {
    const own = context("wordPiece", { max_length: 6 });
    const record = recordOf({ tokens: ["a".repeat(60), "b"], tags: ["O", "O"] });
    for (const { labels } of tag.encode(record, own))
      expect(Array.from(labels!).some((id) => id >= 0)).toBe(true);
  });
});

describe("places of answers", () => {
  const answer = trainingTasks["question-answering"];
  const context = (tokenizer: string, objective: object = {}) =>
    contextOf("question-answering", { tokenizer, recipe: { objective } });
  const text = "Anna lives in New York and works at the harbour.";

  test.each([
    "wordPiece",
    "byteLevel",
    "characters",
  ])("%s: the tokens of the answer give the answer", (name) => {
    if (tokenizers[name]!.encode("a", { pair: "b" }).ids.length < 2) return;
    for (const wanted of ["New York", "Anna", "harbour", "the harbour."]) {
      const record = recordOf({ question: "Where?", context: text, answers: [wanted] });
      const [example] = [...answer.encode(record, context(name))];
      const [first, last] = Array.from(example!.places!);
      const { offsets } = tokenizers[name]!.encode("Where?", { pair: text });
      expect(text.slice(offsets[first!]![0], offsets[last!]![1]).trim()).toBe(wanted);
    }
  });

  test("windows that lack the answer point to the first token; one at least has it", () => {
    const record = recordOf({ question: "Where?", context: text, answers: ["harbour"] });
    const examples = [...answer.encode(record, context("wordPiece", { max_length: 20, doc_stride: 4 }))];
    expect(examples.length).toBeGreaterThan(2);
    const places = examples.map((example) => Array.from(example.places!));
    expect(places[0]).toEqual([0, 0]);
    expect(places.some(([first]) => first! > 0)).toBe(true);
  });

  test("where it is told: of two places the one meant, in code points", () => {
    const own = context("wordPiece");
    const twice = "🙂 Bergen is Bergen.";
    const encode = (start: number) => {
      const record = recordOf({
        question: "Where?",
        context: twice,
        answers: ["Bergen"],
        answer_start: [start],
      });
      return Array.from([...answer.encode(record, own)][0]!.places!);
    };
    expect(encode(2)[0]).toBeLessThan(encode(12)[0]!);
    expect(() => encode(3)).toThrow("file:1: the context must hold the answer at character 3");
    const record = recordOf({ question: "Where?", context: twice, answers: ["Bergen"], answer_start: [] });
    expect(() => [...answer.encode(record, own)]).toThrow(
      "file:1: answer_start must have a number for each of the 1 answers; got 0",
    );
  });
});

describe("questions without an answer", () => {
  const answer = trainingTasks["question-answering"];
  const encode = (answers: string[], objective: object) => {
    const own = contextOf("question-answering", { recipe: { objective } });
    return [...answer.encode(recordOf({ question: "Where?", context: "Anna lives in Oslo.", answers }), own)];
  };

  test.each([
    [[]],
    [[""]],
  ])("%j points to the first token, where the recipe says that there are such", (answers) => {
    const [example] = encode(answers, { version_2_with_negative: true });
    expect(Array.from(example!.places!)).toEqual([0, 0]);
    expect(() => encode(answers, {})).toThrow("file:1: the answer must not be empty");
  });

  test("are wanted as fields that may be empty", () => {
    const fieldsOf = (objective: object) =>
      answer.fields(contextOf("question-answering", { recipe: { objective } }).recipe);
    expect(fieldsOf({}).answers).toBe("strings");
    expect(fieldsOf({ version_2_with_negative: true }).answers).toBe("stringsOrNone");
  });
});

describe("texts as blocks", () => {
  test("texts end with the end token; empty ones give nothing; long ones lie in pieces", () => {
    const own = contextOf("fill-mask");
    const { encode } = trainingTasks["fill-mask"];
    const separator = tokenizers.wordPiece!.tokenToId("[SEP]");
    const idsOf = (text: string) => [...encode(recordOf({ text }), own)].map(({ ids }) => Array.from(ids!));
    expect(idsOf("  ")).toEqual([]);
    const [ids] = idsOf("Bergen is old.");
    expect(ids!.at(-1)).toBe(separator);
    expect(ids!.slice(0, -1)).toEqual(
      tokenizers.wordPiece!.encodeIds("Bergen is old.", { addSpecialTokens: false }),
    );
    const long = idsOf("old ".repeat(5000));
    expect(long.length).toBeGreaterThan(1);
    expect(long.flat().filter((id) => id === separator)).toHaveLength(1);
  });

  test("T5's texts have nothing between them", () => {
    const own = contextOf("span-corruption", { tokenizer: "unigram", model: t5Keys });
    const [example] = [...trainingTasks["span-corruption"].encode(recordOf({ text: "Bergen" }), own)];
    expect(Array.from(example!.ids!)).not.toContain(tokenizers.unigram!.tokenToId("</s>"));
  });

  test.each(["spans", "text"] as const)("a T5 writes the %s", (target) => {
    const sentinels = ["<extra_id_0>", "<extra_id_1>"].map((token) => tokenizers.withGaps!.tokenToId(token)!);
    const own = contextOf("span-corruption", {
      tokenizer: "withGaps",
      model: t5Keys,
      recipe: { objective: { block_size: 12, target } },
    });
    const task = trainingTasks["span-corruption"];
    const store = new ExampleList(task.columns);
    for (const example of task.encode(recordOf({ text: "Bergen is old." }), own)) store.add(example);
    const { inputs } = task.open(store, own).batch([0], { seed: 1, epoch: 0 });
    const block = tokenStream(textsOf(store)).slice(0, 11);
    const wanted = Array.from(inputs.labels!.data);
    expect(Array.from(inputs.inputIds!.data)).toContain(sentinels[0]);
    expect(wanted.at(-1)).toBe(t5Keys.eos_token_id);
    if (target === "text") expect(wanted.slice(0, -1)).toEqual(Array.from(block));
    else expect(wanted[0]).toBe(sentinels[0]);
  });

  test("a T5 reads texts of any length, and blocks of 512 tokens where no size is wanted", () => {
    const own = contextOf("span-corruption", { tokenizer: "withGaps", model: t5Keys });
    const task = trainingTasks["span-corruption"];
    const store = new ExampleList(task.columns);
    for (const example of task.encode(recordOf({ text: "Bergen is old. ".repeat(400) }), own))
      store.add(example);
    expect(task.open(store, own).width(0)).toBe(512);
  });

  test("the frame of a tokenizer", () => {
    const id = (token: string) => tokenizers.wordPiece!.tokenToId(token);
    expect(framesOf(tokenizers.wordPiece!)).toEqual({ before: [id("[CLS]")], after: [id("[SEP]")] });
    expect(framesOf(tokenizers.characters!)).toEqual({ before: [], after: [] });
  });
});

describe("next tokens", () => {
  const model = {
    model_type: "gpt2",
    n_embd: 4,
    n_layer: 1,
    n_head: 2,
    n_positions: 5,
    bos_token_id: 2,
    eos_token_id: 2,
  };
  const generate = trainingTasks["text-generation"];

  test("every token but the first is predicted once, from the one before", () => {
    const own = contextOf("text-generation", { tokenizer: "characters", model });
    const store = new ExampleList(generate.columns);
    for (const example of generate.encode(recordOf({ text: "Bergen is old." }), own)) store.add(example);
    const all = tokenStream(textsOf(store));
    const stream = Array.from(all.slice(0, all.length));
    const set = generate.open(store, own);
    const pairs: [number, number][] = [];
    for (let index = 0; index < set.length; index++) {
      const { inputs, count } = set.batch([index], { seed: 1, epoch: 0 });
      expect(set.width(index)).toBe(count);
      inputs.labels!.data.forEach((label, place) => {
        if (label !== -100) pairs.push([inputs.inputIds!.data[place]!, label]);
      });
    }
    expect(pairs).toEqual(stream.slice(1).map((id, place) => [stream[place], id]));
  });

  test("windows begin anywhere and are always full; validation reads blocks all the same", () => {
    const recipe = { objective: { sampling: "windows" }, training: { max_steps: 1 } };
    const own = contextOf("text-generation", { tokenizer: "characters", model, recipe });
    const store = new ExampleList(generate.columns);
    for (const example of generate.encode(recordOf({ text: "Bergen is old." }), own)) store.add(example);
    const set = generate.open(store, own);
    const { length } = tokenStream(textsOf(store));
    expect(set.length).toBe(length - 5);
    const last = set.batch([set.length - 1], { seed: 1, epoch: 0 });
    expect(last.count).toBe(5);
    expect(last.inputs.labels!.data[4]).toBe(tokenStream(textsOf(store)).slice(length - 1, length)[0]);
    expect(generate.open(store, own, "validation").length).toBe(Math.ceil((length - 1) / 5));
  });

  test("perplexity, and bits per byte over the texts' bytes", () => {
    const own = contextOf("text-generation", { tokenizer: "characters", model });
    const store = new ExampleList(generate.columns);
    const record = recordOf({ text: "Oslo" });
    for (const example of generate.encode(record, own)) store.add(example);
    const heldOut = { store, records: [record], recordOf: [0], set: generate.open(store, own) } as HeldOut;
    const { perplexity, bits_per_byte } = generate.tally!(heldOut, own).finish(Math.log(8)) as Record<
      string,
      number
    >;
    expect(perplexity).toBeCloseTo(8, 10);
    // Four tokens are predicted, the end among them; each costs 3 bits; the text has 4 bytes.
    expect(bits_per_byte).toBeCloseTo((4 * 3) / 4, 10);
  });
});

describe("hidden tokens", () => {
  const mask = trainingTasks["fill-mask"];
  const setOf = (objective: object) => {
    const own = contextOf("fill-mask", { recipe: { objective: { block_size: 12, ...objective } } });
    const store = new ExampleList(mask.columns);
    for (const line of lines)
      for (const example of mask.encode(recordOf({ text: line }), own)) store.add(example);
    return mask.open(store, own);
  };
  const batch = (set: TrainingSet, epoch: number) => set.batch([0, 1], { seed: 1, epoch }).inputs;

  test("static masks are the same in every epoch, dynamic ones are not", () => {
    expect(batch(setOf({ masking: "static" }), 0)).toEqual(batch(setOf({ masking: "static" }), 7));
    expect(batch(setOf({}), 0)).not.toEqual(batch(setOf({}), 7));
    expect(batch(setOf({}), 7)).toEqual(batch(setOf({}), 7));
  });

  test("the count is that of the labels; rows are framed; what is padded does not count", () => {
    const set = setOf({});
    const indices = Array.from({ length: set.length }, (_, index) => index);
    const { inputs, count } = set.batch(indices, { seed: 1, epoch: 0 });
    expect(inputs.labels!.data.filter((label) => label !== -100)).toHaveLength(count);
    const cls = tokenizers.wordPiece!.tokenToId("[CLS]");
    expect(inputs.inputIds!.data[0]).toBe(cls);
    inputs.attentionMask!.data.forEach((present, place) => {
      if (present === 0) expect(inputs.labels!.data[place]).toBe(-100);
    });
    const width = inputs.inputIds!.shape[1]!;
    expect(indices.map((index) => set.width(index))).toEqual(
      indices.map(
        (_, row) =>
          inputs.attentionMask!.data.slice(row * width, (row + 1) * width).filter((x) => x === 1).length,
      ),
    );
  });

  test("whole sentences: lines stay whole, the separator stands between them and not at the end", () => {
    const sentences = lines.map((line) =>
      tokenizers.wordPiece!.encodeIds(line, { addSpecialTokens: false }),
    ) as [number[], number[], number[]];
    // Just as long as the last two lines with what stands around and between them, and too short for the first two.
    const block_size = sentences[1].length + sentences[2].length + 3;
    expect(sentences[0].length).toBeGreaterThan(sentences[2].length);
    const set = setOf({ block_size, packing: "whole_sentences" });
    const [cls, sep] = [2, 3];
    const rows = Array.from({ length: set.length }, (_, index) => {
      const { inputIds, labels } = set.batch([index], { seed: 1, epoch: 0 }).inputs;
      return Array.from(labels!.data, (label, place) => (label === -100 ? inputIds!.data[place] : label));
    });
    expect(rows).toEqual([
      [cls, ...sentences[0], sep],
      [cls, ...sentences[1], sep, ...sentences[2], sep],
    ]);
    expect(rows.map(({ length }) => length)).toEqual(rows.map((_, index) => set.width(index)));
  });

  test("whole sentences of documents: told by the token that ends them", () => {
    const recipe = {
      data: { train: "t.txt", documents: "document" },
      objective: { packing: "whole_sentences" },
    };
    const own = contextOf("fill-mask", { recipe });
    const textOf = (ids: ArrayLike<number>) => tokenizers.wordPiece!.decode(Array.from(ids));
    const text = "Is Bergen old?! No. The harbour";
    const examples = [...mask.encode(recordOf({ text }), own)].map(({ ids }) => Array.from(ids!));
    const sep = tokenizers.wordPiece!.tokenToId("[SEP]");
    expect(examples.map((ids) => ids.at(-1) === sep)).toEqual([false, false, true]);
    const whole = tokenizers.wordPiece!.encodeIds(text, { addSpecialTokens: false });
    expect(examples.flat()).toEqual([...whole, sep]);
    expect(textOf(examples[1]!)).toBe(
      textOf(tokenizers.wordPiece!.encodeIds("No.", { addSpecialTokens: false })),
    );
    expect([...mask.encode(recordOf({ text: " \n" }), own)]).toEqual([]);
  });

  test("pairs of segments: framed as BERT's, with token types and a label each", () => {
    const set = setOf({ next_sentence: true });
    const indices = Array.from({ length: set.length }, (_, index) => index);
    const { inputs, count } = set.batch(indices, { seed: 1, epoch: 0 });
    expect(count).toBe(indices.length);
    expect(inputs.nextSentenceLabel!.shape).toEqual([indices.length]);
    const [cls, sep] = [2, 3];
    const width = inputs.inputIds!.shape[1]!;
    for (const row of indices) {
      const of = (name: "inputIds" | "tokenTypeIds" | "attentionMask") =>
        Array.from(inputs[name]!.data.slice(row * width, (row + 1) * width));
      const length = of("attentionMask").filter((x) => x === 1).length;
      const ids = of("inputIds").slice(0, length);
      const types = of("tokenTypeIds").slice(0, length);
      expect([ids[0], ids.at(-1), ids.filter((id) => id === sep).length]).toEqual([cls, sep, 2]);
      expect(types).toEqual(ids.map((_, place) => (place <= ids.indexOf(sep) ? 0 : 1)));
      expect(length).toBeLessThanOrEqual(12);
    }
  });
});

describe("metrics of classifiers", () => {
  const classify = trainingTasks["text-classification"];
  const measure = (problem_type: string, expected: number[][], predicted: number[][]) => {
    const model = { num_labels: Math.max(predicted[0]!.length, 1), problem_type };
    const own = contextOf("text-classification", { recipe: { objective: { problem_type } }, model });
    const store = new ExampleList(classify.columns);
    for (const labels of expected) store.add({ ids: [1], typeIds: [0], words: [0], labels });
    const records = expected.map(() => recordOf({}));
    const heldOut = {
      store,
      records,
      recordOf: expected.map((_, at) => at),
      set: classify.open(store, own, "validation"),
    };
    const tally = classify.tally!(heldOut as HeldOut, own);
    predicted.forEach((row, index) => {
      tally.visit(index, { data: Float32Array.from(row), width: row.length });
    });
    return tally.finish(0);
  };

  test("one of several classes", () => {
    const got = measure(
      "single_label_classification",
      [[0], [1], [1], [1]],
      [
        [2, 1],
        [0, 1],
        [3, 1],
        [0, 9],
      ],
    );
    // Class 0: precision 1/2, recall 1; class 1: precision 1, recall 2/3.
    expect(got.accuracy).toBe(3 / 4);
    expect(got.macro_f1).toBeCloseTo((2 / 3 + 4 / 5) / 2, 12);
    expect(got.matthews_correlation).toBeCloseTo((1 * 2 - 1 * 0) / Math.sqrt(2 * 2 * 1 * 3), 12);
  });

  test("any number of classes: those above 0", () => {
    const got = measure(
      "multi_label_classification",
      [
        [1, 0, 1],
        [0, 1, 0],
      ],
      [
        [2, -1, -3],
        [-1, 4, 1],
      ],
    );
    // Right: 2 of 3 that are given and 3 that are wanted.
    expect(got).toEqual({ micro_f1: 4 / 6, exact_match: 0 });
  });

  test("numbers: correlations; of what does not vary there is none", () => {
    const got = measure("regression", [[1], [2], [4]], [[2], [3], [9]]);
    expect(got.spearman).toBeCloseTo(1, 12);
    const [x, y] = [
      [1, 2, 4],
      [2, 3, 9],
    ].map((row) => row.map((value) => value - row.reduce((a, b) => a + b) / 3));
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, at) => sum + value * b[at]!, 0);
    expect(got.pearson).toBeCloseTo(dot(x!, y!) / Math.sqrt(dot(x!, x!) * dot(y!, y!)), 6);
    expect(measure("regression", [[1]], [[2]])).toEqual({});
    expect(measure("regression", [[1], [2]], [[3], [3]])).toEqual({});
  });

  test("labels in the order of numbers, or of characters", () => {
    expect(sortLabels(["10", "9", "2", "9"])).toEqual(["2", "9", "10"]);
    expect(sortLabels(["b", "B", "a", "10"])).toEqual(["10", "B", "a", "b"]);
  });

  test("every metric that a task names is one that it gives", () => {
    const names = (problem_type: string) =>
      classify.metrics(contextOf("text-classification", { recipe: { objective: { problem_type } } }).recipe);
    expect(names("single_label_classification")).toEqual(
      Object.keys(
        measure(
          "single_label_classification",
          [[0], [1]],
          [
            [1, 0],
            [0, 1],
          ],
        ),
      ),
    );
    expect(names("multi_label_classification")).toEqual(
      Object.keys(measure("multi_label_classification", [[1, 0]], [[1, 0]])),
    );
    expect(names("regression")).toEqual(Object.keys(measure("regression", [[1], [2]], [[1], [2]])));
  });
});

test("options of generation: slips of the pen are told, what only a checkpoint's file knows is left", () => {
  const check = (generation: Record<string, unknown>) => () => checkGeneration({ generation });
  expect(check({ num_beam: 4 })).toThrow(
    'recipe: generation: unknown option "num_beam" (did you mean "num_beams"?)',
  );
  expect(check({ num_beams: 0 })).toThrow("recipe: generation: ");
  expect(check({ guidance_scale: 3 })).toThrow("guidance_scale is not supported");
  expect(check({ language: "en", num_beams: 2 })).not.toThrow();
});

describe("batches", () => {
  const setOf = (widths: readonly number[]): TrainingSet => ({
    length: widths.length,
    width: (index) => widths[index]!,
    batch: () => ({ inputs: {}, count: 0 }),
  });
  const recipeOf = (training: object, objective: object = {}) =>
    parseRecipe(
      { task: "text-generation", data: { train: "t.txt" }, training, objective },
      "test",
    ) as ModelRecipe;
  const widths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 });
  const rows = fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined });

  test("each example once an epoch, within the limits; from any position the same goes on", () => {
    fc.assert(
      fc.property(widths, rows, fc.nat({ max: 99 }), (own, perBatch, seed) => {
        const training = {
          seed,
          max_tokens: 64,
          ...(perBatch !== undefined && { per_device_train_batch_size: perBatch }),
        };
        const batches = batchesOf(setOf(own), recipeOf(training));
        const list = [];
        for (const batch of batches.from({ epoch: 0, batch: 0 })) {
          if (batch.position.epoch === 2) break;
          list.push(batch);
        }
        expect(list).toHaveLength(
          batches.perEpoch + list.filter(({ position }) => position.epoch === 1).length,
        );
        for (const epoch of [0, 1]) {
          const ids = list
            .filter(({ position }) => position.epoch === epoch)
            .flatMap(({ rows }) => Array.from(rows));
          expect(ids.sort((a, b) => a - b)).toEqual(own.map((_, index) => index));
        }
        for (const { rows: chosen } of list) {
          const widest = Math.max(...Array.from(chosen, (index) => own[index]!));
          if (perBatch !== undefined) expect(chosen.length).toBeLessThanOrEqual(perBatch);
          else if (chosen.length > 1) expect(chosen.length * widest).toBeLessThanOrEqual(64);
        }
        const at = list[Math.floor(list.length / 2)]!;
        const again = batches.from(at.position).next().value!;
        expect(Array.from(again.rows)).toEqual(Array.from(at.rows));
        if (list.length > 1) expect(list[0]!.next).toEqual(list[1]!.position);
      }),
    );
  });

  test("padding to a multiple counts", () => {
    const recipe = recipeOf({ max_tokens: 64, pad_to_multiple_of: 16 });
    const own = setOf([17, 17, 17, 17]);
    const sizes = [...evaluationBatches(own, recipe)].map((batch) => batch.length);
    expect(sizes).toEqual([2, 2]);
    expect(batchesOf(own, recipe).perEpoch).toBe(2);
  });

  test("validation: each example once, in batches of the size that is asked for, or else of training's", () => {
    fc.assert(
      fc.property(widths, rows, rows, (own, perBatch, evaluated) => {
        const training = {
          max_tokens: 64,
          ...(perBatch !== undefined && { per_device_train_batch_size: perBatch }),
          ...(evaluated !== undefined && { per_device_eval_batch_size: evaluated }),
        };
        const list = [...evaluationBatches(setOf(own), recipeOf(training))];
        expect(list.flat().sort((a, b) => a - b)).toEqual(own.map((_, index) => index));
        const wanted = evaluated ?? perBatch;
        for (const batch of list) {
          const widest = Math.max(...batch.map((index) => own[index]!));
          if (wanted !== undefined) expect(batch.length).toBeLessThanOrEqual(wanted);
          else if (batch.length > 1) expect(batch.length * widest).toBeLessThanOrEqual(64);
        }
        if (wanted !== undefined) expect(list).toHaveLength(Math.ceil(own.length / wanted));
      }),
    );
  });

  test("windows: a pure function of the batch's number, anywhere in the text", () => {
    const set = setOf(new Array(500).fill(8));
    const training = { seed: 3, max_steps: 9, per_device_train_batch_size: 4 };
    const { from, perEpoch } = batchesOf(set, recipeOf(training, { sampling: "windows" }));
    expect(perEpoch).toBe(Number.POSITIVE_INFINITY);
    const seen = new Set<number>();
    const all = [];
    for (const batch of from({ epoch: 0, batch: 0 })) {
      all.push(batch);
      for (const index of Array.from(batch.rows)) seen.add(index);
      if (all.length === 200) break;
    }
    expect(Array.from(from({ epoch: 0, batch: 77 }).next().value.rows)).toEqual(Array.from(all[77]!.rows));
    expect(Math.min(...seen)).toBeLessThan(10);
    expect(Math.max(...seen)).toBeGreaterThan(489);
  });

  test("a position that there is not, and no examples", () => {
    const { from } = batchesOf(setOf([1, 2]), recipeOf({ per_device_train_batch_size: 1 }));
    expect(() => from({ epoch: 0, batch: 5 }).next()).toThrow(
      "a position must lie within epoch 0, which has 2 batches",
    );
    expect(() => batchesOf(setOf([]), recipeOf({}))).toThrow(
      "data.train must give at least one example; got none",
    );
  });
});

describe("classes with weights", () => {
  const classify = trainingTasks["text-classification"];
  const open = (class_weights: unknown, purpose?: "validation") => {
    const recipe = { objective: { class_weights } };
    const own = contextOf("text-classification", { recipe, model: { id2label: { 0: "a", 1: "b" } } });
    const store = new ExampleList(classify.columns);
    for (const label of [0, 1, 1, 1])
      store.add({ ids: [5, 6], typeIds: [0, 0], words: [0, 1], labels: [label] });
    return classify.open(store, own, purpose);
  };

  test("count as the recipe says, or so that all classes count the same", () => {
    const { inputs, count } = open("balanced").batch([0, 1], { seed: 1, epoch: 0 });
    expect(Array.from(inputs.weights!.data)).toEqual([2, Math.fround(2 / 3)]);
    expect(count).toBeCloseTo(2 + 2 / 3, 6);
    expect(open([0.5, 3]).batch([0, 1, 2], { seed: 1, epoch: 0 }).count).toBe(6.5);
  });

  test("validation counts every text once", () => {
    const { inputs, count } = open("balanced", "validation").batch([0, 1], { seed: 1, epoch: 0 });
    expect([inputs.weights, count]).toEqual([undefined, 2]);
  });

  test("one number for each class", () => {
    expect(() => open([1, 2, 3])).toThrow("one number for each label (a, b); got 3");
  });
});

describe("words that are hidden in training", () => {
  const tag = trainingTasks["token-classification"];
  const words = ["Anna", "lives", "in", "New", "York", "."];
  const names = ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"];
  const labelled = { id2label: { 0: "B-PER", 1: "O", 2: "B-LOC", 3: "I-LOC" } };
  const rows = (name: "wordPiece" | "byteLevel", objective: object, purpose?: "validation") => {
    const own = contextOf("token-classification", {
      tokenizer: name,
      recipe: { objective },
      model: labelled,
    });
    const store = new ExampleList(tag.columns);
    for (let copy = 0; copy < 200; copy++) {
      for (const example of tag.encode(recordOf({ tokens: words, tags: names }), own)) store.add(example);
    }
    const set = tag.open(store, own, purpose);
    const all = Array.from({ length: store.length }, (_, index) => index);
    const read = (epoch: number) => {
      const { data, shape } = set.batch(all, { seed: 1, epoch }).inputs.inputIds!;
      return all.map((row) => Array.from(data.subarray(row * shape[1]!, (row + 1) * shape[1]!)));
    };
    return { read, whole: Array.from(store.values("ids", 0)), starts: Array.from(store.values("words", 0)) };
  };

  test.each([
    "wordPiece",
    "byteLevel",
  ] as const)("%s: whole ones, as often as wanted, others each epoch", (name) => {
    const { read, whole, starts } = rows(name, { word_dropout: 0.25 });
    const hidden = tokenizers[name]!.tokenToId(name === "wordPiece" ? "[MASK]" : "<mask>")!;
    let count = 0;
    for (const row of read(0)) {
      row.forEach((id, place) => {
        if (id !== hidden) expect(id).toBe(whole[place]);
        else if (starts[place]! >= 0) count++;
        else expect(row[place - 1]).toBe(hidden);
      });
      expect([row[0], row.at(-1)]).toEqual([whole[0], whole.at(-1)]);
    }
    expect(count / (200 * words.length)).toBeCloseTo(0.25, 1);
    expect(read(0)).toEqual(read(0));
    expect(read(1)).not.toEqual(read(0));
  });

  test("none where the recipe says nothing, and none in what is measured", () => {
    const plain = rows("wordPiece", {});
    expect(new Set(plain.read(0).map(String))).toEqual(new Set([String(plain.whole)]));
    const measured = rows("wordPiece", { word_dropout: 0.9 }, "validation");
    expect(new Set(measured.read(0).map(String))).toEqual(new Set([String(measured.whole)]));
  });

  test("words of texts that are classified", () => {
    const classify = trainingTasks["text-classification"];
    const own = contextOf("text-classification", {
      recipe: { objective: { word_dropout: 0.999999 } },
      model: { id2label: { 0: "a", 1: "b" } },
    });
    const store = new ExampleList(classify.columns);
    const [example] = [...classify.encode(recordOf({ text: "Anna lives in Oslo.", label: "a" }), own)];
    store.add(example!);
    const { data } = classify.open(store, own).batch([0], { seed: 1, epoch: 0 }).inputs.inputIds!;
    expect(Array.from(data)).toEqual([2, ...new Array<number>(data.length - 2).fill(4), 3]);
  });

  test("need a token that stands for them", () => {
    const own = contextOf("text-classification", {
      tokenizer: "characters",
      recipe: { objective: { word_dropout: 0.1 } },
    });
    const store = new ExampleList(trainingTasks["text-classification"].columns);
    expect(() => trainingTasks["text-classification"].open(store, own)).toThrow("must have a token [MASK]");
  });
});

describe("pieces that are divided in training", () => {
  const tag = trainingTasks["token-classification"];
  const words = ["Anna", "lives", "in", "Reykjavik", "."];
  const tags = ["B-PER", "O", "O", "B-LOC", "O"];

  test.each([
    ["wordPiece", true],
    ["wordPiece", false],
    ["byteLevel", true],
  ] as const)("%s, every piece with its label: %s", (name, label_all_tokens) => {
    const own = contextOf("token-classification", {
      tokenizer: name,
      recipe: { objective: { piece_dropout: 0.4, label_all_tokens } },
      model: { id2label: { 0: "B-PER", 1: "O", 2: "B-LOC" } },
    });
    const store = new ExampleList(tag.columns);
    for (const example of tag.encode(recordOf({ tokens: words, tags }), own)) store.add(example);
    const tokenizer = tokenizers[name]!;
    const whole = Array.from(store.values("ids", 0));
    const read = (epoch: number, purpose?: "validation") => {
      const { inputIds, labels } = tag.open(store, own, purpose).batch([0], { seed: 1, epoch }).inputs;
      return { ids: Array.from(inputIds!.data), labels: Array.from(labels!.data) };
    };
    const spellings = new Set<string>();
    for (let epoch = 0; epoch < 20; epoch++) {
      const { ids, labels } = read(epoch);
      spellings.add(String(ids));
      expect(tokenizer.decode(ids)).toBe(tokenizer.decode(whole));
      expect(labels).toHaveLength(ids.length);
      // What a word's label stands at, from word to word.
      const found = labels.filter((label) => label !== -100);
      const wanted = [0, 1, 1, 2, 1];
      if (label_all_tokens)
        expect(found.filter((label, place) => label !== found[place - 1])).toEqual([0, 1, 2, 1]);
      else expect(found).toEqual(wanted);
    }
    expect(spellings.size).toBeGreaterThan(5);
    expect(read(3)).toEqual(read(3));
    expect(read(3, "validation").ids).toEqual(whole);
  });

  test("there must be some that can be divided", () => {
    const own = contextOf("text-classification", {
      tokenizer: "characters",
      recipe: { objective: { piece_dropout: 0.1 } },
      model: { id2label: { 0: "a", 1: "b" } },
    });
    const { open, columns } = trainingTasks["text-classification"];
    expect(() => open(new ExampleList(columns), own)).toThrow(
      "recipe training: objective.piece_dropout divides pieces into shorter ones; got a tokenizer that has no piece",
    );
  });

  test("never make a text longer than the model reads", () => {
    const own = contextOf("text-classification", {
      recipe: { objective: { piece_dropout: 0.9, max_length: 8 } },
      model: { id2label: { 0: "a", 1: "b" } },
    });
    const store = new ExampleList(trainingTasks["text-classification"].columns);
    const record = recordOf({ text: "Anna lives in Oslo.", label: "a" });
    for (const example of trainingTasks["text-classification"].encode(record, own)) store.add(example);
    const batch = trainingTasks["text-classification"].open(store, own).batch([0], { seed: 1, epoch: 0 });
    expect(batch.inputs.inputIds!.shape).toEqual([1, 8]);
    expect(batch.inputs.tokenTypeIds!.shape).toEqual([1, 8]);
  });
});

describe("labels of words with weights", () => {
  test("all count the same in all, where it is wanted", () => {
    const tag = trainingTasks["token-classification"];
    const own = contextOf("token-classification", {
      recipe: { objective: { class_weights: "balanced" } },
      model: { id2label: { 0: "B-X", 1: "O" } },
    });
    const store = new ExampleList(tag.columns);
    store.add({
      ids: [2, 5, 6, 7, 3],
      typeIds: [0, 0, 0, 0, 0],
      words: [-100, 0, 1, 2, -100],
      labels: [-100, 0, 1, 1, -100],
    });
    store.add({ ids: [2, 5, 3], typeIds: [0, 0, 0], words: [-100, 0, -100], labels: [-100, 1, -100] });
    const { inputs, count } = tag.open(store, own).batch([0, 1], { seed: 1, epoch: 0 });
    const third = Math.fround(2 / 3);
    expect(Array.from(inputs.weights!.data)).toEqual([0, 2, third, third, 0, 0, third, 0, 0, 0]);
    expect(count).toBeCloseTo(4, 5);
    expect(tag.open(store, own, "validation").batch([0], { seed: 1, epoch: 0 }).count).toBe(3);
  });
});
