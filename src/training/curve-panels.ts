/** What a picture of a training shows: the panels, their curves, and how everything looks. */
import type { TrainingSeries } from "./curve-points.ts";

/** One line of a panel. */
export interface Curve {
  readonly field: keyof TrainingSeries;
  readonly name: string;
  /** Colours on a light and on a dark page. */
  readonly colors: readonly [light: string, dark: string];
  /** `measured`: at every step, with noise; `exact`: at every step, without; `evaluated`: now and then. */
  readonly kind: "measured" | "exact" | "evaluated";
  /** Which of the values is the best, where that is worth a mark. */
  readonly best?: "lowest" | "highest";
}

/** `tight`: the range of the values; `zero`: from zero on; `log`: logarithmic beyond a decade, else tight. */
export type AxisRange = "tight" | "zero" | "log";

export interface Panel {
  readonly title: string;
  readonly unit?: string;
  readonly curves: readonly Curve[];
  readonly range: AxisRange;
  readonly format: (value: number) => string;
}

/** The first panel is as wide as the page, the others stand below it in two columns. */
export const panels: readonly Panel[] = [
  {
    title: "Loss",
    unit: "nats per token",
    range: "log",
    format: (value) => value.toPrecision(4),
    curves: [
      { field: "loss", name: "training", colors: ["#2563eb", "#60a5fa"], kind: "measured" },
      {
        field: "validationLoss",
        name: "validation",
        colors: ["#ea580c", "#fb923c"],
        kind: "evaluated",
        best: "lowest",
      },
    ],
  },
  {
    title: "BLEU",
    unit: "validation",
    range: "tight",
    format: (value) => value.toFixed(2),
    curves: [{ field: "bleu", name: "", colors: ["#db2777", "#f472b6"], kind: "evaluated", best: "highest" }],
  },
  {
    title: "Learning rate",
    range: "zero",
    format: (value) => value.toExponential(2),
    curves: [{ field: "learningRate", name: "", colors: ["#059669", "#34d399"], kind: "exact" }],
  },
  {
    title: "Gradient norm",
    range: "log",
    format: (value) => value.toPrecision(3),
    curves: [{ field: "gradientNorm", name: "", colors: ["#7c3aed", "#a78bfa"], kind: "measured" }],
  },
  {
    title: "Speed",
    unit: "tokens per second",
    range: "zero",
    format: (value) => wholeNumber(value),
    curves: [{ field: "tokensPerSecond", name: "", colors: ["#0e7490", "#22d3ee"], kind: "measured" }],
  },
];

/** The style sheet of the picture, for light pages and dark ones. */
export function styleSheet(): string {
  const colors = (index: 0 | 1) =>
    panels
      .flatMap(({ curves }) => curves.map((curve) => `.${curve.field}{color:${curve.colors[index]}}`))
      .join("");
  return [
    `text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:#1f2937}`,
    ".title{font-size:19px;font-weight:600}.heading{font-size:13px;font-weight:600}.unit{font-weight:400}",
    ".label{font-size:11px}.label,.muted{fill:#6b7280}.end{text-anchor:end}.middle{text-anchor:middle}",
    ".page{fill:#fff}.grid{stroke:#eceff3}.axis{stroke:#c3c9d2}.grid,.axis{fill:none;stroke-width:1}",
    ".line{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}",
    ".pale{stroke-width:1;stroke-opacity:.28}.dot,.swatch{fill:currentColor}",
    ".best{fill:#fff;stroke:currentColor;stroke-width:2}",
    colors(0),
    "@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.label,.muted{fill:#9ca3af}",
    `.page,.best{fill:#0f1420}.grid{stroke:#1e2635}.axis{stroke:#3b4557}.pale{stroke-opacity:.35}${colors(1)}}`,
  ].join("\n");
}

/** "16,000" */
export function wholeNumber(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}
