import { describe, expect, test } from "vitest";
import { createModel } from "../../../src/models/families.ts";
import { inputsFromJson } from "../../../src/models/inputs.ts";

const sizes = {
  vocab_size: 10,
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 8,
  max_position_embeddings: 6,
};
const bert = createModel({ ...sizes, model_type: "bert", architectures: ["BertForTokenClassification"] });
const roberta = createModel({ ...sizes, model_type: "roberta" });
const read = (json: unknown, model = bert) => inputsFromJson(model, json);
const rows = (input: { data: ArrayLike<number>; shape: readonly number[] } | undefined) =>
  Array.from({ length: input!.shape[0]! }, (_, row) =>
    Array.from(input!.data).slice(row * input!.shape[1]!, (row + 1) * input!.shape[1]!),
  );

describe("inputs of a model", () => {
  test("what is not given takes its default", () => {
    const inputs = read({ input_ids: [[1, 2, 3]] });
    expect(Object.keys(inputs).sort()).toEqual(["attentionMask", "inputIds", "positionIds", "tokenTypeIds"]);
    expect(rows(inputs.attentionMask)).toEqual([[1, 1, 1]]);
    expect(rows(inputs.positionIds)).toEqual([[0, 1, 2]]);
  });

  test("RoBERTa counts positions from the padding's id on", () => {
    const ids = [
      [5, 6, 1, 1],
      [1, 7, 1, 8],
    ];
    expect(rows(read({ input_ids: ids }, roberta).positionIds)).toEqual([
      [2, 3, 1, 1],
      [1, 2, 1, 3],
    ]);
    expect(() => read({ input_ids: [[2, 2, 2, 2, 2]] }, roberta)).toThrow("4 positions at most");
  });

  test.each([
    [{ input_ids: [[1, 10]] }, "inputs: input_ids must be from 0 to 9; got 10 (row 0, position 1)"],
    [{ input_ids: [[1, -1]] }, "got -1"],
    [{ input_ids: [[0, 1, 2, 3, 4, 5, 6]] }, "6 positions at most in this model; got 7"],
    [{ input_ids: [] }, "input_ids must be [batch, sequence]; got [0]"],
    [{ input_ids: [[]] }, "at least one row and one column; got [1, 0]"],
    [{ input_ids: [[1, 2], [3]] }, "input_ids[1] must have 2 items, as the rows before it; got 1 items"],
    [{ input_ids: [[1, 2.5]] }, "input_ids[0][1] must be a whole number; got 2.5"],
    [{ input_ids: [[1, "2"]] }, 'input_ids[0][1] must be a whole number; got "2"'],
    [{ input_ids: [1, 2] }, "input_ids must be [batch, sequence]; got [2]"],
    [
      { input_ids: [[1, 2]], attention_mask: [[1]] },
      "attention_mask must be [batch=1, sequence=2]; got [1, 1]",
    ],
    [{ input_ids: [[1, 2]], labels: [[1, -100]], attention_masks: [[1]] }, 'did you mean "attention_mask"?'],
    [{ inputIds: [[1, 2]] }, 'did you mean "input_ids"?'],
    [{ attention_mask: [[1]] }, "input_ids is needed; got"],
    [[1], "must be an object"],
  ])("%j is refused", (json, message) => {
    expect(() => read(json)).toThrow(message);
  });
});

describe("config.json", () => {
  test.each([
    [
      { model_type: "bert", architectures: ["BertForNextSentencePrediction"] },
      "architectures must name one of BertModel, ",
    ],
    [{ model_type: "bret" }, 'got "bret" (did you mean "bert"?)'],
    [{}, "model_type must be one of bert, "],
    [
      { ...sizes, model_type: "bert", position_embedding_type: "relative_key" },
      'config.json: position_embedding_type: only "absolute" is supported; got "relative_key"',
    ],
    [{ ...sizes, model_type: "bert", is_decoder: true }, "is_decoder: only false is supported; got true"],
    [{ ...sizes, model_type: "bert", hidden_act: "mish" }, "hidden_act: only"],
    [
      { ...sizes, model_type: "bert", hidden_size: 5 },
      "hidden_size must be a multiple of num_attention_heads",
    ],
    [{ ...sizes, model_type: "bert", vocab_size: undefined }, "vocab_size: "],
  ])("%j is refused", (json, message) => {
    expect(() => createModel(json)).toThrow(message);
  });

  test("a head that was asked for", () => {
    const json = { ...sizes, model_type: "bert", architectures: ["BertForPreTraining"] };
    expect(createModel(json, { head: "masked-lm" }).architecture).toBe("BertForMaskedLM");
    expect(() => createModel(json, { head: "causal-lm" })).toThrow("a bert model can be base, masked-lm");
  });

  test("the number of labels and the kind of problem", () => {
    const json = { ...sizes, model_type: "bert" };
    const labels = (more: object) =>
      createModel({ ...json, ...more }, { head: "sequence-classification" }).inputs.labels;
    expect(labels({})).toMatchObject({ dtype: "int32", below: 2 });
    expect(labels({ id2label: { 0: "score" } })).toMatchObject({
      dtype: "float32",
      dims: [{ name: "batch" }],
    });
    expect(labels({ num_labels: 3, problem_type: "multi_label_classification" })).toMatchObject({
      dtype: "float32",
      dims: [{ name: "batch" }, { name: "label", size: 3 }],
    });
  });
});
