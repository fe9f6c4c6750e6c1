import { constant, embed, range } from "../graph/build.ts";
import { type Dim, dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";

/**
 * PE(position, 2i) = sin(position / 10000^(2i/model)), PE(position, 2i+1) = cos of the same.
 * @returns the values of [positions, model], row by row. Source: Vaswani et al., 2017, 3.5.
 */
export function sinusoids(positionCount: number, modelDim: number): Float32Array<ArrayBuffer> {
  const table = new Float32Array(positionCount * modelDim);
  for (let position = 0; position < positionCount; position++) {
    for (let index = 0; index < modelDim; index++) {
      const angle = position / 10000 ** ((index - (index % 2)) / modelDim);
      table[position * modelDim + index] = index % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return table;
}

/** The table of sinusoids as a constant: [position, model]. */
export function sinusoidTable(positionCount: number, model: Dim): Tensor {
  return constant(sinusoids(positionCount, model.size as number), [dim("position", positionCount), model]);
}

/** The first rows of a table of positions, one for each place of a sequence: [sequence, model]. */
export function positionsOf(table: Tensor, sequence: Dim): Tensor {
  return embed(table, range(sequence));
}

/**
 * The same sinusoids with all sines before all cosines: PE(position, i) = sin(position / 10000^(2i/model)) in the
 * first half, and cos of the same angles in the second.
 * @returns a constant [position, model]. Source: Junczys-Dowmunt et al., 2018 (Marian), as its code has it.
 */
export function halvedSinusoidTable(positionCount: number, model: Dim): Tensor {
  const modelDim = model.size as number;
  const interleaved = sinusoids(positionCount, modelDim);
  const half = modelDim / 2;
  const table = interleaved.map((_, index) => {
    const place = index % modelDim;
    const from = place < half ? 2 * place : 2 * (place - half) + 1;
    return interleaved[index - place + from]!;
  });
  return constant(table, [dim("position", positionCount), model]);
}
