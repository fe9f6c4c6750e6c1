/** The commands that run a task, and the same through the public API, on small models with learned tokenizers. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { loadTranslator, pipeline, type Truncation, type WrittenToken } from "../../src/node.ts";
import { hasShared, needsShared, sharedPath } from "../shared.ts";
import { makeModelFolder, pairEncoding, wordPiece } from "../unit/tasks/task-folders.ts";
import { makeFolder, output, qkv } from "./qkv.ts";

const folder = makeFolder();
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const lines = (text: string) => text.replace(/\n$/, "").split("\n");
const json = (text: string) => lines(text).map((line) => JSON.parse(line));
const long = Array.from({ length: 40 }, () => "the cat sees two red trees").join(" ");

test("complete has a shipped model of its own, in the pipeline too; the same seed writes the same", async () => {
  const args = ["complete", "--do-sample", "--seed", "3", "--max-new-tokens", "20", "ROMEO:"];
  const written = await output(args);
  expect(written).toMatch(/^ROMEO:[\s\S]{5,}$/);
  expect(await output(args)).toBe(written);
  const pipe = await pipeline("text-generation");
  const options = { doSample: true, seed: 3, maxNewTokens: 20 };
  const [{ generated_text: text }] = (await pipe("ROMEO:", options)) as [{ generated_text: string }];
  await pipe.dispose();
  expect(written.trimEnd()).toBe(text.trimEnd());
});

describe.skipIf(!hasShared)(`verbs${needsShared}`, () => {
  let bert: Record<"maskedlm" | "seqcls" | "tokencls" | "qa" | "base", string>;
  let gpt2: string;
  let bart: string;
  beforeAll(async () => {
    const words = await wordPiece();
    const [maskedlm, seqcls, tokencls, qa, base] = ["maskedlm", "seqcls", "tokencls", "qa", "base"].map(
      (name) => makeModelFolder(`bert/${name}`, words),
    );
    bert = { maskedlm: maskedlm!, seqcls: seqcls!, tokencls: tokencls!, qa: qa!, base: base! };
    gpt2 = makeModelFolder("gpt2/lm", await pairEncoding("none"));
    bart = makeModelFolder("bart/plain", await pairEncoding("eos"));
  });

  test("info: what any model's folder holds, in the words of its files", async () => {
    const labels = { id2label: { 0: "bad", 1: "good" } };
    const named = makeModelFolder("bert/seqcls", await wordPiece(), labels);
    const described = JSON.parse(await output(["info", named, "--json"]));
    const { architecture, parameters, tensors, bytes, dtypes, sourceVocabulary, config } = described;
    expect([architecture, dtypes]).toEqual(["BertForSequenceClassification", ["F32"]]);
    expect(tensors).toBeGreaterThan(20);
    expect(bytes).toBe(4 * parameters);
    expect([config.id2label, config.model_type]).toEqual([labels.id2label, "bert"]);
    const text = await output(["info", named]);
    expect(text).toMatch(/^architecture +BertForSequenceClassification$/m);
    expect(text).toMatch(new RegExp(`^vocabulary +${sourceVocabulary} pieces$`, "m"));
    expect(text).toMatch(/^id2label +0: bad, 1: good$/m);
    for (const model of [...Object.values(bert), gpt2]) {
      expect(await output(["info", model])).toMatch(/^parameters +[\d.]+ k in \d+ tensors$/m);
    }
    writeFileSync(
      join(bart, "generation_config.json"),
      JSON.stringify({ num_beams: 3, bad_words_ids: [[7]] }),
    );
    expect(await output(["info", bart])).toMatch(/\n\nnum_beams +3\nbad_words_ids +\[7\]\n$/);
    const { generationConfig } = JSON.parse(await output(["info", bart, "--json"]));
    expect(generationConfig).toEqual({ num_beams: 3, bad_words_ids: [[7]] });
    expect(await output(["info", sharedPath("goldens/marian")])).toMatch(
      /^vocabulary +[\d,]+ pieces; the tokenizer is not here$/m,
    );
    rmSync(join(bart, "generation_config.json"));
  });

  test("fill-mask", async () => {
    const stdout = await output([
      "fill-mask",
      "--model",
      bert.maskedlm,
      "--top-k",
      "2",
      "--json",
      "a [MASK]",
    ]);
    const [{ text, fillings }] = json(stdout);
    expect(text).toBe("a [MASK]");
    expect(fillings).toHaveLength(2);
    expect(Object.keys(fillings[0])).toEqual(["score", "token", "token_str", "sequence"]);
    const plain = await output(["fill-mask", "--model", bert.maskedlm, "a [MASK]", "[MASK] cat"]);
    expect(lines(plain)).toHaveLength(10);
    expect(lines(plain)[0]).toMatch(/^0\.\d{4}\t/);
    const none = await qkv(["fill-mask", "--model", bert.maskedlm, "a cat"]);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("[MASK]")]);
  });

  test("classify: lines in order; what was cut is said", async () => {
    const input = write("texts.txt", `the cat\n${long}\ntwo trees\n`);
    const { code, stdout, stderr } = await qkv([
      "classify",
      "--model",
      bert.seqcls,
      "--input",
      input,
      "--json",
    ]);
    expect(code).toBe(0);
    const results = json(stdout);
    expect(results.map(({ text }) => text)).toEqual(["the cat", long, "two trees"]);
    expect(results.map(({ labels }) => labels[0].truncated)).toEqual([undefined, true, undefined]);
    expect(stderr).toContain("line 2 has");
    const piped = await output(["classify", "--model", bert.seqcls], { input: "the cat\n" });
    expect(piped).toMatch(/^0\.\d{4}\tLABEL_\d\n$/);
  });

  test("tag: places count code points", async () => {
    const text = "😀 the cat";
    const stdout = await output(["tag", "--model", bert.tokencls, "--json", text]);
    const [{ entities }] = json(stdout);
    for (const { start, end, word } of entities) expect([...text].slice(start, end).join("")).toBe(word);
    expect(await output(["tag", "--model", bert.tokencls, text])).toMatch(/^(1|0)\.\d{4}\tLABEL_\d\t/);
  });

  test("answer: from --context, a file, standard input", async () => {
    const context = `${long}\n${long}`;
    const model = ["--model", bert.qa];
    const answered = await output(["answer", "who sees", ...model, "--context", context]);
    expect(answered).toMatch(/^0\.\d{4}\t.+\n$/);
    const input = write("context.txt", `${context}\n`);
    expect(await output(["answer", "who sees", ...model, "--input", input])).toBe(answered);
    expect(await output(["answer", "who sees", ...model], { input: context })).toBe(answered);
    const several = await output([
      "answer",
      "who sees",
      ...model,
      "--input",
      input,
      "--top-k",
      "3",
      "--json",
    ]);
    expect(json(several)).toHaveLength(3);
    for (const { answer, start, end } of json(several)) expect(context.slice(start, end)).toBe(answer);
    const question = ["answer", "who sees", ...model, "--context", "the cat sees", "--top-k", "100"];
    expect(await output(question)).not.toContain("(no answer)");
    expect(await output([...question, "--handle-impossible-answer"])).toMatch(/^0\.\d{4}\t\(no answer\)$/m);
  });

  test("complete, summarize, translate", async () => {
    const stdout = await output(["complete", "--model", gpt2, "--max-new-tokens", "5", "--json", "the cat"]);
    expect(json(stdout)[0].completions[0]).toMatch(/^the cat/);
    const drawn = ["--do-sample", "--seed", "3", "--num-return-sequences", "2", "--max-new-tokens", "4"];
    expect(lines(await output(["complete", "--model", gpt2, ...drawn], { input: "the cat\n" }))).toHaveLength(
      2,
    );
    const summary = await output(["summarize", "--model", bart, "--max-new-tokens", "6", "two cats"]);
    const translation = await output(["translate", "--model", bart, "--max-new-tokens", "6", "two cats"]);
    expect(lines(summary)).toHaveLength(1);
    expect(translation).toBe(summary);
    const wrong = await qkv(["complete", "--model", bart, "two cats"]);
    expect([wrong.code, wrong.stdout]).toEqual([2, ""]);
  });

  test("--stream prints the same, token by token", async () => {
    const both = async (...args: string[]) => {
      const whole = await output([...args, "--no-stream", "--max-new-tokens", "7", "two cats", "a sun"]);
      const told = await output([...args, "--stream", "--max-new-tokens", "7", "two cats", "a sun"]);
      expect(told).toBe(whole);
      expect(whole).not.toBe("");
    };
    await both("complete", "--model", gpt2);
    await both("summarize", "--model", bart);
    await both("translate", "--model", bart);
    await both("translate");
    const mixed = await qkv(["complete", "--model", gpt2, "--stream", "--json", "the cat"]);
    expect([mixed.code, mixed.stderr]).toEqual([2, expect.stringContaining("--stream prints plain text")]);
  });

  test("weights stay in their file or are laid out anew", async () => {
    const run = (...flags: string[]) =>
      output(["complete", "--model", gpt2, "--max-new-tokens", "5", ...flags, "the cat"]);
    expect(await run("--prepacking")).toBe(await run("--no-prepacking"));
    await expect(pipeline("text-generation", gpt2, { prepacking: 1 } as object)).rejects.toThrow(
      "prepacking: must be true or false; got 1",
    );
  });

  test("embed and search", async () => {
    const model = ["--model", bert.base];
    const texts = "the cat\n\ntwo red trees\nten green trees in the sun\n";
    const input = write("lines.txt", texts);
    const [{ embedding }] = json(await output(["embed", ...model, "--normalize", "--json", "the cat"]));
    expect(embedding).toHaveLength(32);
    expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
    const hits = json(await output(["search", "two red trees", ...model, "--input", input, "--json"]));
    expect(hits).toHaveLength(3);
    expect(hits[0]).toMatchObject({ line: 3, text: "two red trees" });
    expect(hits[0].score).toBeCloseTo(1, 5);
    const one = await output(["search", "the cat", ...model, "--top-k", "1"], { input: texts });
    expect(one).toBe("1.0000\t1\tthe cat\n");
  });

  test("a model must be named, and be one", async () => {
    for (const verb of ["fill-mask", "classify", "tag", "answer", "summarize", "embed", "search"]) {
      const { code, stderr } = await qkv([verb, "a"]);
      expect([verb, code, stderr]).toEqual([verb, 2, expect.stringContaining("--model")]);
    }
    const { code, stderr } = await qkv(["classify", "--model", "no-such-folder", "a"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("no-such-folder")]);
  });

  test("pipeline: shapes of results as Transformers.js has them", async () => {
    const truncations: Truncation[] = [];
    const classify = await pipeline("text-classification", bert.seqcls, {
      threads: 1,
      onTruncated: (one) => truncations.push(one),
    });
    const [one] = await classify("the cat");
    expect(one).toEqual({ label: expect.stringMatching(/^LABEL_\d$/), score: expect.any(Number) });
    expect(await classify(["the cat", "two trees"])).toHaveLength(2);
    const [all] = await classify(["the cat"], { top_k: null });
    expect(all).toEqual(await classify("the cat", { topK: null }));
    await classify(["a", long]);
    expect(truncations).toMatchObject([{ index: 1 }]);
    const options = { topp_k: 2 } as object;
    await expect(classify("the cat", options)).rejects.toThrow('did you mean "topK"');
    await classify.dispose();
    const sentiment = await pipeline("sentiment-analysis", bert.seqcls, { threads: 1 });
    expect(await sentiment("the cat")).toEqual([one]);
    await sentiment.dispose();

    const answer = await pipeline("question-answering", bert.qa, { threads: 1 });
    expect(await answer("who sees", "the cat sees a tree")).toMatchObject({ answer: expect.any(String) });
    expect(await answer("who sees", "the cat sees a tree", { topK: 2 })).toHaveLength(2);
    expect(await answer(["who", "what"], "the cat sees a tree")).toHaveLength(2);
    await answer.dispose();

    const embed = await pipeline("feature-extraction", bert.base, { threads: 1 });
    const tokens = await embed(["the cat", "two red trees"]);
    expect(tokens.dims).toEqual([2, expect.any(Number), 32]);
    const pooled = await embed(["the cat", "two red trees"], { pooling: "mean" });
    expect(pooled.dims).toEqual([2, 32]);
    expect(pooled.tolist()).toHaveLength(2);
    await embed.dispose();

    const write = await pipeline("text-generation", gpt2, { threads: 1 });
    expect(await write("the cat", { max_new_tokens: 3 })).toEqual([{ generated_text: expect.any(String) }]);
    expect(await write(["the cat"], { max_new_tokens: 3 })).toEqual([
      [{ generated_text: expect.any(String) }],
    ]);

    expect(await write([], {})).toEqual([]);
    await write.dispose();

    await expect(pipeline("fill-mask")).rejects.toThrow("needs a model");
    await expect(pipeline("text-clasification" as "fill-mask", bert.base)).rejects.toThrow("did you mean");
    await expect(pipeline("fill-mask", bert.maskedlm, { thread: 1 } as object)).rejects.toThrow("threads");
  });

  test("pipeline: tokens as they come, and calls that are stopped", async () => {
    const write = await pipeline("text-generation", gpt2, { threads: 1 });
    const options = { maxNewTokens: 12, minNewTokens: 12 };
    const [whole] = await write("the cat", options);
    const heard: WrittenToken[] = [];
    await write("the cat", { ...options, onToken: (token) => heard.push(token) });
    expect(`the cat${heard.map(({ text }) => text).join("")}`).toBe(whole!.generated_text);
    const streamed: WrittenToken[] = [];
    for await (const token of write.stream("the cat", options)) streamed.push(token);
    expect(streamed).toEqual(heard);
    // Leaving the loop stops the writing, and the next call is answered.
    for await (const { index } of write.stream(["the cat", "a tree"], { ...options, maxNewTokens: 40 })) {
      expect(index).toBeTypeOf("number");
      break;
    }
    expect(await write("the cat", options)).toEqual([whole]);

    const stopped = new AbortController();
    const call = write("the cat", {
      maxNewTokens: 40,
      minNewTokens: 40,
      signal: stopped.signal,
      onToken: () => stopped.abort(),
    });
    await expect(call).rejects.toMatchObject({ code: "interrupted" });
    const before = write(["the cat"], { ...options, signal: AbortSignal.abort() });
    await expect(before).rejects.toMatchObject({ code: "interrupted" });
    const late = write("the cat", { ...options, maxNewTokens: 45, signal: AbortSignal.timeout(1) });
    await expect(late).rejects.toMatchObject({ code: "interrupted" });
    await expect(write("the cat", { signal: "now" } as object)).rejects.toThrow("must be an AbortSignal");
    await expect(write("the cat", { onToken: "me" } as object)).rejects.toThrow("must be a function");
    await write.dispose();

    const classify = await pipeline("text-classification", bert.seqcls, { threads: 1 });
    await expect(classify("the cat", { onToken: () => {} } as object)).rejects.toThrow("writes no tokens");
    await expect(classify("the cat", { signal: AbortSignal.abort() })).rejects.toThrow("before it began");
    await classify.dispose();
  });

  test("a translator tells its tokens and can be stopped", async () => {
    const translator = await loadTranslator();
    const tokens: WrittenToken[] = [];
    const texts = ["", "Good morning."];
    const onToken = (token: WrittenToken) => tokens.push(token);
    for (const numBeams of [1, 5]) {
      tokens.length = 0;
      const [, { text }] = (await translator.translate(texts, { numBeams }, { onToken })) as [
        unknown,
        { text: string },
      ];
      expect(tokens.map((token) => token.text).join("")).toBe(text);
      expect(new Set(tokens.map(({ index }) => index))).toEqual(new Set([1]));
    }
    const signal = AbortSignal.abort();
    await expect(translator.translate(texts, {}, { signal })).rejects.toMatchObject({ code: "interrupted" });
    await translator.dispose();
  });
});
