/** Pictures of trainings: the curves of one, or of several over each other. */
import type { AxisKind } from "./curve-axes.ts";
import { type ComparedRun, colorsOf, comparisonPanels, fieldOfRun, panelsOf } from "./curve-panels.ts";
import { drawPicture } from "./curve-picture.ts";
import type { CurvePoint, TrainingSeries } from "./curve-points.ts";

export type { AxisKind } from "./curve-axes.ts";
export type { ComparedRun } from "./curve-panels.ts";
export type { CurvePoint, TrainingSeries } from "./curve-points.ts";
export { seriesOfLog } from "./curve-points.ts";

export interface CurveOptions {
  /** Default: none. */
  readonly title?: string;
  /** A line of details below the title. Default: none. */
  readonly subtitle?: string;
  /** Default: `auto`, logarithmic where a loss or gradient norm spans more than a decade. */
  readonly axis?: AxisKind;
  /** Whether the values stand in it for a script that shows them where the pointer is. */
  readonly hasValues?: boolean;
}

/**
 * The training curves as SVG text: loss, metrics, learning rate, gradient norm, speed, as far as they are known.
 * The loss and the gradient norm have a logarithmic axis where they span more than a decade. Noisy series are
 * drawn pale with their smoothed course above. Thousands of steps stay below 150 kB, since lines are thinned
 * out.
 */
export function drawCurves(series: TrainingSeries, { title = "", ...options }: CurveOptions): string {
  const across = { label: "step", isWhole: true };
  return drawPicture({ title, ...options, panels: panelsOf(series), series, across });
}

/**
 * The curves of several trainings over each other, a panel for each thing measured; of noisy series the course.
 * @param by - what the series stand over; `seconds` are shown in a fitting unit
 */
export function drawComparison(
  runs: readonly ComparedRun[],
  by: "step" | "seconds",
  { title = "", ...options }: CurveOptions = {},
): string {
  const unit = by === "seconds" ? unitOf(runs) : { label: "step", seconds: 1 };
  const scaled = (points: readonly CurvePoint[]) =>
    points.map(({ step, value }) => ({ step: step / unit.seconds, value }));
  const series = Object.fromEntries(
    runs.flatMap((run, index) =>
      Object.entries(run.series).map(([field, points]) => [fieldOfRun(field, index), scaled(points)]),
    ),
  );
  return drawPicture({
    title,
    ...options,
    panels: comparisonPanels(runs),
    series,
    across: { label: unit.label, isWhole: by === "step" },
    legend: runs.map(({ name }, index) => ({ name, color: colorsOf(index) })),
  });
}

/** The unit in which the longest run is a number that is easily read. */
function unitOf(runs: readonly ComparedRun[]): { label: string; seconds: number } {
  const all = runs.flatMap(({ series }) =>
    Object.values(series).flatMap((points) => points.at(-1)?.step ?? 0),
  );
  const longest = all.reduce((left, right) => Math.max(left, right), 0);
  if (longest < 180) return { label: "seconds", seconds: 1 };
  return longest < 3 * 3600 ? { label: "minutes", seconds: 60 } : { label: "hours", seconds: 3600 };
}
