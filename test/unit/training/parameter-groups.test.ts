import { describe, expect, test } from "vitest";
import { createModel } from "../../../src/models/families.ts";
import { transformerParameters } from "../../../src/models/transformer.ts";
import { parseTransformerConfig } from "../../../src/models/transformer-config.ts";
import { listParameters } from "../../../src/nn/parameters.ts";
import { layersAbove, parameterGroups } from "../../../src/training/parameter-groups.ts";

const bert = createModel(
  {
    ...{
      model_type: "bert",
      architectures: ["BertForSequenceClassification"],
      vocab_size: 20,
      hidden_size: 8,
    },
    ...{ num_hidden_layers: 3, num_attention_heads: 2, intermediate_size: 16, max_position_embeddings: 10 },
  },
  {},
).parameters;
const gpt2 = createModel({
  ...{ model_type: "gpt2", architectures: ["GPT2LMHeadModel"], vocab_size: 20, n_embd: 8, n_layer: 2 },
  ...{ n_head: 2, n_positions: 10, bos_token_id: 1, eos_token_id: 1 },
}).parameters;
const t5 = createModel({
  ...{ model_type: "t5", architectures: ["T5ForConditionalGeneration"], vocab_size: 20, d_model: 8, d_kv: 4 },
  ...{ d_ff: 16, num_layers: 2, num_heads: 2 },
}).parameters;
const translator = transformerParameters(
  parseTransformerConfig(
    {
      ...{ model_type: "transformer", d_model: 8, num_attention_heads: 2, ffn_dim: 8, encoder_layers: 3 },
      ...{ decoder_layers: 1, vocab_size: 20, decoder_vocab_size: 20, max_position_embeddings: 10 },
      ...{ pad_token_id: 0, bos_token_id: 1, eos_token_id: 2, share_embeddings: "all" },
    },
    "test",
  ),
);

describe("the layers above a parameter", () => {
  const above = (tree: unknown) => layersAbove([...listParameters(tree).keys()]);
  test("of an encoder with a head", () => {
    const layers = above(bert);
    expect(layers.get("encoder.embedding")).toBe(4);
    expect(layers.get("encoder.embeddingNorm.gain")).toBe(4);
    expect(layers.get("encoder.layers.0.selfAttention.query.weight")).toBe(3);
    expect(layers.get("encoder.layers.2.feedForward.outer.bias")).toBe(1);
    expect(layers.get("pooler.weight")).toBe(0);
    expect(layers.get("textClassifier.bias")).toBe(0);
  });

  test("of a model whose layers lie at its top", () => {
    const layers = above(gpt2);
    expect(layers.get("positions")).toBe(3);
    expect(layers.get("layers.1.attention.output.weight")).toBe(1);
    expect(layers.get("finalNorm.gain")).toBe(0);
  });

  test("of two stacks, each by itself", () => {
    const layers = above(translator);
    expect(layers.get("encoder.embedding")).toBe(4);
    expect(layers.get("encoder.layers.0.feedForward.inner.weight")).toBe(3);
    expect(layers.get("decoder.layers.0.feedForward.inner.weight")).toBe(1);
    expect(above(t5).get("decoder.relativePositions")).toBe(3);
    expect(above(t5).get("decoder.finalNorm.gain")).toBe(0);
  });
});

describe("groups of parameters", () => {
  test("rates fall layer by layer", () => {
    const groups = parameterGroups(bert, { layerwiseDecay: 0.5 });
    expect(groups.get("textClassifier.weight")!.learningRateScale).toBe(1);
    expect(groups.get("encoder.layers.2.feedForward.outer.bias")!.learningRateScale).toBe(0.5);
    expect(groups.get("encoder.embedding")!.learningRateScale).toBe(0.0625);
  });

  test("norms and biases do not decay, whatever they are called", () => {
    const decays = (tree: unknown, weightDecayOn?: "all" | "weights") =>
      [...parameterGroups(tree, { weightDecay: 0.1, ...(weightDecayOn && { weightDecayOn }) })]
        .filter(([, { weightDecay }]) => weightDecay > 0)
        .map(([address]) => address);
    expect(decays(gpt2)).toEqual([...listParameters(gpt2).keys()]);
    for (const tree of [bert, gpt2, t5, translator]) {
      const kept = decays(tree, "weights");
      expect(kept.filter((address) => /bias$|gain$|relativePositions/.test(address))).toEqual([]);
      const all = [...listParameters(tree).keys()];
      expect(all.filter((address) => /\.weight$|embedding$/.test(address))).toEqual(
        kept.filter((address) => !/positions$|tokenTypes$/.test(address)),
      );
    }
  });

  test("frozen ones are left out", () => {
    const groups = parameterGroups(bert, { freeze: ["encoder.*", "pooler.bias"] });
    expect([...groups.keys()].sort()).toEqual([
      "pooler.weight",
      "textClassifier.bias",
      "textClassifier.weight",
    ]);
  });

  test("a pattern that names nothing is refused, and one that names everything", () => {
    expect(() => parameterGroups(bert, { freeze: ["encodr.*"] })).toThrow(
      'freeze: no parameter has the address "encodr.*"',
    );
    expect(() => parameterGroups(bert, { freeze: ["*"] })).toThrow(
      /freeze: something must be left to learn; got \*, which are all \d+ parameters/,
    );
  });
});
