/** `qkv tokenize --input FILE --json` against the reference's encodings, with nothing but a tokenizer.json. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../shared.ts";
import { makeFolder, output } from "./qkv.ts";

interface Encoded {
  readonly ids: number[];
  readonly tokens: string[];
  readonly offsets: [number, number][];
}
interface Golden {
  readonly single: readonly { readonly text: string; readonly with_special: Encoded }[];
}

const folder = makeFolder();
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const objects = (stdout: string): Encoded[] =>
  stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));

/** A folder with nothing but the tokenizer.json of another. */
function bareFolder(name: string): string {
  const bare = join(folder, name.replaceAll("/", "-"));
  mkdirSync(bare, { recursive: true });
  copyFileSync(sharedPath(`${name}/tokenizer.json`), join(bare, "tokenizer.json"));
  return bare;
}

describe.skipIf(!hasShared)(`qkv tokenize --json${needsShared}`, () => {
  test.each([
    "bert_cased",
    "bert_uncased",
    "gpt2",
    "llama2_style",
    "llama3_style",
    "roberta",
    "t5",
  ])("%s: ids, tokens and offsets of every text", async (name) => {
    const { single } = readSharedJson<Golden>(`goldens/tokenizers/${name}/golden.json`);
    const cases = single.filter(({ text }) => !text.includes("\n"));
    expect(cases.length).toBeGreaterThan(30);
    const input = file(`${name}.txt`, cases.map(({ text }) => `${text}\n`).join(""));
    const expected = cases.map(({ with_special: { ids, tokens, offsets } }) => ({ ids, tokens, offsets }));
    for (const model of [
      sharedPath(`goldens/tokenizers/${name}`),
      bareFolder(`goldens/tokenizers/${name}`),
    ]) {
      expect(objects(await output(["tokenize", model, "--input", input, "--json"]))).toEqual(expected);
    }
  });

  test("a line is all that stands between two \\n, from a file and from standard input", async () => {
    const model = bareFolder("tokenizers/gpt2");
    const text = "\uFEFFa\r\n\r\n\nb\u2028c\u0085d\f\v\n\n😀e\n";
    const lines = text.split("\n").slice(0, -1);
    const got = objects(await output(["tokenize", model, "--input", file("lines.txt", text), "--json"]));
    expect(got.map(({ tokens }) => tokens.length === 0)).toEqual(lines.map((line) => line === ""));
    expect(got.map(({ offsets }) => offsets.at(-1)?.[1] ?? 0)).toEqual(lines.map((line) => [...line].length));
    expect(objects(await output(["tokenize", model, "--json"], { input: text }))).toEqual(got);
    expect(await output(["tokenize", model, "--input", file("nothing.txt", ""), "--json"])).toBe("");
  });
});
