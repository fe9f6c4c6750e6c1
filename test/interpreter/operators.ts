import type { OperatorAttributes, OperatorName } from "../../src/graph/operators.ts";
import type { RunRandomness } from "../../src/runtime/device.ts";
import { fillDropoutMask, randomKey } from "../../src/util/random.ts";
import { dot, erf, gelu, geluDerivative, softmax } from "./mathematics.ts";
import {
  type Axis,
  accumulate,
  along,
  at,
  byRow,
  fill,
  forEachPosition,
  lengthOf,
  moved,
  offsetOf,
  type Position,
  sizeOf,
  type Value,
  without,
} from "./value.ts";
import { vocabularyLoss } from "./vocabulary-loss.ts";

/** What an operator is given, and the axes that its outputs have according to the shape rules. */
export interface Context<Name extends OperatorName> {
  readonly inputs: readonly Value[];
  readonly attributes: OperatorAttributes[Name];
  readonly outputs: readonly (readonly Axis[])[];
  readonly feeds: Feeds;
}

/** The numbers that a graph is evaluated with. */
export interface Feeds {
  readonly inputs: ReadonlyMap<string, ArrayLike<number>>;
  readonly parameters: ReadonlyMap<string, ArrayLike<number>>;
  readonly randomness: RunRandomness | undefined;
}

export type Evaluation<Name extends OperatorName> = (context: Context<Name>) => readonly Value[];

type Elementwise = (...operands: number[]) => number;

/** Operands meet axis by axis of the same name. */
const elementwise =
  (compute: Elementwise) =>
  <Name extends OperatorName>({ inputs, outputs }: Context<Name>): Value[] => [
    fill(outputs[0]!, (position) => compute(...inputs.map((input) => at(input, position)))),
  ];

const fed = (what: string, data: ArrayLike<number> | undefined, axes: readonly Axis[]): Value => {
  if (data === undefined) throw new Error(`${what} was not fed`);
  if (data.length !== sizeOf(axes))
    throw new Error(`${what} needs ${sizeOf(axes)} values; got ${data.length}`);
  return { axes, data: Float64Array.from(data) };
};

/** The same numbers in the same order. */
const sameData = <Name extends OperatorName>({ inputs, outputs }: Context<Name>): Value[] => [
  { axes: outputs[0]!, data: inputs[0]!.data },
];

function sum({ inputs, outputs }: Context<"sum" | "mean">): Value {
  return accumulate(outputs[0]!, (addAt) => {
    forEachPosition(inputs[0]!.axes, (position) => addAt(position, at(inputs[0]!, position)));
  });
}

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((total, number) => total + number, 0) / numbers.length;

/** A slow, plain evaluation of every operator in double precision. */
export const evaluations = {
  parameter: ({ attributes, outputs, feeds }) => [
    fed(`parameter ${attributes.address}`, feeds.parameters.get(attributes.address), outputs[0]!),
  ],
  input: ({ attributes, outputs, feeds }) => [
    fed(`input ${attributes.name}`, feeds.inputs.get(attributes.name), outputs[0]!),
  ],
  constant: ({ attributes, outputs }) => [fed("constant", attributes.values, outputs[0]!)],
  range: ({ outputs }) => [fill(outputs[0]!, (position) => position.get(outputs[0]![0]!.name)!)],
  dropoutMask: ({ attributes, outputs, feeds }) => {
    if (feeds.randomness === undefined) throw new Error("dropout needs a seed and a step");
    const mask = new Float32Array(sizeOf(outputs[0]!));
    const { seed, step } = feeds.randomness;
    fillDropoutMask(mask, attributes.rate, randomKey(seed, attributes.address, step));
    return [{ axes: outputs[0]!, data: Float64Array.from(mask) }];
  },

  negate: elementwise((x) => -x!),
  exp: elementwise((x) => Math.exp(x!)),
  log: elementwise((x) => Math.log(x!)),
  sqrt: elementwise((x) => Math.sqrt(x!)),
  reciprocal: elementwise((x) => 1 / x!),
  tanh: elementwise((x) => Math.tanh(x!)),
  erf: elementwise((x) => erf(x!)),
  sigmoid: elementwise((x) => 1 / (1 + Math.exp(-x!))),
  relu: elementwise((x) => Math.max(0, x!)),
  gelu: (context) => elementwise((x) => gelu(x!, context.attributes.approximation))(context),
  geluGradient: (context) =>
    elementwise((x, g) => g! * geluDerivative(x!, context.attributes.approximation))(context),
  after: ({ inputs: [x] }) => [x!],
  positive: elementwise((x) => (x! > 0 ? 1 : 0)),
  add: elementwise((left, right) => left! + right!),
  subtract: elementwise((left, right) => left! - right!),
  multiply: elementwise((left, right) => left! * right!),
  divide: elementwise((left, right) => left! / right!),
  lessOrEqual: elementwise((left, right) => (left! <= right! ? 1 : 0)),
  equal: elementwise((left, right) => (left! === right! ? 1 : 0)),
  and: elementwise((left, right) => left! * right!),
  not: elementwise((x) => 1 - x!),
  where: elementwise((condition, yes, no) => (condition === 1 ? yes! : no!)),
  cast: ({ inputs, outputs, attributes }) => {
    const convert = { float32: (x: number) => x, int32: Math.trunc, bool: (x: number) => (x === 0 ? 0 : 1) };
    return [fill(outputs[0]!, (position) => convert[attributes.dtype](at(inputs[0]!, position)))];
  },

  sum: (context) => [sum(context)],
  mean: (context) => {
    const total = sum(context);
    const count = context.inputs[0]!.data.length / total.data.length;
    return [{ axes: total.axes, data: total.data.map((element) => element / count) }];
  },
  max: ({ inputs: [x], outputs: [axes] }) => {
    const result = { axes: axes!, data: new Float64Array(sizeOf(axes!)).fill(Number.NEGATIVE_INFINITY) };
    forEachPosition(x!.axes, (position) => {
      const index = offsetOf(result.axes, position);
      result.data[index] = Math.max(result.data[index]!, at(x!, position));
    });
    return [result];
  },
  softmax: ({ inputs: [x], attributes: { axis } }) => [byRow(x!, axis, softmax)],
  softmaxGradient: ({ inputs: [weights, gradient], outputs: [axes], attributes: { axis } }) => {
    const centre = fill(without(axes!, [axis]), (position) =>
      dot(along(weights!, axis, position), along(gradient!, axis, position)),
    );
    return [
      fill(axes!, (position) => at(weights!, position) * (at(gradient!, position) - at(centre, position))),
    ];
  },
  layerNorm: ({ inputs: [x, gain, bias], outputs: [axes, rows], attributes: { axis, epsilon } }) => {
    const average = fill(rows!, (position) => mean(along(x!, axis, position)));
    const scale = fill(rows!, (position) => {
      const centre = at(average, position);
      const variance = mean(along(x!, axis, position).map((element) => (element - centre) ** 2));
      return 1 / Math.sqrt(variance + epsilon);
    });
    const normalised = fill(
      axes!,
      (position) =>
        (at(x!, position) - at(average, position)) * at(scale, position) * at(gain!, position) +
        at(bias!, position),
    );
    return [normalised, average, scale];
  },
  topK: ({ inputs: [x], outputs: [axes], attributes: { axis, into } }) => {
    // Among equals the one that stands first comes first.
    const ranked = (position: Position) => {
      const row = along(x!, axis, position);
      const order = row
        .map((_, index) => index)
        .sort((left, right) => row[right]! - row[left]! || left - right);
      const index = order[position.get(into.name)!]!;
      return { index, value: row[index]! };
    };
    return [
      fill(axes!, (position) => ranked(position).value),
      fill(axes!, (position) => ranked(position).index),
    ];
  },

  contract: ({ inputs: [left, right], outputs: [axes], attributes: { over, scale } }) => {
    const summed = left!.axes.filter((axis) => over.includes(axis.name));
    return [
      accumulate(axes!, (addAt) => {
        forEachPosition([...axes!, ...summed], (position) => {
          addAt(position, scale * at(left!, position) * at(right!, position));
        });
      }),
    ];
  },

  embed: ({ inputs: [table, ids], outputs: [axes] }) => {
    const [rows, width] = table!.axes as [Axis, Axis];
    return [
      fill(axes!, (position) => {
        const id = at(ids!, position);
        if (!(id >= 0 && id < rows.length))
          throw new Error(`id ${id} is outside a table of ${rows.length} rows`);
        return table!.data[id * width.length + position.get(width.name)!]!;
      }),
    ];
  },
  scatterRows: ({ inputs: [ids, rows], outputs: [axes], attributes }) => [
    accumulate(axes!, (addAt) => {
      forEachPosition(rows!.axes, (position) => {
        const id = at(ids!, position);
        const inside = id >= 0 && id < axes![0]!.length;
        if (inside) addAt(moved(position, attributes.dim.name, id), at(rows!, position));
      });
    }),
  ],
  vocabularyLoss,

  transpose: elementwise((x) => x!),
  splitDim: sameData,
  mergeDims: sameData,
  rename: sameData,
  expand: elementwise((x) => x!),
  slice: ({ inputs: [x], outputs: [axes], attributes: { axis, start, end, into } }) => {
    const length = lengthOf(x!, axis);
    const fromEnd = (bound: number) => (bound < 0 ? bound + length : Math.min(bound, length));
    const [first, last] = [fromEnd(start), fromEnd(end ?? length)];
    const expected = axes!.find((candidate) => candidate.name === into.name)!.length;
    if (last - first !== expected) throw new Error(`the slice has ${last - first} elements, not ${expected}`);
    return [fill(axes!, (position) => at(x!, moved(position, axis, position.get(into.name)! + first)))];
  },
  concat: ({ inputs, outputs: [axes], attributes: { axis } }) => [
    fill(axes!, (position) => {
      let index = position.get(axis)!;
      for (const input of inputs) {
        const length = lengthOf(input, axis);
        if (index < length) return at(input, moved(position, axis, index));
        index -= length;
      }
      throw new Error("no part of the concatenation lies here");
    }),
  ],
  split: ({ inputs: [x], outputs, attributes: { axis, into } }) => {
    let start = 0;
    return outputs.map((axes, part) => {
      const from = start;
      const { name } = into[part]!;
      start += axes.find((own) => own.name === name)!.length;
      return fill(axes, (position) => at(x!, moved(position, axis, position.get(name)! + from)));
    });
  },
} satisfies { [Name in OperatorName]: Evaluation<Name> };
