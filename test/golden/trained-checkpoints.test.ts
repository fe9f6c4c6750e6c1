/** Small checkpoints that people trained, with the results that are known of them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { generateFromIds } from "../../src/tasks/node/generate-ids.ts";
import { openModelFolder } from "../../src/tasks/node/model-folder.ts";
import { traceModel } from "../../src/tasks/node/trace-model.ts";
import { hasShared, needsShared, readSharedJson, sharedPath } from "../shared.ts";
import { expectClose } from "./compare.ts";
import { runForward } from "./family-goldens.ts";

const weights = (name: string): string => sharedPath(`weights/${name}`);

describe.skipIf(!hasShared)(`trained checkpoints${needsShared}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ threads: 1 });
  });
  afterAll(() => device.dispose());

  /** What the model of a folder writes after each row of ids. */
  async function generate(folder: string, rows: readonly (readonly number[])[], maxNewTokens: number) {
    const options = { max_new_tokens: maxNewTokens, do_sample: false, num_beams: 1 };
    return (await generateFromIds(device, weights(folder), { input_ids: rows }, options)).generated;
  }

  describe("bart-g2p-us, which spells English words as phonemes", () => {
    interface Known {
      readonly encoder_input_ids: readonly number[];
      readonly encoder_last_hidden_state_0_0_8: readonly number[];
      readonly decoder_input_ids: readonly number[];
      readonly logits_0_0_16: readonly number[];
      readonly greedy: readonly {
        readonly word: string;
        readonly input_ids: readonly number[];
        readonly output_ids: readonly number[];
      }[];
      readonly transformer: { readonly output_ids: readonly number[] };
    }
    const known = () => readSharedJson<Known>("weights/bart-g2p-us/reference_outputs.json");

    /** Words of different length side by side, as in use. */
    const padded = (rows: readonly (readonly number[])[]) => {
      const longest = Math.max(...rows.map((row) => row.length));
      return rows.map((row) => [...row, ...Array<number>(longest - row.length).fill(0)]);
    };

    test("encoder and first scores", async () => {
      const { encoder_input_ids, decoder_input_ids, ...expected } = known();
      const inputs = { input_ids: [encoder_input_ids], decoder_input_ids: [decoder_input_ids] };
      const folder = await openModelFolder(weights("bart-g2p-us"));
      const got = await runForward(device, folder, inputs);
      const first = (name: string, count: number) => got.get(name)!.data.subarray(0, count);
      const close = { absolute: 5e-5, relative: 1e-5 };
      const { encoder_last_hidden_state_0_0_8: encoded, logits_0_0_16: scores } = expected;
      expectClose("encoder", first("encoder_last_hidden_state", 8), encoded, close);
      expectClose("scores", first("logits", 16), scores, close);
    });

    test("101 words", async () => {
      const { greedy, transformer, encoder_input_ids } = known();
      const words = [...greedy, { word: "transformer", input_ids: encoder_input_ids, ...transformer }];
      expect(words).toHaveLength(101);
      const generated = await generate("bart-g2p-us", padded(words.map(({ input_ids }) => input_ids)), 60);
      words.forEach(({ word, output_ids }, index) => {
        expect([1, ...generated[index]!], word).toEqual(output_ids);
      });
    });
  });

  test("capp-gpt2, which plans the steps of production: first scores and greedy continuations", async () => {
    interface Known {
      readonly cases: readonly {
        readonly input_ids: number[];
        readonly greedy_output_ids: number[];
        readonly first_step_logits: number[];
      }[];
    }
    const folder = await openModelFolder(weights("capp-gpt2"));
    expect(folder.generationConfig).toMatchObject({ eos_token_id: 51, pad_token_id: 52 });
    const { cases } = readSharedJson<Known>("weights/capp-gpt2/reference_outputs.json");
    for (const { input_ids, greedy_output_ids, first_step_logits } of cases) {
      const { data } = (await runForward(device, folder, { input_ids: [input_ids] })).get("logits")!;
      const last = data.subarray(data.length - first_step_logits.length);
      expectClose("scores", last, first_step_logits, { absolute: 1e-4, relative: 1e-5 });
      const [added] = await generate("capp-gpt2", [input_ids], greedy_output_ids.length - input_ids.length);
      expect([...input_ids, ...added!]).toEqual(greedy_output_ids);
    }
  });

  describe("gpt-nano-sort, a minGPT that sorts numbers, with an output table of its own", () => {
    interface Activation {
      readonly shape: readonly number[];
      readonly data: string;
    }
    const ends = [0, 1, 2].flatMap((a) => [0, 1, 2].map((b) => [a, b]));

    test("every activation of a forward pass", async () => {
      const known = readSharedJson<Record<string, Activation>>(
        "weights/gpt-nano-sort/gpt-nano-sort-t0-partials.json",
      );
      const numbers = (name: string) =>
        new Float32Array(Uint8Array.from(Buffer.from(known[name]!.data, "base64")).buffer);
      const ids = numbers("idx");
      const rows = [0, 1, 2].map((row) => [...ids.subarray(11 * row, 11 * (row + 1))]);
      const values = await traceModel(device, weights("gpt-nano-sort"), { input_ids: rows });
      const got = new Map(values.map((value) => [value.address, value]));
      const addresses = {
        tok_emb: "tokens",
        x: "embedded",
        ln1: "layers.0.attentionNorm",
        q: "layers.0.attention.queries",
        k: "layers.0.attention.keys",
        v: "layers.0.attention.values",
        attSm: "layers.0.attention.weights",
        yProj: "layers.0.attention.output",
        attnResid: "layers.0.attentionResidual",
        ln2: "layers.0.feedForwardNorm",
        gelu: "layers.0.feedForward.inner",
        mlp: "layers.0.feedForward.output",
        mlpResid: "layers.0.feedForwardResidual",
        block0: "layers.0.output",
        block1: "layers.1.output",
        block2: "layers.2.output",
        ln_f: "output",
        lm_head: "logits",
      };
      for (const [name, address] of Object.entries(addresses)) {
        const { shape, data } = got.get(address)!;
        expect(shape, address).toEqual(known[name]!.shape);
        expectClose(address, data, numbers(name), { absolute: 2e-5, relative: 1e-5 });
      }
    });

    test("sorts", async () => {
      const rows = ends.map(([a, b]) => [a!, 2, 0, b!, 1, 0]);
      const sorted = rows.map((row) => row.toSorted((left, right) => left - right));
      expect(await generate("gpt-nano-sort", rows, 6)).toEqual(sorted);
    });
  });

  test("tiny-random-gpt2, whose results a plain ONNX graph of it gave", async () => {
    const rows = [
      [0, 0, 0, 52],
      [0, 0, 195, 731],
    ];
    expect(await generate("tiny-random-gpt2", rows, 6)).toEqual([
      [204, 204, 204, 204, 204, 204],
      [731, 114, 114, 114, 114, 114],
    ]);
  });

  test("gpt2-toy-16d loads, with its tokenizer", async () => {
    const folder = await openModelFolder(weights("gpt2-toy-16d"));
    const ids = folder.tokenizers!.source.encodeIds("Hello world");
    const { shape, data } = (await runForward(device, folder, { input_ids: [ids] })).get("logits")!;
    expect(shape).toEqual([1, 2, 50_257]);
    expect(data.every(Number.isFinite)).toBe(true);
  });
});
