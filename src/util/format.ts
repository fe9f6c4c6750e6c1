/** Numbers, times and courses as short text for people. */

const bars = "▁▂▃▄▅▆▇█";
const countUnits = ["", " k", " M", " G", " T"];

/** The whole number with a comma for each thousand: "1,234,567". */
export function formatWhole(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A count to three digits with its unit: 1234567 is "1.23 M", 12 is "12", 0.5 is "0.5". */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  let unit = 0;
  let scaled = value;
  // Rounded before it is compared, so that 999,999 is "1.00 M" and not "1000 k".
  while (Math.abs(Number(scaled.toPrecision(3))) >= 1000 && unit < countUnits.length - 1) {
    scaled /= 1000;
    unit++;
  }
  const digits = scaled.toPrecision(3);
  if (unit === 0) return String(Number(digits));
  return `${digits.includes("e") ? Number(digits) : digits}${countUnits[unit]}`;
}

/**
 * A measured value such as a loss, to four digits: "1.234", "12.34", "12.3 k"; "NaN" and "Infinity" as they
 * are.
 */
export function formatValue(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || size >= 1000) return formatCount(value);
  if (size > 0 && size < 0.01) return value.toExponential(2);
  return value.toFixed(size < 10 ? 3 : size < 100 ? 2 : 1);
}

/** A number to so many digits after the point; what rounds to nothing has no sign. */
export function formatFixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text;
}

/** A time to the second and in two units at most: "42s", "3m20s", "2h05m", "3d04h". */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "?";
  const whole = Math.round(seconds);
  const units: [length: number, name: string][] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "m"],
    [1, "s"],
  ];
  for (const [index, [length, name]] of units.entries()) {
    const smaller = units[index + 1];
    if (whole < length || smaller === undefined) continue;
    const rest = Math.floor((whole % length) / smaller[0]);
    return `${Math.floor(whole / length)}${name}${String(rest).padStart(2, "0")}${smaller[1]}`;
  }
  return `${whole}s`;
}

/**
 * The course of some values as bars of eight heights, the lowest value the lowest bar.
 * More values than `width` are averaged; values that are not finite leave a space.
 */
export function sparkline(values: readonly number[], width: number): string {
  const course = values.length > width ? means(values, width) : values;
  const finite = course.filter(Number.isFinite);
  const lowest = Math.min(...finite);
  const range = Math.max(...finite) - lowest;
  return course
    .map((value) => {
      if (!Number.isFinite(value)) return " ";
      return bars[range === 0 ? 0 : Math.round(((value - lowest) / range) * (bars.length - 1))];
    })
    .join("");
}

/** The means of `count` stretches of equal length (to within one), of the finite values in each. */
export function means(values: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const start = Math.floor((index * values.length) / count);
    const stretch = values
      .slice(start, Math.floor(((index + 1) * values.length) / count))
      .filter(Number.isFinite);
    return stretch.reduce((sum, value) => sum + value, 0) / stretch.length;
  });
}

const takesNoColumn = /\p{Mn}|\p{Me}|\p{Cf}/u;
const takesTwoColumns = new RegExp(
  String.raw`[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f]|` +
    String.raw`[\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}`,
  "u",
);

/** How many columns of a terminal a text takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** As much of a text as fits in `width` columns. */
export function cutToWidth(text: string, width: number): string {
  let used = 0;
  let cut = "";
  for (const character of text) {
    used += columnsOf(character);
    if (used > width) break;
    cut += character;
  }
  return cut;
}

/** A text in at most `width` columns, with "…" where its end is left out. */
export function shortenToWidth(text: string, width: number): string {
  return displayWidth(text) <= width ? text : `${cutToWidth(text, width - 1)}…`;
}

function columnsOf(character: string): number {
  return takesNoColumn.test(character) ? 0 : takesTwoColumns.test(character) ? 2 : 1;
}

/** A metric as people spell it. */
export function nameOfMetric(name: string): string {
  return /^(bleu|chrf)$/.test(name) ? name.toUpperCase() : name.replaceAll("_", " ");
}
