import { describe, expect, test } from "vitest";
import {
  bindBase,
  bindCheckpoint,
  type CheckpointNames,
  linearNames,
  nameTensors,
  normNames,
  valuesOf,
} from "../../../src/weights/checkpoint-names.ts";
import { summarizeNames } from "../../../src/weights/summarize-names.ts";

const names: CheckpointNames = {
  base: "model.",
  tensors: {
    embedding: "model.wte",
    "layers.{layer}.query": { name: "model.h.{layer}.packed", part: { index: 0, count: 2, axis: 0 } },
    "layers.{layer}.key": { name: "model.h.{layer}.packed", part: { index: 1, count: 2, axis: 0 } },
    "layers.{layer}.inner": { name: "model.h.{layer}.fc", transposed: true },
    ...normNames("norm", "model.ln"),
    bias: { name: "final_bias", leadingAxis: true },
    "head.weight": "head.weight",
    ...linearNames("classifier", "classifier"),
  },
  olderEndings: { ".gamma": ".weight", ".beta": ".bias" },
  ignored: ["model.h.{layer}.mask"],
};
const wanted = new Map([
  ["embedding", [5, 2]],
  ["layers.0.query", [2, 3]],
  ["layers.0.key", [2, 3]],
  ["layers.0.inner", [2, 4]],
  ["layers.1.query", [2, 3]],
  ["layers.1.key", [2, 3]],
  ["layers.1.inner", [2, 4]],
  ["norm.gain", [2]],
  ["norm.bias", [2]],
  ["bias", [5]],
]);
const stored = (...entries: [name: string, shape: number[]][]) =>
  new Map(entries.map(([name, shape]) => [name, { shape }]));
const complete: [name: string, shape: number[]][] = [
  ["model.wte", [5, 2]],
  ["model.h.0.packed", [4, 3]],
  ["model.h.0.fc", [4, 2]],
  ["model.h.1.packed", [4, 3]],
  ["model.h.1.fc", [4, 2]],
  ["model.ln.weight", [2]],
  ["model.ln.bias", [2]],
  ["final_bias", [1, 5]],
];
const bind = (...entries: [name: string, shape: number[]][]) =>
  bindCheckpoint(wanted, stored(...entries), names, "file");

describe("names of checkpoints", () => {
  test("every parameter finds its tensor", () => {
    const bound = bind(...complete);
    expect([...bound.keys()]).toEqual([...wanted.keys()]);
    expect(bound.get("layers.1.key")!.name).toBe("model.h.1.packed");
  });

  test("without the base's prefix, with older endings, and with what is knowingly ignored", () => {
    const older = complete.map(([name, shape]): [string, number[]] => [
      name
        .replace(/^model\./, "")
        .replace("ln.weight", "ln.gamma")
        .replace("ln.bias", "ln.beta"),
      shape,
    ]);
    // A head that this model lacks, and buffers that no model needs.
    const bound = bind(...older, ["head.weight", [5, 2]], ["classifier.bias", [3]], ["h.1.mask", [9]]);
    expect(bound.get("norm.gain")!.name).toBe("ln.gamma");
    expect(bound.size).toBe(wanted.size);
  });

  test("one error tells all that does not fit", () => {
    const wrong = complete
      .filter(([name]) => name !== "model.wte")
      .map(([name, shape]): [string, number[]] => (name === "model.h.1.fc" ? [name, [2, 4]] : [name, shape]));
    expect(() =>
      bind(...wrong, ["model.h.2.packed", [4, 3]], ["model.h.3.packed", [4, 3]], ["other", [1]]),
    ).toThrow(
      "got missing: model.wte; left over: model.h.{2-3}.packed, other; " +
        "different: model.h.1.fc is [2, 4], must be [4, 2]",
    );
    expect(() => bind(...complete, ["wte", [5, 2]])).toThrow("one tensor under two names: model.wte and wte");
  });

  test("a tensor of the base model alone that a parameter's pattern names is no other head's", () => {
    expect(() => bind(...complete, ["h.7.fc", [4, 2]])).toThrow("left over: h.7.fc");
  });

  test("values go into a checkpoint and come back", () => {
    const values = new Map(
      [...wanted].map(([address, shape], place) => {
        const length = shape.reduce((left, right) => left * right, 1);
        return [address, { shape, data: Float32Array.from({ length }, (_, index) => 100 * place + index) }];
      }),
    );
    const tensors = nameTensors(values, names, { withBase: true });
    expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual(complete);
    expect([...tensors.get("model.h.0.packed")!.data.slice(5, 7)]).toEqual([105, 200]);
    expect([...tensors.get("model.h.0.fc")!.data]).toEqual([300, 304, 301, 305, 302, 306, 303, 307]);
    for (const [address, bound] of bindCheckpoint(wanted, tensors, names, "file")) {
      expect(valuesOf(bound, tensors.get(bound.name)!.data), address).toEqual(values.get(address)!.data);
    }
    expect([...nameTensors(values, names, { withBase: false }).keys()]).toContain("h.0.packed");
  });

  test("columns of a packed tensor", () => {
    const columns: CheckpointNames = {
      base: "",
      tensors: {
        query: { name: "packed", part: { index: 0, count: 2, axis: 1 } },
        key: { name: "packed", part: { index: 1, count: 2, axis: 1 } },
      },
    };
    const shapes = new Map([
      ["query", [2, 2]],
      ["key", [2, 2]],
    ]);
    const data = Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7]);
    const bound = bindCheckpoint(shapes, stored(["packed", [2, 4]]), columns, "file");
    expect([...valuesOf(bound.get("key")!, data)]).toEqual([2, 3, 6, 7]);
    const values = new Map(
      [...bound].map(([address, tensor]) => [address, { shape: [2, 2], data: valuesOf(tensor, data) }]),
    );
    expect(nameTensors(values, columns, { withBase: true }).get("packed")!.data).toEqual(data);
  });

  test("names that differ in a number are written as one", () => {
    expect(summarizeNames(["a.0.w", "a.1.w", "a.3.w", "b", "c.5.w"])).toBe("a.{0-1,3}.w, b, c.5.w");
  });
});

describe("a checkpoint for another head", () => {
  const withClassifier = new Map([...wanted, ["classifier.weight", [3, 2]], ["classifier.bias", [3]]]);
  const base = (...entries: [name: string, shape: number[]][]) =>
    bindBase(withClassifier, stored(...entries), names, "file");

  test("what lies outside layers and embeddings may be absent, and is told", () => {
    const { bound, absent, unused } = base(...complete);
    expect(absent).toEqual(["classifier.weight", "classifier.bias"]);
    expect(unused).toEqual([]);
    expect([...bound.keys()]).toEqual([...wanted.keys()]);
  });

  test("a head of another size counts as absent; what has no use is told", () => {
    const other: [name: string, shape: number[]][] = [
      ["classifier.weight", [7, 2]],
      ["classifier.bias", [7]],
      ["something.else", [1]],
    ];
    const { bound, absent, unused } = base(...complete, ...other);
    expect(absent).toEqual(["classifier.weight", "classifier.bias"]);
    expect(unused).toEqual(["something.else"]);
    expect(bound.has("classifier.weight")).toBe(false);
  });

  test("a layer or a table of embeddings must be there, and fit", () => {
    const without = (name: string) => complete.filter(([own]) => own !== name);
    expect(() => base(...without("model.h.1.packed"))).toThrow("missing: model.h.1.packed");
    expect(() => base(...without("model.wte"), ["model.wte", [6, 2]])).toThrow(
      "different: model.wte is [6, 2], must be [5, 2]",
    );
  });
});
