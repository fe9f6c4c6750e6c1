import { initialValues, listParameters, type ParameterSpec, shapeOf } from "../nn/parameters.ts";
import { sinusoids } from "../nn/positions.ts";

/** How the positions that a new model learns may begin. */
export const initialPositions = ["random", "sinusoidal", "spread"] as const;
type InitialPositions = Exclude<(typeof initialPositions)[number], "random">;

/**
 * What each of them is for: tables [position, model], or T5's biases of distances [bucket, head]; told by the first
 * axis, with the words for a model that has none.
 */
const kinds: Readonly<Record<InitialPositions, { readonly axis: string; readonly lacking: string }>> = {
  sinusoidal: { axis: "position", lacking: "has no learned table of positions" },
  spread: { axis: "bucket", lacking: "learns no biases of distances" },
};

/**
 * Why a model cannot begin in a way, and what to do instead; undefined where it can.
 * @param parameters - the model's
 */
export function whyNoPositions(way: InitialPositions | "random", parameters: unknown): string | undefined {
  if (way === "random" || positionTables(parameters, way).size > 0) return undefined;
  const other = way === "sinusoidal" ? "spread" : "sinusoidal";
  const instead = positionTables(parameters, other).size > 0 ? `take "${other}", or ` : "";
  return `${kinds[way].lacking}; ${instead}leave it out`;
}

/** The parameters of a model that may begin in a way, by address. */
export function positionTables(
  parameters: unknown,
  way: InitialPositions,
): ReadonlyMap<string, ParameterSpec> {
  const isTable = ({ dims }: ParameterSpec) => dims.length === 2 && dims[0]!.name === kinds[way].axis;
  return new Map([...listParameters(parameters)].filter(([, spec]) => isTable(spec)));
}

/**
 * The tables of a model that begin in a way, by address, with their values row by row; none where all is drawn at
 * random.
 *
 * sinusoidal: as far spread as they would be otherwise; a shift by some places is then one linear map for all places,
 * which a network finds sooner than it learns each place by itself. Source: Sanh et al., 2019 (DistilBERT), as its
 * code has it.
 *
 * spread: drawn at random with a root mean square of 2, where T5 has 1 / sqrt(d_model), so that each head looks at
 * distances of its own from the first step on; a bias of 2 is learned in hundreds of steps otherwise.
 */
export function* startOfPositions(
  way: InitialPositions | "random",
  parameters: unknown,
  seed: number,
): Generator<[string, Float32Array<ArrayBuffer>]> {
  if (way === "random") return;
  for (const [address, spec] of positionTables(parameters, way)) {
    const drawn = initialValues(spec, address, seed);
    const [rows, columns] = shapeOf(spec) as [number, number];
    yield [
      address,
      way === "spread" ? scaledTo(2, drawn) : scaledTo(rootMeanSquare(drawn), sinusoids(rows, columns)),
    ];
  }
}

const scaledTo = (size: number, values: Float32Array): Float32Array<ArrayBuffer> => {
  const scale = size / rootMeanSquare(values);
  return values.map((value) => value * scale) as Float32Array<ArrayBuffer>;
};

const rootMeanSquare = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
