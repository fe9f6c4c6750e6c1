/** Objectives against formulas in double precision, and their gradients against finite differences. */
import { describe, expect, test } from "vitest";
import { gradients } from "../../../src/autodiff/gradients.ts";
import { constant, parameter } from "../../../src/graph/build.ts";
import { dim } from "../../../src/graph/dims.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { createModel } from "../../../src/models/families.ts";
import type { HostInput, Model } from "../../../src/models/family.ts";
import { completeInputs } from "../../../src/models/inputs.ts";
import { cosineLoss, distillationLoss, unitVectors, weightedCrossEntropy } from "../../../src/nn/losses.ts";
import { initialValues, listParameters, parameterTensors } from "../../../src/nn/parameters.ts";
import type { DeviceArray } from "../../../src/runtime/device.ts";
import type { Objective } from "../../../src/training/learner.ts";
import { contrastiveObjective } from "../../../src/training/objectives/contrastive.ts";
import { distillationObjective } from "../../../src/training/objectives/distillation.ts";
import { type ModelBatch, modelObjective } from "../../../src/training/objectives/model-objective.ts";
import { balancedWeights, weightedObjective } from "../../../src/training/objectives/weighted-labels.ts";
import { RandomStream, randomKey } from "../../../src/util/random.ts";
import { evaluate } from "../../interpreter/evaluate.ts";

const none = { inputs: new Map(), parameters: new Map(), randomness: undefined };
const numberOf = (tensor: Tensor) => evaluate(new Map([["", tensor]]), none, new Map()).get("")!.data[0]!;
const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

function softmax(row: readonly number[], temperature = 1): number[] {
  const powers = row.map((value) => Math.exp(value / temperature));
  return powers.map((value) => value / total(powers));
}

describe("losses", () => {
  const batch = dim("batch", 2);
  const label = dim("label", 3);
  const x = [
    [0.5, -1, 2],
    [3, 0.1, -0.4],
  ];
  const y = [
    [1, 1.5, -2],
    [-0.3, 0.2, 0.9],
  ];
  const matrix = (rows: number[][]) => constant(rows.flat(), [batch, label]);
  const divergence = (row: number, temperature: number) => {
    const [p, q] = [softmax(y[row]!, temperature), softmax(x[row]!, temperature)];
    return temperature ** 2 * total(p.map((own, at) => own * Math.log(own / q[at]!)));
  };

  test.each([1, 2, 5])("distance from a teacher at temperature %d", (temperature) => {
    const loss = (weights: number[]) =>
      distillationLoss(matrix(x), matrix(y), "label", temperature, constant(weights, [batch]));
    const rows = [0, 1].map((row) => divergence(row, temperature));
    expect(numberOf(loss([1, 1]).sum)).toBeCloseTo(total(rows), 10);
    expect(numberOf(loss([1, 1]).mean)).toBeCloseTo(total(rows) / 2, 10);
    expect(numberOf(loss([0, 1]).mean)).toBeCloseTo(rows[1]!, 10);
    const same = distillationLoss(matrix(x), matrix(x), "label", temperature, constant([1, 1], [batch]));
    expect(numberOf(same.mean)).toBeCloseTo(0, 12);
  });

  test("cosines", () => {
    const cosine = (row: number) => {
      const dot = total(x[row]!.map((own, at) => own * y[row]![at]!));
      return dot / Math.hypot(...x[row]!) / Math.hypot(...y[row]!);
    };
    const loss = cosineLoss(matrix(x), matrix(y), "label", constant([1, 1], [batch]));
    expect(numberOf(loss.mean)).toBeCloseTo(1 - (cosine(0) + cosine(1)) / 2, 10);
    const units = evaluate(new Map([["", unitVectors(matrix(x), "label")]]), none, new Map()).get("")!.data;
    expect(Math.hypot(...units.slice(0, 3))).toBeCloseTo(1, 10);
  });

  test("cross-entropy with weights is divided by their sum, as PyTorch's is", () => {
    const labels = constant([2, 1], [batch], "int32");
    const loss = weightedCrossEntropy(matrix(x), labels, constant([0.5, 3], [batch]));
    const rows = [-Math.log(softmax(x[0]!)[2]!), -Math.log(softmax(x[1]!)[1]!)];
    expect(numberOf(loss.sum)).toBeCloseTo(0.5 * rows[0]! + 3 * rows[1]!, 12);
    expect(numberOf(loss.mean)).toBeCloseTo((0.5 * rows[0]! + 3 * rows[1]!) / 3.5, 12);
    const values = x.flat();
    const variable = parameter("x", [batch, label]);
    const own = weightedCrossEntropy(variable, labels, constant([0.5, 3], [batch])).sum;
    const [flow] = gradients(own, [variable]);
    const at = (numbers: number[], tensor: Tensor) =>
      evaluate(new Map([["", tensor]]), { ...none, parameters: new Map([["x", numbers]]) }, new Map()).get(
        "",
      )!.data;
    const slopes = at(values, flow!);
    values.forEach((_, place) => {
      const moved = (by: number) => at(values.with(place, values[place]! + by), own)[0]!;
      expect(slopes[place]).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 7);
    });
  });

  test("weights that balance classes", () => {
    expect(balancedWeights([1, 3, 0])).toEqual([4 / 3, 4 / 9, 0]);
    expect(balancedWeights([2, 2])).toEqual([1, 1]);
  });
});

/** Everything without dropout, so that a loss is a function of parameters alone. */
const bertKeys = {
  model_type: "bert",
  vocab_size: 11,
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 5,
  max_position_embeddings: 8,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  initializer_range: 0.5,
};
const host = (rows: number[][]): HostInput => ({
  data: Int32Array.from(rows.flat()),
  shape: [rows.length, rows[0]!.length],
});
const list = (values: number[]): HostInput => ({ data: Int32Array.from(values), shape: [values.length] });
const inputIds = host([
  [2, 5, 6, 3],
  [2, 7, 3, 0],
]);
const attentionMask = host([
  [1, 1, 1, 1],
  [1, 1, 1, 0],
]);

/** Float64 values of an objective's parameters, spread so that no slope is nothing. */
function valuesOf(objective: Pick<Objective<unknown, ModelBatch>, "parameters">): Map<string, Float64Array> {
  const values = new Map<string, Float64Array>();
  for (const [address, spec] of listParameters(objective.parameters)) {
    const random = new RandomStream(randomKey(9, address));
    const first = initialValues(spec, address, 1);
    values.set(
      address,
      Float64Array.from(first, (value) => value + 0.3 * random.normal()),
    );
  }
  return values;
}

function feedsOf(objective: Objective<unknown, ModelBatch>, batch: ModelBatch) {
  const inputs = Object.entries(objective.feeds(batch)) as [string, HostInput][];
  const lengths = new Map<string, number>([["batch", inputs[0]![1].shape[0]!]]);
  for (const [, { shape }] of inputs) if (shape.length > 1) lengths.set("sequence", shape[1]!);
  return { inputs: new Map(inputs.map(([name, { data }]) => [name, Float64Array.from(data)])), lengths };
}

/** The loss, and its slopes at some places of each parameter that is learned, both ways. */
function checkGradients(objective: Objective<unknown, ModelBatch>, batch: ModelBatch): number {
  const values = valuesOf(objective);
  const { inputs, lengths } = feedsOf(objective, batch);
  const tensors = parameterTensors(objective.parameters);
  const loss = objective.loss(tensors as never);
  const leaves = new Map<string, Tensor>();
  for (const address of listParameters(objective.parameters).keys()) {
    if (objective.fixed?.has(address)) continue;
    const leaf = address
      .split(".")
      .reduce<unknown>((tree, key) => (tree as Record<string, unknown>)[key], tensors);
    leaves.set(address, leaf as Tensor);
  }
  const flows = gradients(loss, [...leaves.values()]);
  const at = (outputs: ReadonlyMap<string, Tensor>) =>
    evaluate(outputs, { inputs, parameters: values, randomness: undefined } as never, lengths);
  const outputs = new Map([...leaves.keys()].map((address, index) => [address, flows[index]!] as const));
  const slopes = at(outputs);
  const lossNow = () => at(new Map([["", loss]])).get("")!.data[0]!;
  const random = new RandomStream(randomKey(3, "places"));
  for (const address of leaves.keys()) {
    const own = values.get(address)!;
    const place = random.below(own.length);
    const before = own[place]!;
    const moved = (by: number) => {
      own[place] = before + by;
      const result = lossNow();
      own[place] = before;
      return result;
    };
    const slope = slopes.get(address)!.data[place]!;
    const difference = (moved(1e-4) - moved(-1e-4)) / 2e-4;
    expect(Math.abs(slope - difference), `${address}[${place}]: ${slope} against ${difference}`).toBeLessThan(
      1e-5 * Math.max(1, Math.abs(slope)),
    );
  }
  return lossNow();
}

describe("contrastive", () => {
  const model = createModel({ ...bertKeys, architectures: ["BertModel"] }, { withoutPooler: true });
  const side = (name: string, ids: HostInput) =>
    Object.fromEntries(
      Object.entries(completeInputs(model, { inputIds: ids, attentionMask })).map(([key, value]) => [
        `${name}.${key}`,
        value,
      ]),
    );
  const other = host([
    [2, 9, 8, 3],
    [2, 4, 3, 0],
  ]);
  const batch = { inputs: { ...side("first", inputIds), ...side("second", other) }, count: 2 } as ModelBatch;

  test.each(["mean", "cls"] as const)("%s: the cross-entropy of finding each partner", (pooling) => {
    const objective = contrastiveObjective(model, { pooling, scale: 7 }, "inference");
    const loss = checkGradients(objective, batch);
    // The same from the hidden states of both sides.
    const values = valuesOf(objective);
    const { inputs, lengths } = feedsOf(objective, batch);
    const vectors = ["first", "second"].map((name) => {
      const tensors = Object.fromEntries(
        Object.entries(model.inputs).map(([key, { dims, dtype }]) => {
          const data = inputs.get(`${name}.${key}`)!;
          return [
            key,
            constant(
              Array.from(data),
              dims.map((axis, index) => dim(axis.name, [2, 4][index]!)),
              dtype,
            ),
          ];
        }),
      );
      const hidden = model.forward(parameterTensors(model.parameters) as never, tensors).lastHiddenState!;
      const feeds = { ...none, parameters: values } as never;
      const { data } = evaluate(new Map([["", hidden]]), feeds, lengths).get("")!;
      return [0, 1].map((row) => {
        const tokens = Array.from({ length: row === 0 ? 4 : 3 }, (_, token) =>
          Array.from(data.slice((4 * row + token) * 4, (4 * row + token + 1) * 4)),
        );
        if (pooling === "cls") return tokens[0]!;
        return tokens[0]!.map((_, at) => total(tokens.map((token) => token[at]!)) / tokens.length);
      });
    }) as [number[][], number[][]];
    const cosine = (a: number[], b: number[]) =>
      total(a.map((own, at) => own * b[at]!)) / Math.hypot(...a) / Math.hypot(...b);
    const expected = vectors[0].map((own, row) => {
      const scores = vectors[1].map((candidate) => 7 * cosine(own, candidate));
      return -Math.log(softmax(scores)[row]!);
    });
    expect(loss).toBeCloseTo(total(expected), 6);
  });
});

/** A teacher whose values the interpreter knows by their addresses. */
const teacherOf = (model: Model) => ({
  model,
  parameters: new Map(
    [...listParameters(model.parameters).keys()].map((address) => [address, {} as unknown as DeviceArray]),
  ),
});
const choice = { temperature: 2, alphaSoft: 5, alphaTask: 2, alphaCosine: 1 };

describe("distillation", () => {
  const labels: Record<string, Record<string, HostInput>> = {
    BertForMaskedLM: {
      labels: host([
        [-100, 5, -100, -100],
        [-100, 7, 3, -100],
      ]),
    },
    BertForSequenceClassification: { labels: list([0, 1]) },
    BertForTokenClassification: {
      labels: host([
        [-100, 1, 0, -100],
        [-100, 1, -100, -100],
      ]),
    },
    BertForQuestionAnswering: { startPositions: list([1, 0]), endPositions: list([2, 1]) },
  };

  test.each(Object.keys(labels))("%s: its gradient is how the loss changes", (architecture) => {
    const model = createModel({ ...bertKeys, architectures: [architecture] });
    const teacher = createModel({ ...bertKeys, num_hidden_layers: 2, architectures: [architecture] });
    const objective = distillationObjective(model, teacherOf(teacher), choice);
    const count = architecture === "BertForMaskedLM" || architecture === "BertForTokenClassification" ? 3 : 2;
    const inputs = completeInputs(model, { inputIds, attentionMask, ...labels[architecture] });
    const batch = { inputs, count } as ModelBatch;
    const loss = checkGradients(objective, batch);
    // With the labels alone it is their loss.
    const alone = distillationObjective(model, teacherOf(teacher), {
      ...choice,
      alphaSoft: 0,
      alphaCosine: 0,
    });
    const plain = checkGradients(modelObjective(model), batch);
    expect(checkGradients(alone, batch)).toBeCloseTo(2 * plain, 6);
    expect(loss).toBeGreaterThan(2 * plain);
  });

  test("a sequence to sequence model: the target's tokens count, padding does not", () => {
    const keys = {
      model_type: "bart",
      vocab_size: 11,
      d_model: 4,
      encoder_layers: 1,
      decoder_layers: 1,
      encoder_attention_heads: 2,
      decoder_attention_heads: 2,
      encoder_ffn_dim: 5,
      decoder_ffn_dim: 5,
      max_position_embeddings: 8,
      dropout: 0,
      init_std: 0.5,
      architectures: ["BartForConditionalGeneration"],
    };
    const model = createModel(keys);
    const teacher = createModel({ ...keys, decoder_layers: 2 });
    const objective = distillationObjective(model, teacherOf(teacher), choice);
    const targets = (padded: number[][]) =>
      completeInputs(model, { inputIds, attentionMask, labels: host(padded) });
    const count = 5;
    const batch = {
      inputs: targets([
        [4, 5, 2, -100],
        [6, 2, -100, -100],
      ]),
      count,
    } as ModelBatch;
    const lossOf = (own: ModelBatch) => {
      const { inputs } = feedsOf(objective, own);
      const lengths = new Map([
        ["batch", 2],
        ["source", 4],
        ["target", own.inputs.labels!.shape[1]!],
      ]);
      const loss = objective.loss(parameterTensors(objective.parameters) as never);
      const feeds = { inputs, parameters: valuesOf(objective), randomness: undefined } as never;
      return evaluate(new Map([["", loss]]), feeds, lengths).get("")!.data[0]!;
    };
    const wider = {
      inputs: targets([
        [4, 5, 2, -100, -100],
        [6, 2, -100, -100, -100],
      ]),
      count,
    } as ModelBatch;
    expect(lossOf(wider)).toBeCloseTo(lossOf(batch), 6);
  });

  test("what does not go together is refused", () => {
    const model = (keys: object) =>
      createModel({ ...bertKeys, architectures: ["BertForSequenceClassification"], ...keys });
    const student = model({});
    const refused = (teacher: Model) => () => distillationObjective(student, teacherOf(teacher), choice);
    expect(refused(model({ vocab_size: 12 }))).toThrow("the size of the vocabulary");
    expect(refused(model({ hidden_size: 6 }))).toThrow("the width (or set teacher.alpha_cos to 0)");
    expect(refused(model({ num_labels: 3 }))).toThrow("the labels");
    expect(refused(model({ architectures: ["BertForMaskedLM"] }))).toThrow("the head");
  });
});

describe("heads", () => {
  test("pre-training: the mean of hidden tokens and the mean of pairs, both learned", () => {
    const model = createModel({ ...bertKeys, architectures: ["BertForPreTraining"] });
    const labels = host([
      [-100, 5, -100, -100],
      [-100, 7, 3, -100],
    ]);
    const inputs = completeInputs(model, {
      inputIds,
      attentionMask,
      labels,
      nextSentenceLabel: list([0, 1]),
    });
    const objective = modelObjective(model, "inference");
    const loss = checkGradients(objective, { inputs, count: 2 } as ModelBatch);
    const { inputs: fed, lengths } = feedsOf(objective, { inputs, count: 2 } as ModelBatch);
    const tensors = Object.fromEntries(
      Object.entries(model.inputs).map(([name, { dims, dtype }]) => [
        name,
        constant(
          Array.from(fed.get(name)!),
          dims.map((axis, index) => dim(axis.name, [2, 4][index]!)),
          dtype,
        ),
      ]),
    );
    const { predictionLogits, seqRelationshipLogits } = model.forward(
      parameterTensors(model.parameters) as never,
      tensors,
    );
    const values = evaluate(
      new Map([
        ["tokens", predictionLogits!],
        ["pairs", seqRelationshipLogits!],
      ]),
      { ...none, parameters: valuesOf(objective) } as never,
      lengths,
    );
    const rowOf = (name: string, row: number, width: number) =>
      Array.from(values.get(name)!.data.slice(row * width, (row + 1) * width));
    const tokens = [
      [1, 5],
      [5, 7],
      [6, 3],
    ].map(([row, id]) => -Math.log(softmax(rowOf("tokens", row!, 11))[id!]!));
    const pairs = [0, 1].map((row) => -Math.log(softmax(rowOf("pairs", row, 2))[row]!));
    expect(loss).toBeCloseTo(2 * (total(tokens) / 3 + total(pairs) / 2), 6);
  });

  test("question answering: half the sum over both ends", () => {
    const model = createModel({ ...bertKeys, architectures: ["BertForQuestionAnswering"] });
    const places = { startPositions: list([1, 0]), endPositions: list([2, 1]) };
    const inputs = completeInputs(model, { inputIds, attentionMask, ...places });
    const objective = modelObjective(model, "inference");
    const batch = { inputs, count: 2 } as ModelBatch;
    const loss = checkGradients(objective, batch);
    const { inputs: fed, lengths } = feedsOf(objective, batch);
    const tensors = Object.fromEntries(
      Object.entries(model.inputs)
        .filter(([name]) => !name.endsWith("Positions"))
        .map(([name, { dims, dtype }]) => [
          name,
          constant(
            Array.from(fed.get(name)!),
            dims.map((axis, index) => dim(axis.name, [2, 4][index]!)),
            dtype,
          ),
        ]),
    );
    const { startLogits, endLogits } = model.forward(parameterTensors(model.parameters) as never, tensors);
    const values = evaluate(
      new Map([
        ["start", startLogits!],
        ["end", endLogits!],
      ]),
      { ...none, parameters: valuesOf(objective) } as never,
      lengths,
    );
    const loss1 = (name: string, row: number, place: number) =>
      -Math.log(softmax(Array.from(values.get(name)!.data.slice(4 * row, 4 * row + 4)))[place]!);
    const ends = [loss1("start", 0, 1), loss1("start", 1, 0), loss1("end", 0, 2), loss1("end", 1, 1)];
    expect(loss).toBeCloseTo(total(ends) / 2, 6);
  });

  test("weights of classes", () => {
    const model = createModel({ ...bertKeys, architectures: ["BertForSequenceClassification"] });
    const inputs = completeInputs(model, { inputIds, attentionMask, labels: list([0, 1]) });
    const weights = (values: number[]) => ({ data: Float32Array.from(values), shape: [2] });
    const batch = (values: number[]) =>
      ({ inputs: { ...inputs, weights: weights(values) }, count: total(values) }) as ModelBatch;
    const objective = weightedObjective(model, "inference");
    const plain = checkGradients(modelObjective(model, "inference"), { inputs, count: 2 } as ModelBatch);
    expect(checkGradients(objective, batch([1, 1]))).toBeCloseTo(plain, 6);
    const [one, two] = [checkGradients(objective, batch([1, 0])), checkGradients(objective, batch([0, 1]))];
    expect(checkGradients(objective, batch([0.5, 3]))).toBeCloseTo(0.5 * one + 3 * two, 6);
  });

  test("weights of the labels of tokens; one without a label counts nothing", () => {
    const model = createModel({ ...bertKeys, architectures: ["BertForTokenClassification"] });
    const { data: ids, shape } = inputIds;
    const labels = { data: Int32Array.from(ids, (_, place) => (place % 3 === 0 ? -100 : place % 2)), shape };
    const inputs = completeInputs(model, { inputIds, attentionMask, labels });
    const batch = (ofLabels: number[]) => {
      const data = Float32Array.from(labels.data, (label) => (label < 0 ? 0 : ofLabels[label]!));
      return { inputs: { ...inputs, weights: { data, shape } }, count: total([...data]) } as ModelBatch;
    };
    const counted = batch([1, 1]);
    const objective = weightedObjective(model, "inference");
    const plain = checkGradients(modelObjective(model, "inference"), {
      inputs,
      count: counted.count,
    } as ModelBatch);
    expect(checkGradients(objective, counted)).toBeCloseTo(plain, 6);
    const [one, two] = [checkGradients(objective, batch([1, 0])), checkGradients(objective, batch([0, 1]))];
    expect(checkGradients(objective, batch([0.5, 3]))).toBeCloseTo(0.5 * one + 3 * two, 6);
  });
});
