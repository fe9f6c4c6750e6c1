import { expect, test } from "vitest";
import { createModel } from "../../../src/models/families.ts";
import { positionTables, startOfPositions } from "../../../src/training/initial-positions.ts";
import { smallModels } from "../../cli/training-data.ts";

const ids = { pad_token_id: 0, bos_token_id: 1, eos_token_id: 2, decoder_start_token_id: 0 };
const parametersOf = (config: object) =>
  createModel({ vocab_size: 20, ...ids, ...config }, { head: "base" }, "test").parameters;

test.each([
  ["bert", ["encoder.positions"]],
  ["gpt2", ["positions"]],
  ["bart", ["encoder.positions", "decoder.positions"]],
  ["t5", []],
] as const)("%s learns the positions %j", (family, addresses) => {
  expect([...positionTables(parametersOf(smallModels[family]), "sinusoidal").keys()]).toEqual(addresses);
});

test("t5 learns biases of distances, which may begin spread", () => {
  const tables = new Map(startOfPositions("spread", parametersOf(smallModels.t5), 1));
  expect([...tables.keys()]).toEqual(["encoder.relativePositions", "decoder.relativePositions"]);
  for (const values of tables.values()) {
    const squares = values.reduce((sum, value) => sum + value * value, 0);
    expect(Math.sqrt(squares / values.length)).toBeCloseTo(2, 5);
    expect(new Set(values).size).toBe(values.length);
  }
});

test("nothing begins otherwise where all is drawn at random, or where there is no such table", () => {
  expect([...startOfPositions("random", parametersOf(smallModels.bert), 1)]).toEqual([]);
  expect([...startOfPositions("spread", parametersOf(smallModels.bert), 1)]).toEqual([]);
});

test.each([
  ["bert", "encoder.positions", { initializer_range: 0.05, hidden_size: 32 }],
  ["gpt2", "positions", { initializer_range: 0.05, n_embd: 32 }],
  ["bart", "decoder.positions", { init_std: 0.05, d_model: 32 }],
] as const)("%s: a table begins as sinusoids, as far spread as it would be", (family, address, sizes) => {
  const parameters = parametersOf({ ...smallModels[family], ...sizes });
  const values = new Map(startOfPositions("sinusoidal", parameters, 1)).get(address)!;
  const mean = values.reduce((sum, value) => sum + value * value, 0) / values.length;
  expect(Math.sqrt(mean)).toBeCloseTo(0.05, 2);
  // The angle between two positions depends on their distance alone.
  const row = (position: number) => values.subarray(position * 32, (position + 1) * 32);
  const product = (left: number, right: number) =>
    row(left).reduce((sum, value, index) => sum + value * row(right)[index]!, 0);
  expect(product(2, 3)).toBeCloseTo(product(7, 8), 5);
  expect(product(2, 3)).toBeGreaterThan(product(2, 5));
});
