/** Axes: what range they cover, where their ticks are, and how those are written. */
import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from "d3-scale";
import type { AxisRange } from "./curve-panels.ts";
import type { TrainingSeries } from "./curve-points.ts";

/** `auto`: as the range says; `linear`, `log`: whatever it says, as far as the values allow it. */
export type AxisKind = "auto" | "linear" | "log";

export type Scale = ScaleContinuousNumeric<number, number>;

/** Smaller values have too few digits to compute with. */
const smallest = 1e-100;

/** The steps from first to last over all series; from 0 on where the first is near it. */
export function stepDomain(series: TrainingSeries): readonly [number, number] {
  const all = Object.values(series).flatMap((points) => points.map(({ step }) => step));
  const first = all.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const last = all.reduce((a, b) => Math.max(a, b), 0);
  if (!Number.isFinite(first) || first <= last * 0.1) return [0, Math.max(1, last)];
  return first === last ? [first - 1, last + 1] : [first, last];
}

/** The vertical axis of a panel and about `count` ticks for it. */
export function verticalScale(
  { range, axis }: { readonly range: AxisRange; readonly axis: AxisKind },
  values: readonly number[],
  bottom: number,
  top: number,
  count: number,
): { readonly scale: Scale; readonly ticks: readonly number[] } {
  const lowest = values.reduce((a, b) => Math.min(a, b));
  const highest = values.reduce((a, b) => Math.max(a, b));
  const isLogarithmic = axis === "log" || (axis === "auto" && range === "log" && highest / lowest > 10);
  if (isLogarithmic && lowest > smallest && highest > lowest) {
    const domain = [roundTick(lowest, Math.floor), roundTick(highest, Math.ceil)];
    return { scale: scaleLog(domain, [bottom, top]), ticks: logarithmicTicks(domain[0]!, domain[1]!, count) };
  }
  const from = range === "zero" ? Math.min(0, lowest) : lowest;
  // What is as good as constant stands in the middle of a range of its own size.
  const size = Math.max(Math.abs(from), Math.abs(highest));
  const isConstant = highest - from <= Math.max(size * 1e-9, smallest);
  const half = !isConstant ? 0 : size > smallest ? size / 2 : 1;
  const scale = scaleLinear([from - half, highest + half], [bottom, top]).nice(count);
  return { scale, ticks: scale.ticks(count) };
}

/** The next number of one digit downwards or upwards. */
function roundTick(value: number, round: (value: number) => number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return Number((round(value / power) * power).toPrecision(1));
}

/** The densest of some usual sequences of ticks that has not many more than `count`. */
function logarithmicTicks(from: number, to: number, count: number): readonly number[] {
  let ticks: number[] = [];
  for (const digits of [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
    ticks = [];
    for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) {
      ticks.push(
        ...digits.map((digit) => Number(`${digit}e${power}`)).filter((tick) => tick >= from && tick <= to),
      );
    }
    if (ticks.length <= count * 1.6) return ticks;
  }
  const stride = Math.ceil(ticks.length / count);
  return ticks.filter((_, index) => index % stride === 0);
}

/** The ticks of one axis as text, in one unit unless they span many decades: "0.5", "20k", "5e-4". */
export function tickTexts(ticks: readonly number[]): string[] {
  const sizes = ticks.map(Math.abs).filter((size) => size > 0);
  const largest = sizes.reduce((a, b) => Math.max(a, b), 0);
  const spansDecades = largest > 1000 * sizes.reduce((a, b) => Math.min(a, b), largest);
  const isPlain = (size: number) => size >= 1e-3 && size < 1e9;
  const [unit, suffix] =
    spansDecades || !isPlain(largest)
      ? [1, ""]
      : largest >= 1e6
        ? [1e6, "M"]
        : largest >= 1e4
          ? [1e3, "k"]
          : [1, ""];
  return ticks.map((tick) => {
    if (tick === 0) return "0";
    const digits = Number((tick / unit).toPrecision(6));
    return isPlain(spansDecades ? Math.abs(tick) : largest) ? `${digits}${suffix}` : digits.toExponential();
  });
}
