/** Series of measured values over the steps of a training: read from the log, thinned out, smoothed. */

export interface CurvePoint {
  readonly step: number;
  readonly value: number;
}

/**
 * What is known of a training over its steps, each series in order of steps: `loss`, `validationLoss`,
 * `learningRate`, `gradientNorm`, `tokensPerSecond`, and whatever metrics a validation measures.
 */
export type TrainingSeries = Readonly<Record<string, readonly CurvePoint[]>>;

/** Numbers of a record that are no measured values, or say the same as another. */
const noCurves: ReadonlySet<string> = new Set(["step", "epoch", "tokens", "seconds", "perplexity"]);

/**
 * The series in the records of a log. A step that stands twice, as after a resumed run, counts as it stands last.
 * Values that are not finite are left out.
 * @param by - along what: the field `step`, or `seconds`, which then stands where a point has its step
 */
export function seriesOfLog(records: Iterable<object>, by: "step" | "seconds" = "step"): TrainingSeries {
  const values = new Map<string, Map<number, number>>();
  for (const record of records as Iterable<Readonly<Record<string, unknown>>>) {
    const place = record[by];
    // The mean of some checkpoints is no point of the training's way.
    if (!isFiniteNumber(place) || record.of === "average") continue;
    const metrics = record.metrics as Readonly<Record<string, unknown>> | undefined;
    for (const [name, value] of Object.entries({ ...record, ...metrics })) {
      if (noCurves.has(name) || !isFiniteNumber(value)) continue;
      const field = record.type === "validation" && name === "loss" ? "validationLoss" : name;
      const ofField = values.get(field) ?? new Map<number, number>();
      values.set(field, ofField.set(place, value));
    }
  }
  const ordered = (points: Map<number, number>) =>
    [...points].map(([step, value]) => ({ step, value })).sort((left, right) => left.step - right.step);
  return Object.fromEntries([...values].map(([field, points]) => [field, ordered(points)]));
}

function isFiniteNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

/**
 * At most `limit` of the points, chosen so that the line keeps its look: the first, the last, and of each
 * stretch between them the one that spans the largest triangle with its neighbours, so that peaks stay.
 * Source: Sveinn Steinarsson, "Downsampling Time Series for Visual Representation", 2013, 4.2 (largest
 * triangle, three buckets).
 * @param limit - at least 3
 */
export function thinOut(points: readonly CurvePoint[], limit: number): readonly CurvePoint[] {
  if (points.length <= limit) return points;
  const start = (bucket: number) => 1 + Math.floor((bucket * (points.length - 2)) / (limit - 2));
  const kept = [points[0]!];
  for (let bucket = 0; bucket < limit - 2; bucket++) {
    const left = kept.at(-1)!;
    const next = points.slice(start(bucket + 1), Math.max(start(bucket + 2), start(bucket + 1) + 1));
    const right = { step: mean(next.map(({ step }) => step)), value: mean(next.map(({ value }) => value)) };
    let best = points[start(bucket)]!;
    let bestArea = -1;
    for (let index = start(bucket); index < start(bucket + 1); index++) {
      const point = points[index]!;
      const area = Math.abs(
        (left.step - right.step) * (point.value - left.value) -
          (left.step - point.step) * (right.value - left.value),
      );
      if (area > bestArea) {
        best = point;
        bestArea = area;
      }
    }
    kept.push(best);
  }
  kept.push(points.at(-1)!);
  return kept;
}

/**
 * The course behind noisy values: a moving average over about 3% of the points, taken twice. Near the start
 * the window is narrower, since the mean of a steep fall lies above it.
 */
export function smooth(points: readonly CurvePoint[]): CurvePoint[] {
  const reach = Math.max(1, Math.round(points.length * 0.015));
  const once = movingAverage(
    points.map(({ value }) => value),
    reach,
  );
  const twice = movingAverage(once, reach);
  return points.map(({ step }, index) => ({ step, value: twice[index]! }));
}

/** The mean of each value and `reach` neighbours on both sides, fewer in the first part and at the end. */
function movingAverage(values: readonly number[], reach: number): number[] {
  const sums = [0];
  for (const value of values) sums.push(sums.at(-1)! + value);
  return values.map((_, index) => {
    const near = Math.min(reach, Math.ceil(index / 8));
    const first = index - near;
    const last = Math.min(index + near, values.length - 1);
    return (sums[last + 1]! - sums[first]!) / (last + 1 - first);
  });
}

/** Whether the values scatter so much around their course that the course is worth a line of its own. */
export function isNoisy(points: readonly CurvePoint[], course: readonly CurvePoint[]): boolean {
  if (points.length < 20) return false;
  const values = course.map(({ value }) => value);
  const range = values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b));
  const size = mean(values.map(Math.abs));
  const scatter = mean(points.map(({ value }, index) => Math.abs(value - values[index]!)));
  return scatter > 0.004 * range || scatter > 0.01 * size;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
