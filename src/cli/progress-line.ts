/** How far something is, as a line of text: which parts it has, how they look, and what is left out first. */

import {
  cutToWidth,
  displayWidth,
  formatCount,
  formatDuration,
  formatValue,
  formatWhole,
  sparkline,
} from "../util/format.ts";
import type { Course } from "./course.ts";

/** What is known at a moment. Fields left out are not shown. */
export interface ProgressFields {
  /** How much of the total is done. */
  readonly step: number;
  /** Shown as a number, and its course as a sparkline. */
  readonly loss?: number;
  readonly perplexity?: number;
  readonly learningRate?: number;
  readonly gradientNorm?: number;
  readonly tokensPerSecond?: number;
  /** Default: estimated from the steps of the last minute. */
  readonly secondsLeft?: number;
}

/** A piece of the bar's line, and the terminal's code for how it looks (SGR). */
export interface Piece {
  readonly text: string;
  readonly style?: string;
}

const bold = "1";
const dim = "2";
const green = "32";

/**
 * The parts of the line as they stand, and how early each gets its place: the first are the last to be left
 * out.
 */
const places = {
  label: 2,
  bar: 9,
  percent: 1,
  step: 5,
  loss: 3,
  perplexity: 7,
  learningRate: 10,
  gradientNorm: 11,
  tokensPerSecond: 6,
  secondsLeft: 4,
  sparkline: 8,
} as const;

type Part = keyof typeof places;

const gap = 2;
/** Columns of the parts that can be wider or narrower. */
const barColumns = { least: 10, most: 30 };
const sparklineColumns = { least: 8, most: 24 };

/**
 * The line of the progress bar, at most `width` columns wide: the parts that fit, the most important first.
 */
export function barPieces(
  fields: ProgressFields,
  { total, label }: { readonly total: number | undefined; readonly label: string },
  course: Course,
  width: number,
): Piece[] {
  const step = stepText(fields.step, total);
  const texts: Partial<Record<Part, string>> = {
    ...fieldTexts(fields, course, shortFieldNames),
    label: printable(label),
    ...(total !== undefined && { percent: `${String(percentDone(fields.step, total)).padStart(3)}%` }),
    step,
  };
  const columns: Partial<Record<Part, number>> = {};
  let left = width + gap;
  for (const part of byImportance) {
    const needed = part === "bar" && total === undefined ? 0 : neededColumns(part, texts[part], course);
    if (needed === 0 || needed + gap > left) continue;
    columns[part] = needed;
    left -= needed + gap;
  }
  for (const [part, most] of [
    ["sparkline", Math.min(sparklineColumns.most, course.losses.length)],
    ["bar", barColumns.most],
  ] as const) {
    const given = columns[part];
    if (given === undefined) continue;
    columns[part] = Math.min(given + left, Math.max(given, most));
    left -= columns[part] - given;
  }
  if (Object.keys(columns).length === 0) return [{ text: cutToWidth((texts.percent ?? step).trim(), width) }];

  const pieces: Piece[] = [];
  for (const part of parts) {
    const given = columns[part];
    if (given === undefined) continue;
    if (pieces.length > 0) pieces.push({ text: " ".repeat(gap) });
    pieces.push(...piecesOf(part, texts[part] ?? "", given, fields.step / (total ?? 1), course));
  }
  return pieces;
}

const parts = Object.keys(places) as Part[];
const byImportance = [...parts].sort((left, right) => places[left] - places[right]);

function neededColumns(part: Part, text: string | undefined, course: Course): number {
  if (part === "bar") return barColumns.least;
  if (part === "sparkline") return course.losses.length > 1 ? sparklineColumns.least : 0;
  return displayWidth(text ?? "");
}

function piecesOf(part: Part, text: string, columns: number, fraction: number, course: Course): Piece[] {
  if (part === "bar") {
    const filled = Math.round(columns * Math.min(1, Math.max(0, fraction || 0)));
    return [
      { text: "━".repeat(filled), style: green },
      { text: "─".repeat(columns - filled), style: dim },
    ];
  }
  if (part === "sparkline") {
    return [{ text: sparkline(withoutPeaks(course.losses), columns).padEnd(columns), style: green }];
  }
  if (part === "label") return [{ text, style: bold }];
  const isMain = part === "percent" || part === "loss" || part === "secondsLeft";
  return [isMain ? { text } : { text, style: dim }];
}

/**
 * Values with the highest cut down to the rest: else the fall at the start would flatten all that comes
 * later.
 */
function withoutPeaks(values: readonly number[]): number[] {
  const sorted = [...values].sort((left, right) => left - right);
  const ceiling = sorted[Math.floor(0.85 * (sorted.length - 1))]!;
  return values.map((value) => Math.min(value, ceiling));
}

/** The line that is printed where there is no terminal. */
export function plainLine(
  fields: ProgressFields,
  { total, label }: { readonly total: number | undefined; readonly label: string },
  course: Course,
): string {
  const steps = `${printable(label)} ${stepText(fields.step, total).trimStart()}`;
  const texts = Object.values(fieldTexts(fields, course, fieldNames));
  const percent = total === undefined ? "" : ` (${percentDone(fields.step, total)}%)`;
  return [`${steps}${percent}`, ...texts].join(", ");
}

type Field = Exclude<keyof ProgressFields, "step">;
type FieldTexts = { readonly [Name in Field]: (value: string) => string };

const fieldNames: FieldTexts = {
  loss: (value) => `loss ${value}`,
  perplexity: (value) => `perplexity ${value}`,
  learningRate: (value) => `learning rate ${value}`,
  gradientNorm: (value) => `gradient norm ${value}`,
  tokensPerSecond: (value) => `${value} tokens/s`,
  secondsLeft: (value) => `${value} left`,
};

const shortFieldNames: FieldTexts = {
  ...fieldNames,
  perplexity: (value) => `ppl ${value}`,
  learningRate: (value) => `lr ${value}`,
  gradientNorm: (value) => `grad ${value}`,
  tokensPerSecond: (value) => `${value} tok/s`,
};

/** The fields that are known, as text, in the order in which they are shown. */
function fieldTexts(
  fields: ProgressFields,
  course: Course,
  names: FieldTexts,
): Partial<Record<Field, string>> {
  const texts: Partial<Record<Field, string>> = {};
  for (const name of Object.keys(names) as Field[]) {
    const value = name === "secondsLeft" ? (fields.secondsLeft ?? course.secondsLeft()) : fields[name];
    if (value !== undefined) texts[name] = names[name](fieldFormats[name](value));
  }
  return texts;
}

const fieldFormats: { readonly [Name in Field]: (value: number) => string } = {
  loss: formatValue,
  perplexity: formatValue,
  learningRate: (value) => (value === 0 ? "0" : value.toExponential(2)),
  gradientNorm: formatValue,
  tokensPerSecond: formatCount,
  secondsLeft: formatDuration,
};

/**
 * "8,400/20,000", the first number padded so that what follows keeps its place; of an unknown total "8,400". What has
 * begun does not count yet.
 */
function stepText(step: number, total: number | undefined): string {
  const done = formatWhole(Math.floor(step));
  if (total === undefined) return done;
  const whole = formatWhole(total);
  return `${done.padStart(whole.length)}/${whole}`;
}

/** Rounded down: 100 only when all is done. */
function percentDone(step: number, total: number): number {
  return total > 0 ? Math.min(100, Math.floor((100 * step) / total)) : 100;
}

/** The text without what would move the cursor. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, " ");
}
