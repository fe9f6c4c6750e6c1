import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { makeFolder, output, program, qkv, start, tiny, writeCorpus } from "./qkv.ts";

const folder = makeFolder();
const { en, de } = writeCorpus(folder, "train", 300);
const small = writeCorpus(folder, "small", 12, 9);
const model = join(folder, "model");
const lines = (text: string) => text.replace(/\n$/, "").split("\n");
const fast = ["--model", model, "--num-beams", "1", "--max-new-tokens", "12"];

beforeAll(async () => {
  await output(["train", "--source", en, "--target", de, "--out", model, "--max-steps", "20", ...tiny]);
});

describe("qkv translate", () => {
  test("arguments, a file and standard input give the same lines in the same order", async () => {
    const texts = lines(readFileSync(small.en, "utf8"));
    const ofArguments = await output(["translate", ...fast, ...texts]);
    expect(lines(ofArguments)).toHaveLength(12);
    expect(await output(["translate", ...fast, "--input", small.en])).toBe(ofArguments);
    const input = readFileSync(small.en);
    expect(await output(["translate", ...fast], { input })).toBe(ofArguments);
    const target = join(folder, "out.de");
    expect(await output(["translate", ...fast, "--input", small.en, "--output", target])).toBe("");
    expect(readFileSync(target, "utf8")).toBe(ofArguments);
    expect(await output(["translate", ...fast, "--threads", "1", ...texts])).toBe(ofArguments);
  });

  test("keeps empty lines, forgives \\r, a missing last line break and a byte order mark", async () => {
    const [first] = lines(await output(["translate", ...fast, "one tree"]));
    const stdout = await output(["translate", ...fast], { input: "\uFEFFone tree\r\n\n  \none tree" });
    expect(stdout).toBe(`${first}\n\n\n${first}\n`);
    expect(await output(["translate", ...fast], { input: "" })).toBe("");
  });

  test("more lines than one chunk stay in order", async () => {
    const input = Array.from({ length: 1300 }, (_, line) => (line % 3 === 0 ? "\n" : "one tree\n")).join("");
    const stdout = await output(["translate", ...fast, "--max-new-tokens", "2"], { input });
    expect(lines(stdout)).toHaveLength(1300);
    const isEmpty = lines(stdout).map((line) => line === "");
    expect(isEmpty).toEqual(isEmpty.map((_, index) => index % 3 === 0));
  });

  test("answers a slow pipe line by line", async () => {
    const child = spawn(process.execPath, [program, "translate", ...fast], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const answer = () =>
      new Promise<string>((resolve) => child.stdout.once("data", (text) => resolve(String(text))));
    for (let line = 0; line < 3; line++) {
      const answered = answer();
      child.stdin.write("two cats and one tree\n");
      expect(lines(await answered)).toHaveLength(1);
    }
    child.stdin.end();
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
  });

  test("--json and the n best", async () => {
    const stdout = await output([
      "translate",
      "--model",
      model,
      "--num-return-sequences",
      "3",
      "--json",
      "one tree",
    ]);
    const { source, translation, score, hypotheses } = JSON.parse(stdout);
    expect(source).toBe("one tree");
    expect(hypotheses).toHaveLength(3);
    expect(hypotheses[0]).toEqual({ text: translation, score });
    expect(hypotheses[1].score).toBeLessThanOrEqual(score);
    const plain = await output(["translate", "--model", model, "--num-return-sequences", "2", "one tree"]);
    expect(lines(plain)).toHaveLength(2);
    for (const line of lines(plain)) expect(line).toMatch(/^-\d+\.\d{4}\t/);
  });

  test("sampling depends on the seed only", async () => {
    const sample = (seed: string) =>
      output([
        "translate",
        "--model",
        model,
        "--do-sample",
        "--top-k",
        "50",
        "--seed",
        seed,
        "one tree and two cats",
      ]);
    expect(await sample("1")).toBe(await sample("1"));
    const different = new Set([await sample("1"), await sample("2"), await sample("3")]);
    expect(different.size).toBeGreaterThan(1);
  });

  test("options that act on drawn tokens are refused where none are drawn", async () => {
    const { code, stderr } = await qkv(["translate", ...fast, "--temperature", "0.5", "a cat"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("temperature acts on tokens that are drawn")]);
  });

  test("says where a source was cut", async () => {
    const long = "one tree and ".repeat(400);
    const { code, stderr } = await qkv(["translate", ...fast], { input: `one tree\n${long}\n` });
    expect(stderr).toBe("qkv: line 2 is longer than the model can read; its end was left out\n");
    expect(code).toBe(0);
  });

  test("a reader that goes away ends it quietly", async () => {
    const command = `yes "one tree" | head -3000 | "${process.execPath}" "${program}" translate --model "${model}" --num-beams 1 | head -1`;
    const child = spawn("bash", ["-c", `set -o pipefail; ${command}; echo "\${PIPESTATUS[2]}"`]);
    let text = "";
    let errors = "";
    child.stdout.on("data", (piece) => (text += piece));
    child.stderr.on("data", (piece) => (errors += piece));
    await new Promise((resolve) => child.on("close", resolve));
    expect(errors).toBe("");
    expect(lines(text)).toHaveLength(2);
    expect(lines(text)[1]).toBe("0");
  });

  test("Ctrl-C ends it with 130 and leaves no half-written file", async () => {
    const target = join(folder, "stopped.de");
    const { child, result } = start([
      "translate",
      "--model",
      model,
      "--input",
      en,
      "--output",
      target,
      "--num-beams",
      "8",
    ]);
    setTimeout(() => child.kill("SIGINT"), 1000);
    const { code, signal } = await result;
    expect(code === 130 || signal === "SIGINT", `${code} ${signal}`).toBe(true);
    if (code === 130) expect(readdirSync(folder).filter((name) => name.endsWith(".partial"))).toEqual([]);
    expect(existsSync(target)).toBe(false);
  });
});

describe("qkv evaluate", () => {
  const args = ["evaluate", model, "--source", small.en, "--references", small.de, "--num-beams", "1"];

  test("prints scores, signatures and the speed, as score does of the same translations", async () => {
    const target = join(folder, "hypotheses.de");
    const stdout = await output([...args, "--output", target, "--lowercase"]);
    const [bleu, signature, chrf] = lines(stdout);
    expect(bleu).toMatch(/^BLEU = \d+\.\d\d /);
    expect(signature).toMatch(/^nrefs:1\|case:lc\|eff:no\|tok:13a\|smooth:exp\|version:/);
    expect(chrf).toMatch(/^chrF2 = /);
    expect(lines(stdout).at(-1)).toMatch(/^12 sentences in \d+\.\d s: \d+\.\d a second$/);
    const scored = await output(["score", "--hypotheses", target, "--references", small.de, "--lowercase"]);
    expect(lines(scored)).toEqual([bleu, signature]);
  });

  test("--json, one metric, examples", async () => {
    const stdout = await output([...args, "--metric", "chrf++", "--examples", "2", "--json"]);
    const result = JSON.parse(stdout);
    expect(Object.keys(result)).toEqual([
      "chrf++",
      "sentences",
      "seconds",
      "sentencesPerSecond",
      "best",
      "worst",
    ]);
    expect(result["chrf++"].signature).toContain("nw:2");
    expect(result.best).toHaveLength(2);
    expect(result.best[0].chrf).toBeGreaterThanOrEqual(result.worst[0].chrf);
  });
});

describe("qkv info", () => {
  test("says how large a model is", async () => {
    const { parameters, sourceVocabulary, config } = JSON.parse(await output(["info", model, "--json"]));
    expect(sourceVocabulary).toBe(320);
    expect(config.d_model).toBe(16);
    expect(parameters).toBeGreaterThan(320 * 16);
    expect(await output(["info", model])).toMatch(/^vocabulary +320 pieces for both sides$/m);
  });
});

describe("qkv tokenize", () => {
  test("prints readable pieces, ids and JSON; --decode turns ids back", async () => {
    const text = "one tree 👋🏽 ümlaut";
    const plain = await output(["tokenize", model, "--text", "one tree"]);
    expect(plain.replaceAll("│", "").trim()).toBe("one tree");
    const ids = await output(["tokenize", model, "--ids", "--text", text]);
    expect(await output(["tokenize", model, "--decode"], { input: ids })).toBe(`${text}\n`);
    const json = JSON.parse(await output(["tokenize", model, "--json", "--text", text]));
    expect(json.ids.join(" ")).toBe(ids.trim());
    expect(json.tokens).toHaveLength(json.ids.length);
    const ends = json.offsets.map(([, end]: [number, number]) => end);
    expect(Math.max(...ends)).toBe([...text].length);
  });

  test("reads a tokenizer.json, a file and standard input line by line", async () => {
    const file = join(model, "tokenizer.json");
    const ofFile = await output(["tokenize", file, "--json", "--input", small.en]);
    expect(lines(ofFile)).toHaveLength(12);
    expect(await output(["tokenize", model, "--json"], { input: readFileSync(small.en) })).toBe(ofFile);
  });

  test("learns a tokenizer that it can use", async () => {
    const out = join(folder, "learned.json");
    const args = ["tokenizer", "learn", "--input", en, de, "--vocab-size", "300", "--out", out];
    expect((await qkv(args)).stderr).toContain("300 pieces, learned from 600 lines");
    expect(await output(["tokenize", out, "--text", "one tree"])).toContain("│");
    const first = readFileSync(out);
    await output(args);
    expect(readFileSync(out).equals(first)).toBe(true);
  });
});

describe("qkv trace", () => {
  test("explains the flow and writes values", async () => {
    const printed = await output(["trace", model, "--text", "one tree", "--target", "ein Baum", "--print"]);
    expect(printed).toContain("ENCODER");
    expect(printed).toContain("decoder.layers.0.crossAttention.weights");
    const out = join(folder, "values.safetensors");
    await output(["trace", model, "--text", "one tree", "--address", "*.weights", "--out", out]);
    expect(readFileSync(out).subarray(8, 2000).toString()).toContain(
      "encoder.layers.0.selfAttention.weights",
    );
    const { code, stderr } = await qkv(["trace", model, "--text", "x", "--address", "logit"]);
    expect(stderr).toContain('did you mean "logits"');
    expect(code).toBe(2);
  });
});

test("damaged weights are told and not used", async () => {
  const path = join(model, "model.safetensors");
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, whole.length - 100));
  const { code, stderr } = await qkv(["translate", ...fast, "one tree"]);
  writeFileSync(path, whole);
  expect(stderr).toContain("model.safetensors");
  expect(code).toBe(2);
});
