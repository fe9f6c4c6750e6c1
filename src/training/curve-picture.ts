/** Draws panels with curves as one SVG file without scripts or outside fonts, for light and dark pages. */

import { scaleLinear } from "d3-scale";
import { curveLinear, curveMonotoneX, line } from "d3-shape";
import { formatWhole } from "../util/format.ts";
import { escapeText } from "../util/markup.ts";
import { type AxisKind, type Scale, stepDomain, tickTexts, verticalScale } from "./curve-axes.ts";
import { type Curve, type Panel, styleSheet } from "./curve-panels.ts";
import { type CurvePoint, isNoisy, smooth, type TrainingSeries, thinOut } from "./curve-points.ts";

export interface Picture {
  readonly title: string;
  /** A line of details below the title. */
  readonly subtitle?: string;
  readonly panels: readonly Panel[];
  readonly series: TrainingSeries;
  /** What lies to the right: its name, and whether only whole numbers make sense. */
  readonly across: { readonly label: string; readonly isWhole: boolean };
  /** Names with colours below the title, where the panels do not name their curves. */
  readonly legend?: readonly { readonly name: string; readonly color: Curve["colors"] }[];
  /** `auto`: as each panel has it. */
  readonly axis?: AxisKind;
  /** Whether the values stand in it for a script that shows them where the pointer is; the lines are coarser then. */
  readonly hasValues?: boolean;
}

const pageWidth = 960;
const margin = 32;
const columnGap = 40;
const rowGap = 28;
/** Around the plot of a panel: the heading above, the labels of the axes left and below. */
const inset = { top: 34, left: 46, bottom: 40 };
const plotHeights = { first: 260, other: 130 };
const mostPoints = { drawn: 1000, withValues: 400 };

/** What all panels of a picture have in common. */
interface Setting {
  readonly picture: Picture;
  readonly domain: readonly [number, number];
  /** The class of a curve, which has its colour. */
  readonly classOf: ReadonlyMap<Curve, string>;
}

/** A picture as SVG text; see `drawCurves`. */
export function drawPicture(picture: Picture): string {
  const { title, subtitle, panels, series, legend = [] } = picture;
  const curves = panels.flatMap((panel) => panel.curves);
  const classOf = new Map(curves.map((curve, index) => [curve, `s${index}`]));
  const colors = [...curves.map((curve) => curve.colors), ...legend.map(({ color }) => color)];
  const setting: Setting = { picture, domain: stepDomain(series), classOf };
  const parts: string[] = [];
  let top = margin + 18;
  if (title !== "") parts.push(text(margin, top, title, "title"));
  else top = margin - 16;
  if (subtitle) {
    top += 20;
    parts.push(text(margin, top, subtitle, "muted"));
  }
  for (const [index, { name }] of legend.entries()) {
    top += 20;
    const swatch = `<tspan class="s${curves.length + index} swatch">●</tspan>`;
    parts.push(`<text x="${margin}" y="${top}">${swatch}<tspan dx="6">${escapeXml(name)}</tspan></text>`);
  }
  top += 16;
  if (panels.length === 0) parts.push(text(margin, top + 24, "Nothing has been logged yet.", "muted"));
  let height = panels.length === 0 ? top + 24 : top;
  for (const placed of layOut(panels, top, pageWidth - 2 * margin)) {
    parts.push(drawPanel(placed, setting));
    height = placed.top + inset.top + placed.plotHeight + inset.bottom;
  }
  height = Math.ceil(height + margin / 2);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" class="curves" width="${pageWidth}" height="${height}"` +
      ` viewBox="0 0 ${pageWidth} ${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<desc>${escapeXml(panels.map((panel) => panel.title).join(", "))} over the steps of the training</desc>`,
    `<style>${styleSheet(colors)}</style>`,
    `<rect class="page" width="${pageWidth}" height="${height}"/>`,
    ...parts,
    "</svg>",
  ].join("\n")}\n`;
}

interface Placed {
  readonly panel: Panel;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly plotHeight: number;
}

/** The first panel over the whole width, the others below it, two or three beside each other. */
function layOut(known: readonly Panel[], top: number, width: number): Placed[] {
  const [first, ...others] = known;
  if (first === undefined) return [];
  const placed: Placed[] = [{ panel: first, left: margin, top, width, plotHeight: plotHeights.first }];
  // A best value makes a heading too long for a third of the page.
  const areShort = others.every(({ curves }) => curves.every(({ best }) => best === undefined));
  const columns = others.length === 3 && areShort ? 3 : Math.min(2, others.length);
  const firstRow = top + inset.top + plotHeights.first + inset.bottom + rowGap;
  const rowHeight = inset.top + plotHeights.other + inset.bottom + rowGap;
  const columnWidth = (width - columnGap * (columns - 1)) / columns;
  for (const [index, panel] of others.entries()) {
    placed.push({
      panel,
      left: margin + (index % columns) * (columnWidth + columnGap),
      top: firstRow + Math.floor(index / columns) * rowHeight,
      width: columnWidth,
      plotHeight: plotHeights.other,
    });
  }
  return placed;
}

/** A curve with the points that are drawn. */
interface DrawnCurve extends Curve {
  readonly className: string;
  readonly points: readonly CurvePoint[];
  /** The line through the noise of the points, where there is much. */
  readonly course: readonly CurvePoint[] | undefined;
  /** The last point, of the course where there is noise. */
  readonly last: CurvePoint;
  readonly bestPoint: CurvePoint | undefined;
}

function drawPanel({ panel, left, top, width, plotHeight }: Placed, setting: Setting): string {
  const { picture, domain, classOf } = setting;
  const plotLeft = left + inset.left;
  const plotRight = left + width;
  const plotTop = top + inset.top;
  const plotBottom = plotTop + plotHeight;
  const limit = picture.hasValues ? mostPoints.withValues : mostPoints.drawn;
  const curves = panel.curves.flatMap((curve) =>
    drawable(curve, classOf.get(curve)!, picture.series, Math.min(limit, plotRight - plotLeft)),
  );
  const x = scaleLinear(domain, [plotLeft, plotRight]);
  const values = curves.flatMap(({ points, course }) =>
    [...points, ...(course ?? [])].map(({ value }) => value),
  );
  const range = { range: panel.range, axis: picture.axis ?? "auto" } as const;
  const { scale: y, ticks } = verticalScale(range, values, plotBottom, plotTop, plotHeight / 44);
  const parts: string[] = [heading(panel, curves, left, plotRight, top + 14, picture.legend === undefined)];
  for (const [index, tick] of ticks.entries()) {
    const height = rounded(y(tick));
    parts.push(`<path class="grid" d="M${rounded(plotLeft)},${height}H${rounded(plotRight)}"/>`);
    parts.push(text(plotLeft - 8, y(tick) + 3.5, tickTexts(ticks)[index]!, "label end"));
  }
  parts.push(`<path class="axis" d="M${rounded(plotLeft)},${rounded(plotBottom)}H${rounded(plotRight)}"/>`);
  const stepTicks = x
    .ticks(Math.max(2, Math.round(width / 110)))
    .filter((tick) => !picture.across.isWhole || Number.isInteger(tick));
  for (const [index, tick] of stepTicks.entries()) {
    parts.push(`<path class="axis" d="M${rounded(x(tick))},${rounded(plotBottom)}v4"/>`);
    parts.push(text(x(tick), plotBottom + 17, tickTexts(stepTicks)[index]!, "label middle"));
  }
  parts.push(text((plotLeft + plotRight) / 2, plotBottom + 33, picture.across.label, "label middle"));
  const { label, isWhole } = picture.across;
  const say = ({ step, value }: CurvePoint) => {
    const place = isWhole ? `${label} ${formatWhole(step)}` : `${step.toFixed(2)} ${label}`;
    return `${place}|${panel.format(value)}`;
  };
  for (const curve of curves) parts.push(drawCurve(curve, x, y, picture.hasValues ? say : undefined));
  const place = [plotLeft, plotTop, plotRight, plotBottom].map(rounded).join(" ");
  return `<g${picture.hasValues ? ` class="panel" data-plot="${place}"` : ""}>\n${parts.join("\n")}\n</g>`;
}

function drawable(curve: Curve, className: string, series: TrainingSeries, limit: number): DrawnCurve[] {
  const all = series[curve.field] ?? [];
  if (all.length === 0) return [];
  const smoothed = curve.kind === "measured" || curve.kind === "course" ? smooth(all) : all;
  const isShownTwice = curve.kind === "measured" && isNoisy(all, smoothed);
  const course = isShownTwice ? thinOut(smoothed, limit) : undefined;
  return [
    {
      ...curve,
      className,
      points: thinOut(curve.kind === "course" && isNoisy(all, smoothed) ? smoothed : all, limit),
      course,
      last: smoothed.at(-1)!,
      bestPoint: bestOf(all, curve.best),
    },
  ];
}

function bestOf(points: readonly CurvePoint[], best: Curve["best"]): CurvePoint | undefined {
  if (best === undefined) return undefined;
  const sign = best === "lowest" ? 1 : -1;
  return points.reduce((left, right) => (sign * right.value < sign * left.value ? right : left));
}

/** @param say - writes a point's place and value down where a script is to show them */
function drawCurve(
  { className, name, kind, points, course, bestPoint }: DrawnCurve,
  x: Scale,
  y: Scale,
  say: ((point: CurvePoint) => string) | undefined,
): string {
  const path = line<CurvePoint>(
    ({ step }) => x(step),
    ({ value }) => y(value),
  )
    .curve(kind === "evaluated" ? curveMonotoneX : curveLinear)
    .digits(1);
  const parts = [`<path class="line${course === undefined ? "" : " pale"}" d="${path(points)}"/>`];
  if (course !== undefined) parts.push(`<path class="line" d="${path(course)}"/>`);
  const dot = ({ step, value }: CurvePoint, radius: number, name: string) =>
    `<circle class="${name}" cx="${rounded(x(step))}" cy="${rounded(y(value))}" r="${radius}"/>`;
  // A line of one point has no length.
  if (points.length === 1 || (kind === "evaluated" && points.length <= 40)) {
    parts.push(...points.map((point) => dot(point, 2.5, "dot")));
  }
  if (bestPoint !== undefined && points.length > 1) parts.push(dot(bestPoint, 4.5, "best"));
  const valuesOf = (text: (point: CurvePoint) => string) =>
    points.map((point) => [rounded(x(point.step)), rounded(y(point.value)), text(point)].join("|")).join(";");
  const label = escapeXml(name).replaceAll('"', "&quot;");
  const data = say === undefined ? "" : ` data-name="${label}" data-values="${valuesOf(say)}"`;
  return `<g class="${className}"${data}>\n${parts.join("\n")}\n</g>`;
}

/** The title of a panel on the left; on the right what its lines are, with their last and best values. */
function heading(
  panel: Panel,
  curves: readonly DrawnCurve[],
  left: number,
  right: number,
  baseline: number,
  isNamed: boolean,
): string {
  const unit =
    panel.unit === undefined ? "" : `<tspan class="muted unit" dx="8">${escapeXml(panel.unit)}</tspan>`;
  const legend = (isNamed ? curves : []).map(({ className, name, last, best, bestPoint }, index) => {
    const space = index === 0 ? "" : ' dx="18"';
    const what = [name, panel.format(last.value)].filter((part) => part !== "").join(" ");
    const isBest = bestPoint === undefined || bestPoint.value === last.value;
    const mark = isBest
      ? ""
      : `, ${best} ${panel.format(bestPoint.value)} at step ${formatWhole(bestPoint.step)}`;
    return `<tspan class="${className} swatch"${space}>●</tspan><tspan dx="5">${escapeXml(what + mark)}</tspan>`;
  });
  return [
    `<text class="heading" x="${rounded(left)}" y="${rounded(baseline)}">${escapeXml(panel.title)}${unit}</text>`,
    `<text class="legend end" x="${rounded(right)}" y="${rounded(baseline)}">${legend.join("")}</text>`,
  ].join("\n");
}

function rounded(value: number): string {
  return String(Number(value.toFixed(1)));
}

function text(x: number, y: number, content: string, name: string): string {
  return `<text class="${name}" x="${rounded(x)}" y="${rounded(y)}">${escapeXml(content)}</text>`;
}

/** Text for XML, without the control characters that XML 1.0 does not allow. */
function escapeXml(content: string): string {
  return escapeText(content.replace(/[\p{Cc}\p{Surrogate}\ufffe\uffff]/gu, " "));
}
