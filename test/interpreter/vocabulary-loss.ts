import { dot, logSumExp, softmax } from "./mathematics.ts";
import type { Context } from "./operators.ts";
import { sizeOf, type Value } from "./value.ts";

/**
 * The six outputs of the vocabulary loss, from its definition, row by row. With e the label smoothing and V the size
 * of the vocabulary, the loss of a row is -(1 - e) · log p[label] - e / V · the sum of log p.
 */
export function vocabularyLoss({ inputs, outputs, attributes }: Context<"vocabularyLoss">): Value[] {
  const [hidden, table, labels, bias] = inputs as [Value, Value, Value, Value?];
  const { labelSmoothing, ignoreId } = attributes;
  const [vocab, model] = table.axes.map((axis) => axis.length) as [number, number];
  const vectorOf = (value: Value, row: number) =>
    Array.from(value.data.subarray(row * model, (row + 1) * model));
  const results = outputs.map((axes) => ({ axes, data: new Float64Array(sizeOf(axes)) }));
  const [loss, atHidden, atTable, atBias, labelRows, labelWeights] = results.map(({ data }) => data) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];

  for (let row = 0; row < labels.data.length; row++) {
    const label = labels.data[row]!;
    if (label === ignoreId) continue;
    if (!(label >= 0 && label < vocab)) throw new Error(`label ${label} is outside a vocabulary of ${vocab}`);
    const x = vectorOf(hidden, row);
    const logits = Array.from(
      { length: vocab },
      (_, id) => dot(x, vectorOf(table, id)) + (bias?.data[id] ?? 0),
    );
    const total = logSumExp(logits);
    const p = softmax(logits);
    labelWeights[row] = labelSmoothing - 1;
    for (let id = 0; id < vocab; id++) {
      const share = (id === label ? 1 - labelSmoothing : 0) + labelSmoothing / vocab;
      loss[0]! -= share * (logits[id]! - total);
      // What the labels scatter is told apart: the table's and the bias's gradients lack it.
      const dense = p[id]! - labelSmoothing / vocab;
      atBias[id]! += dense;
      for (let column = 0; column < model; column++) {
        atHidden[row * model + column]! += (p[id]! - share) * table.data[id * model + column]!;
        atTable[id * model + column]! += dense * x[column]!;
      }
    }
    for (let column = 0; column < model; column++) {
      labelRows[row * model + column] = (labelSmoothing - 1) * x[column]!;
    }
  }
  return results;
}
