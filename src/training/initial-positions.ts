import { initialValues, listParameters, type ParameterSpec, shapeOf } from "../nn/parameters.ts";
import { sinusoids } from "../nn/positions.ts";

/** The learned tables of positions of a model, by address: [position, model]. */
export function positionTables(parameters: unknown): ReadonlyMap<string, ParameterSpec> {
  const isTable = ({ dims }: ParameterSpec) => dims.length === 2 && dims[0]!.name === "position";
  return new Map([...listParameters(parameters)].filter(([, spec]) => isTable(spec)));
}

/**
 * Sinusoids for a learned table of positions to begin with, as far spread as it would be otherwise: a shift by some
 * places is then one linear map for all places, which a network finds sooner than it learns each place by itself.
 * @returns the values of [position, model], row by row. Source: Sanh et al., 2019 (DistilBERT), as its code has it.
 */
export function sinusoidalStart(
  spec: ParameterSpec,
  address: string,
  seed: number,
): Float32Array<ArrayBuffer> {
  const [positionCount, modelDim] = shapeOf(spec) as [number, number];
  const waves = sinusoids(positionCount, modelDim);
  const scale = rootMeanSquare(initialValues(spec, address, seed)) / rootMeanSquare(waves);
  return waves.map((value) => value * scale);
}

const rootMeanSquare = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
