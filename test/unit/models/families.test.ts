import { describe, expect, test } from "vitest";
import { createModel, families } from "../../../src/models/families.ts";
import { listParameters, shapeOf } from "../../../src/nn/parameters.ts";

const size = (parameters: unknown): number =>
  [...listParameters(parameters).values()].reduce(
    (sum, spec) => sum + shapeOf(spec).reduce((left, right) => left * right, 1),
    0,
  );

describe("GPT-2's configuration", () => {
  const gpt2 = {
    model_type: "gpt2",
    vocab_size: 50_257,
    n_embd: 768,
    n_head: 12,
    n_layer: 12,
    n_positions: 1024,
  };
  const headed = { ...gpt2, architectures: ["GPT2LMHeadModel"] };

  test("has the sizes of the paper's smallest model", () => {
    const model = createModel(headed);
    expect(size(model.parameters)).toBe(124_439_808);
    expect(model.config).toMatchObject({ bosTokenId: 50_256, eosTokenId: 50_256 });
  });

  test("of GPT-3's shape is accepted", () => {
    const model = createModel({ ...headed, n_embd: 12_288, n_head: 96, n_layer: 96, n_positions: 2048 });
    expect(model.config).toMatchObject({ modelDim: 12_288, layerCount: 96, maxPositions: 2048 });
    expect(size(model.parameters) / 1e9).toBeCloseTo(174.6, 1);
  });

  test("with a table of its own for the output has so much more, where there is an output", () => {
    const untied = { ...headed, tie_word_embeddings: false };
    expect(size(createModel(untied).parameters)).toBe(124_439_808 + 50_257 * 768);
    expect(size(createModel(untied, { head: "base" }).parameters)).toBe(124_439_808);
  });

  test.each([
    [{ n_head: 11 }, /n_embd must be a multiple of n_head; got 768 and 11/],
    [{ add_cross_attention: true }, /add_cross_attention: only false is supported; got true/],
    [
      { activation_function: "quick_gelu" },
      /activation_function: only .*"gelu_new".* are supported; got "quick_gelu"/,
    ],
    [{ n_layer: undefined }, /n_layer: /],
  ])("%j is refused", (change, message) => {
    expect(() => createModel({ ...headed, ...change })).toThrow(message);
  });
});

describe("what there is not", () => {
  test("a family, told by its name with those that there are", () => {
    const llama = { model_type: "llama", architectures: ["LlamaForCausalLM"] };
    const known = families.map(({ modelType }) => modelType).join(", ");
    expect(() => createModel(llama)).toThrow(`must be one of ${known}; got "llama" (LlamaForCausalLM)`);
    expect(() => createModel({})).toThrow("got none");
  });

  test("an architecture, told by its name with those that there are", () => {
    const other = { model_type: "bert", architectures: ["BertForMultipleChoice"] };
    expect(() => createModel(other)).toThrow(
      /must name one of BertModel, BertForMaskedLM, .*T5ForConditionalGeneration.*; got "BertForMultipleChoice"/,
    );
  });

  test("a head that the family has not", () => {
    expect(() => createModel({ model_type: "gpt2" }, { head: "masked-lm" })).toThrow(
      "a gpt2 model can be base, causal-lm; got masked-lm",
    );
  });
});
