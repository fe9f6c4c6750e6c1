import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openCpu } from "../../../src/runtime/node/engine.ts";
import { trainTranslation } from "../../../src/tasks/node/train-translation.ts";
import { Tokenizer } from "../../../src/tokenizers/tokenizer.ts";
import { parseRecipe } from "../../../src/training/recipe.ts";
import type { RunEvent } from "../../../src/training/run-events.ts";
import type { TranslationRecipe } from "../../../src/training/translation-recipe.ts";
import { parse } from "../../../src/weights/safetensors.ts";
import { toFloat32 } from "../../../src/weights/stored-tensor.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "qkv-train-"));
  const lines = (words: string[]) =>
    Array.from({ length: 60 }, (_, index) => `${words[index % 3]} ${words[(index * 7) % 3]}\n`).join("");
  writeFileSync(join(folder, "a.en"), lines(["cat", "dog", "tree"]));
  writeFileSync(join(folder, "a.de"), lines(["Katze", "Hund", "Baum"]));
  writeFileSync(
    join(folder, "vectors.txt"),
    "cat 3 0 0 0 0 0 0 4\ndog 0 1 0 0 0 0 0 0\nunheard 1 1 1 1 1 1 1 1\n",
  );
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("embeddings of whole words begin with the vectors of a file, brought to length 1", async () => {
  const recipe = parseRecipe(
    {
      data: { train_source: "a.en", train_target: "a.de" },
      tokenizer: { vocab_size: 300 },
      model: { d_model: 8, num_attention_heads: 2, ffn_dim: 8, encoder_layers: 1, decoder_layers: 1 },
      training: {
        max_steps: 1,
        learning_rate: 1e-9,
        warmup_steps: 0,
        source_word_vectors: "vectors.txt",
        average_checkpoints: 1,
      },
    },
    "test",
  ) as TranslationRecipe;
  const device = await openCpu({ threads: 1 });
  const events: RunEvent[] = [];
  const directory = join(folder, "run");
  const options = {
    recipe,
    directory,
    dataFolder: folder,
    resume: false,
    device,
    signal: new AbortController().signal,
  };
  expect(await trainTranslation({ ...options, onEvent: (event) => events.push(event) })).toBe("finished");
  await device.dispose();

  expect(
    events.some(
      (event) => event.type === "message" && /2 of \d+ pieces begin with a word's vector/.test(event.text),
    ),
  ).toBe(true);
  const { tensors } = parse(readFileSync(join(directory, "model.safetensors")));
  const table = toFloat32(tensors.get("encoder.embedding")!, "table");
  const tokenizer = Tokenizer.fromJson(JSON.parse(readFileSync(join(directory, "tokenizer.json"), "utf8")));
  const rowOf = (word: string) => {
    const [id] = tokenizer.encodeIds(word);
    return Array.from(table.subarray(id! * 8, (id! + 1) * 8), (value) => Math.round(value * 1e4) / 1e4 + 0);
  };
  expect(rowOf("cat")).toEqual([0.6, 0, 0, 0, 0, 0, 0, 0.8]);
  expect(rowOf("dog")).toEqual([0, 1, 0, 0, 0, 0, 0, 0]);
});
