import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../../src/runtime/device.ts";
import { openCpu } from "../../../src/runtime/node/engine.ts";
import type { Features } from "../../../src/tasks/feature-extraction.ts";
import type { MaskFilling } from "../../../src/tasks/fill-mask.ts";
import { generateFromIds } from "../../../src/tasks/node/generate-ids.ts";
import { openModelFolder } from "../../../src/tasks/node/model-folder.ts";
import { openAnyTranslator, openTask } from "../../../src/tasks/node/open-task.ts";
import type { Answer } from "../../../src/tasks/question-answering.ts";
import { type Truncation, textOf } from "../../../src/tasks/task.ts";
import type { Classification } from "../../../src/tasks/text-classification.ts";
import type { TaggedEntity, TaggedToken } from "../../../src/tasks/token-classification.ts";
import type { WrittenToken } from "../../../src/tasks/written-tokens.ts";
import { parse, serialize } from "../../../src/weights/safetensors.ts";
import { runForward } from "../../golden/family-goldens.ts";
import { hasShared, needsShared, sharedPath } from "../../shared.ts";
import { makeModelFolder, pairEncoding, wordPiece } from "./task-folders.ts";

const long = Array.from({ length: 40 }, () => "the cat sees two red trees").join(" ");

describe.skipIf(!hasShared)(`tasks${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
  });
  afterAll(() => device.dispose());

  async function run(name: string, folder: string, inputs: unknown[], options: object = {}) {
    const truncations: Truncation[] = [];
    const task = await openTask(device, name, folder);
    const results = await task.run(inputs, options, { onTruncated: (one) => truncations.push(one) });
    await task.dispose();
    return { results, truncations };
  }
  /** What the model itself gives for one text, without padding or batches. */
  async function forward(folder: string, text: string, pair?: string) {
    const opened = await openModelFolder(folder, { device });
    const encoding = opened.tokenizers!.source.encode(text, pair === undefined ? {} : { pair });
    const inputs = { input_ids: [encoding.ids], token_type_ids: [encoding.typeIds] };
    const outputs = await runForward(device, opened, inputs);
    const rows = (name: string): number[][] => {
      const { data, shape } = outputs.get(name)!;
      const width = shape.length > 2 ? shape[2]! : 1;
      return Array.from({ length: data.length / width }, (_, row) => [
        ...data.subarray(row * width, (row + 1) * width),
      ]);
    };
    return { encoding, rows };
  }
  const softmax = (row: readonly number[]) => {
    const powers = row.map((value) => Math.exp(value - Math.max(...row)));
    const sum = powers.reduce((left, right) => left + right, 0);
    return powers.map((value) => value / sum);
  };

  test("fill-mask: the likeliest tokens, in a batch as alone", async () => {
    const folder = makeModelFolder("bert/maskedlm", await wordPiece());
    const texts = [
      "the [MASK] sees a tree",
      "two [MASK] cats see ten green trees in the sun",
      "[MASK] [MASK]",
    ];
    const { results } = await run("fill-mask", folder, texts, { top_k: 4 });
    for (const [index, text] of texts.slice(0, 2).entries()) {
      const { encoding, rows } = await forward(folder, text);
      const scores = softmax(rows("logits")[encoding.tokens.indexOf("[MASK]")]!);
      const order = [...scores.keys()].sort((left, right) => scores[right]! - scores[left]!);
      const own = results[index] as MaskFilling[];
      expect(own.map(({ token }) => token)).toEqual(order.slice(0, 4));
      for (const { token, score } of own) expect(score).toBeCloseTo(scores[token]!, 5);
    }
    const [first, second] = results[2] as MaskFilling[][];
    expect([first!.length, second!.length]).toEqual([4, 4]);
    await expect(run("fill-mask", folder, ["no mask"])).rejects.toThrow("must hold [MASK]");
  });

  test("text-classification: labels, scores, all of them, truncation", async () => {
    const folder = makeModelFolder("bert/seqcls", await wordPiece(), { problem_type: undefined });
    const { results, truncations } = await run("text-classification", folder, ["the cat", long], {
      topK: null,
    });
    const { rows } = await forward(folder, "the cat");
    const scores = softmax(rows("logits").flat());
    const [one, other] = results as Classification[][];
    expect(one!.map(({ label }) => label).sort()).toEqual(scores.map((_, id) => `LABEL_${id}`));
    for (const { label, score } of one!) expect(score).toBeCloseTo(scores[Number(label.slice(6))]!, 5);
    expect(one![0]!.score).toBe(Math.max(...one!.map(({ score }) => score)));
    expect(other!.every(({ truncated }) => truncated === true)).toBe(true);
    expect(truncations).toMatchObject([{ index: 1 }]);
    const several = makeModelFolder("bert/seqcls", await wordPiece(), {
      problem_type: "multi_label_classification",
    });
    const [sigmoids] = (await run("text-classification", several, ["the cat"], { topK: 1 }))
      .results as Classification[][];
    const largest = Math.max(...rows("logits").flat());
    expect(sigmoids![0]!.score).toBeCloseTo(1 / (1 + Math.exp(-largest)), 5);
  });

  test("token-classification: tokens with their places; entities; windows leave nothing out", async () => {
    const folder = makeModelFolder("bert/tokencls", await wordPiece(), {
      id2label: { 0: "O", 1: "B-CAT", 2: "I-CAT", 3: "B-TREE", 4: "I-TREE" },
    });
    const text = "The red cats see TEN trees";
    const all = { ignore_labels: [] };
    const { results } = await run("token-classification", folder, [text, long], all);
    const { encoding, rows } = await forward(folder, text);
    const [own, ofLong] = results as TaggedToken[][];
    expect(own!.map(({ index }) => index)).toEqual([...encoding.ids.keys()].slice(1, -1));
    for (const { index, start, end, score } of own!) {
      expect([start, end]).toEqual(encoding.offsets[index]);
      expect(score).toBeCloseTo(Math.max(...softmax(rows("logits")[index]!)), 5);
    }
    const whole = (await wordPiece()).encode(long);
    expect(ofLong!.map(({ start, end }) => [start, end])).toEqual(whole.offsets.slice(1, -1));
    expect(ofLong!.map(({ index }) => index)).toEqual([...whole.ids.keys()].slice(1, -1));
    const grouped = await run("token-classification", folder, [text], {
      ...all,
      aggregationStrategy: "simple",
    });
    const entities = grouped.results[0] as TaggedEntity[];
    for (const { start, end, word } of entities) expect(text.slice(start, end)).toBe(word);
    const tags = own!.map(({ entity }) => entity);
    const name = (tag: string) => tag.replace(/^[BI]-/, "");
    const begins = tags.filter(
      (tag, index) => index === 0 || tag.startsWith("B-") || name(tag) !== name(tags[index - 1]!),
    );
    expect(entities.map(({ entity_group }) => entity_group)).toEqual(begins.map(name));
  });

  test("question-answering: the likeliest span, whole words, in windows of a long text", async () => {
    const folder = makeModelFolder("bert/qa", await wordPiece());
    const [question, context] = ["who sees the cat", "two red cats see ten green trees in the sun"];
    const { results } = await run("question-answering", folder, [{ question, context }], { topK: 3 });
    const { encoding, rows } = await forward(folder, question, context);
    const places = [...encoding.ids.keys()].filter((place) => encoding.sequenceIds[place] === 1);
    const of = (name: string) => {
      const logits = rows(name).flat();
      return softmax([logits[0]!, ...places.map((place) => logits[place]!)]).slice(1);
    };
    const [starts, ends] = [of("start_logits"), of("end_logits")];
    let best = 0;
    starts.forEach((start, first) => {
      ends.slice(first, first + 15).forEach((end) => {
        best = Math.max(best, start * end);
      });
    });
    const answers = results[0] as Answer[];
    expect(answers[0]!.score).toBeCloseTo(best, 5);
    for (const { answer, start, end } of answers) {
      expect(context.slice(start, end)).toBe(answer);
      expect(context.split(" ").join(" ")).toContain(answer);
      expect(context[start - 1] ?? " ").toBe(" ");
      expect(context[end] ?? " ").toBe(" ");
    }
    const all = { topK: 1000, handleImpossibleAnswer: true };
    const withNone = (await run("question-answering", folder, [{ question, context }], all))
      .results[0] as Answer[];
    const first = (name: string) => {
      const logits = rows(name).flat();
      return softmax([logits[0]!, ...places.map((place) => logits[place]!)])[0]!;
    };
    const none = withNone.find(({ answer }) => answer === "")!;
    expect(none).toMatchObject({ start: 0, end: 0 });
    expect(none.score).toBeCloseTo(first("start_logits") * first("end_logits"), 5);
    expect(withNone.map(({ score }) => score)).toEqual(
      withNone.map(({ score }) => score).toSorted((left, right) => right - left),
    );
    const far = await run("question-answering", folder, [{ question, context: long }]);
    const [found] = far.results[0] as Answer[];
    expect(long.slice(found!.start, found!.end)).toBe(found!.answer);
    await expect(run("question-answering", folder, [{ question, context: " " }])).rejects.toThrow("context");
    await expect(run("question-answering", folder, [{ question: long, context }])).rejects.toThrow("no room");
  });

  test("feature-extraction: tokens' vectors, their mean, the first, of length 1", async () => {
    const folder = makeModelFolder("bert/base", await wordPiece());
    const texts = ["the cat", "two red cats see ten green trees"];
    const { rows } = await forward(folder, texts[0]!);
    const hidden = rows("last_hidden_state");
    const first = async (options: object): Promise<Features> =>
      (await run("feature-extraction", folder, texts, options)).results[0] as Features;
    const none = await first({});
    expect(none.dims).toEqual([hidden.length, 32]);
    none.data.forEach((value, index) => {
      expect(value).toBeCloseTo(hidden.flat()[index]!, 4);
    });
    expect((await first({ pooling: "cls" })).data[5]).toBeCloseTo(hidden[0]![5]!, 4);
    const mean = hidden[0]!.map(
      (_, axis) => hidden.reduce((sum, row) => sum + row[axis]!, 0) / hidden.length,
    );
    const pooled = await first({ pooling: "mean", normalize: true });
    const length = Math.hypot(...mean);
    mean.forEach((value, axis) => {
      expect(pooled.data[axis]).toBeCloseTo(value / length, 4);
    });
  });

  test("text-generation: what the ids give; long prompts lose their beginning, and that is said", async () => {
    const tokenizer = await pairEncoding("none");
    const folder = makeModelFolder("gpt2/lm", tokenizer);
    const options = {
      maxNewTokens: 6,
      num_beams: 2,
      numReturnSequences: 2,
    };
    const { results } = await run("text-generation", folder, ["the cat", "two red trees see"], options);
    const input_ids = [tokenizer.encodeIds("the cat")];
    const expected = await generateFromIds(
      device,
      folder,
      { input_ids },
      {
        max_new_tokens: 6,
        num_beams: 2,
        num_return_sequences: 2,
      },
    );
    const text = (ids: readonly number[]) => textOf(tokenizer, ids);
    expect(results[0]).toEqual(
      expected.generated.map((ids) => ({ generated_text: text([...input_ids[0]!, ...ids]) })),
    );
    const short = await run("text-generation", folder, ["the cat"], { ...options, returnFullText: false });
    expect((short.results[0] as { generated_text: string }[])[0]!.generated_text).not.toContain("the cat");
    const far = await run("text-generation", folder, [long], {});
    expect(far.results[0]).toMatchObject([{ truncated: true }]);
    expect(far.truncations).toHaveLength(1);
  });

  test("summarization, translation: what the ids give, with the prefix and options of config.json", async () => {
    const tokenizer = await pairEncoding("eos");
    const limits = { max_new_tokens: 8 };
    const folder = makeModelFolder("bart/plain", tokenizer, {
      task_specific_params: { summarization: { prefix: "a sun ", num_beams: 2 } },
    });
    const written = async (text: string, options: object) => {
      const input_ids = [tokenizer.encodeIds(text)];
      const { generated } = await generateFromIds(device, folder, { input_ids }, { ...limits, ...options });
      return textOf(tokenizer, generated[0]!).trim();
    };
    const summaries = await run("summarization", folder, ["two cats", "the red cat sees ten trees"], limits);
    expect(summaries.results[0]).toEqual([
      { summary_text: await written("a sun two cats", { num_beams: 2 }) },
    ]);
    const translations = await run("translation_en_to_de", folder, ["two cats"], limits);
    const translation_text = await written("two cats", {});
    expect(translations.results).toEqual([[{ translation_text }]]);
    const translator = await openAnyTranslator(device, folder);
    const [empty, own] = await translator.translate(["", "two cats"], { maxNewTokens: 8 }, {});
    expect(empty).toMatchObject({ text: "", truncated: false });
    expect(own!.text).toBe(translation_text);
    await translator.dispose();
  });

  test("tokens are told as they are written, with beams when a text is finished; empty lists give nothing", async () => {
    const listen = async (name: string, folder: string, texts: string[], options: object) => {
      const tokens: WrittenToken[] = [];
      const task = await openTask(device, name, folder);
      const results = await task.run(texts, options, { onToken: (token) => tokens.push(token) });
      expect(await task.run([], options, {})).toEqual([]);
      await task.dispose();
      const told = (index: number) => tokens.filter((token) => token.index === index);
      return { results: results as Record<string, string>[][], told };
    };
    const words = ["the red cat sees ten trees", "two cats", "a sun"];
    const gpt2 = makeModelFolder("gpt2/lm", await pairEncoding("none"));
    const bart = makeModelFolder("bart/plain", await pairEncoding("eos"));
    for (const options of [{}, { num_beams: 2 }]) {
      const limits = { ...options, max_new_tokens: 9 };
      const only = { ...limits, return_full_text: false };
      for (const [name, folder, given, key] of [
        ["text-generation", gpt2, only, "generated_text"],
        ["summarization", bart, limits, "summary_text"],
      ] as const) {
        const { results, told } = await listen(name, folder, words, given);
        for (const [index, [result]] of results.entries()) {
          const own = told(index);
          expect(own.map(({ text }) => text).join("")).toBe(result![key]);
          expect(own.map(({ last }) => last)).toEqual(own.map((_, place) => place === own.length - 1));
          expect(own.every(({ logProbability }) => logProbability <= 0)).toBe(true);
        }
      }
    }
  });

  test("weights in their file that are no numbers", async () => {
    const folder = makeModelFolder("bert/seqcls", await wordPiece());
    const path = join(folder, "model.safetensors");
    const tensors = new Map(parse(readFileSync(path)).tensors);
    const bias = tensors.get("classifier.bias")!;
    const data = Uint8Array.from(bias.data);
    new DataView(data.buffer).setFloat32(0, Number.NaN, true);
    writeFileSync(path, serialize(tensors.set("classifier.bias", { ...bias, data })));
    await expect(run("text-classification", folder, ["the cat"])).rejects.toThrow(
      "logits must be finite numbers; got NaN",
    );
  });

  test("refuses unknown options, wrong models, folders without a tokenizer", async () => {
    const folder = makeModelFolder("bert/maskedlm", await wordPiece());
    await expect(run("fill-mask", folder, ["[MASK]"], { topp_k: 3 })).rejects.toThrow('did you mean "topK"');
    await expect(run("fill-mask", folder, ["[MASK]"], { topK: 0 })).rejects.toMatchObject({ code: "option" });
    await expect(run("fill-mask", folder, ["[MASK]"], { topK: 1, top_k: 1 })).rejects.toThrow(
      "two spellings",
    );
    await expect(run("fill-masks", folder, [])).rejects.toThrow('did you mean "fill-mask"');
    await expect(run("question-answering", folder, [])).rejects.toMatchObject({ code: "weights" });
    await expect(run("text-generation", folder, [])).rejects.toMatchObject({ code: "config" });
    const other = sharedPath("weights/tiny-random-gpt2");
    await expect(run("text-generation", other, ["hello"])).rejects.toThrow("do not belong together");
    await expect(run("fill-mask", sharedPath("goldens/bert/maskedlm"), [])).rejects.toThrow(
      "need a tokenizer",
    );
  });
});
