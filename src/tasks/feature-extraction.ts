import { z } from "zod";
import { ForwardPass, type OutputRows } from "./forward-pass.ts";
import { checkText, encodeWithin, readTaskOptions, type TaskDefinition } from "./task.ts";

const where = "feature-extraction";
const schema = z.object({
  /** How a text's vectors become one: its first token's, or the mean of all; `none`: they stay one for each token. */
  pooling: z.enum(["none", "cls", "mean"]).default("none"),
  /** Whether vectors are divided by their length. */
  normalize: z.boolean().default(false),
});
export type FeatureExtractionOptions = z.input<typeof schema>;

/** Vectors of one text: one for each token, or a single one. */
export interface Features {
  readonly dims: readonly [rows: number, width: number];
  readonly data: Float32Array;
}

/** Turns texts into vectors. */
export const featureExtraction: TaskDefinition = {
  head: "base",
  async open(device, opened) {
    const pass = await ForwardPass.create(device, opened, ["lastHiddenState"]);
    return {
      async run(inputs, given, controls) {
        const options = readTaskOptions(where, schema, given);
        const encodings = inputs.map((input, index) =>
          encodeWithin(opened, checkText(where, input, index), index, controls),
        );
        const results = new Array<Features>(inputs.length);
        await pass.run(encodings, controls, (index, { lastHiddenState }) => {
          results[index] = featuresOf(lastHiddenState, options);
        });
        return results;
      },
      dispose: () => pass.dispose(),
    };
  },
};

function featuresOf({ data, width }: OutputRows, { pooling, normalize }: z.output<typeof schema>): Features {
  const pooled = {
    none: () => data.slice(),
    cls: () => data.slice(0, width),
    mean: () => meanRow(data, width),
  };
  const values = pooled[pooling]();
  if (normalize) {
    for (let row = 0; row < values.length; row += width) normalizeRow(values.subarray(row, row + width));
  }
  return { dims: [values.length / width, width], data: values };
}

function meanRow(data: Float32Array, width: number): Float32Array {
  const sums = new Float64Array(width);
  for (let index = 0; index < data.length; index++) sums[index % width]! += data[index]!;
  return Float32Array.from(sums, (sum) => (sum * width) / data.length);
}

function normalizeRow(row: Float32Array): void {
  const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
  for (let index = 0; index < row.length; index++) row[index]! /= Math.max(length, 1e-12);
}
