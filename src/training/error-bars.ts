import { scaleLinear } from "d3-scale";
import { escapeMarkup } from "../util/markup.ts";

/** Values of one variant of an experiment, one for each seed that has one. */
export interface Measurements {
  readonly name: string;
  readonly values: readonly number[];
}

/** @returns mean and standard deviation of a sample (0 for a single value) */
export function meanAndDeviation(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

const width = 720;
const rowHeight = 30;
const left = 250;
const right = 90;
const top = 54;

/**
 * A picture of variants side by side: a dot for the mean, a bar of one standard deviation to either side, and a small
 * dot for each seed. It fits light pages and dark ones.
 * @returns SVG
 */
export function drawErrorBars(
  rows: readonly Measurements[],
  { title, axis }: { readonly title: string; readonly axis: string },
): string {
  const all = rows.flatMap(({ values }) => values);
  const [low, high] = all.length === 0 ? [0, 1] : [Math.min(...all), Math.max(...all)];
  const margin = (high - low || Math.abs(high) || 1) * 0.06;
  const x = scaleLinear([low - margin, high + margin], [left, width - right]).nice(5);
  const height = top + rows.length * rowHeight + 44;
  const bottom = top + rows.length * rowHeight;
  const ticks = x.ticks(5);
  const grid = ticks.map(
    (tick) =>
      `<path class="grid" d="M${round(x(tick))} ${top - 8}V${bottom}"/>` +
      `<text class="muted middle" x="${round(x(tick))}" y="${bottom + 16}">${x.tickFormat(5)(tick)}</text>`,
  );
  const lines = rows.map(({ name, values }, index) => {
    const y = top + (index + 0.5) * rowHeight;
    const label = `<text class="end" x="${left - 12}" y="${y + 4}">${escapeMarkup(name)}</text>`;
    if (values.length === 0)
      return `${label}<text class="muted" x="${width - right + 12}" y="${y + 4}">–</text>`;
    const { mean, deviation } = meanAndDeviation(values);
    const dots = values.map((value) => `<circle class="seed" cx="${round(x(value))}" cy="${y}" r="2.5"/>`);
    return [
      label,
      `<path class="bar" d="M${round(x(mean - deviation))} ${y}H${round(x(mean + deviation))}"/>`,
      ...dots,
      `<circle class="mean" cx="${round(x(mean))}" cy="${y}" r="5"/>`,
      `<text class="muted" x="${width - right + 12}" y="${y + 4}">${mean.toFixed(3)}</text>`,
    ].join("");
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="${escapeMarkup(title)}">`,
    `<style>${style}</style>`,
    `<rect class="page" width="${width}" height="${height}"/>`,
    `<text class="title" x="16" y="28">${escapeMarkup(title)}</text>`,
    ...grid,
    ...lines,
    `<text class="muted middle" x="${(left + width - right) / 2}" y="${bottom + 36}">${escapeMarkup(axis)}</text>`,
    "</svg>",
  ].join("\n");
}

const style = [
  'text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#1f2937}',
  ".title{font-size:16px;font-weight:600}.muted{font-size:12px;fill:#6b7280}.end{text-anchor:end}",
  ".middle{text-anchor:middle}.page{fill:#fff}.grid{stroke:#e5e7eb}.bar{stroke:#2563eb;stroke-width:3;stroke-opacity:.45}",
  ".mean{fill:#2563eb}.seed{fill:#2563eb;fill-opacity:.4}",
  "@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.muted{fill:#9ca3af}.page{fill:#0f1420}.grid{stroke:#1e2635}",
  ".bar{stroke:#60a5fa}.mean,.seed{fill:#60a5fa}}",
].join("");

const round = (value: number): number => Math.round(value * 10) / 10;
