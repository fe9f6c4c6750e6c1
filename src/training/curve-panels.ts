/** What a picture of a training shows: the panels, their curves, and how everything looks. */
import { formatWhole, nameOfMetric } from "../util/format.ts";
import type { TrainingSeries } from "./curve-points.ts";

/** Colours on a light and on a dark page. */
export type ColorPair = readonly [light: string, dark: string];

/** One line of a panel. */
export interface Curve {
  /** Its name in the series. */
  readonly field: string;
  readonly name: string;
  readonly colors: ColorPair;
  /**
   * `measured`: at every step, with noise; `course`: the same, of which only the course is drawn; `exact`: at every
   * step, without noise; `evaluated`: now and then.
   */
  readonly kind: "measured" | "course" | "exact" | "evaluated";
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

const loss: Panel = {
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
};

const bleu: Panel = {
  title: "BLEU",
  unit: "validation",
  range: "tight",
  format: (value) => value.toFixed(2),
  curves: [{ field: "bleu", name: "", colors: ["#db2777", "#f472b6"], kind: "evaluated", best: "highest" }],
};

const progress: readonly Panel[] = [
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
    format: formatWhole,
    curves: [{ field: "tokensPerSecond", name: "", colors: ["#0e7490", "#22d3ee"], kind: "measured" }],
  },
];

/** For what has no colour of its own, told apart also by those who see few colours. */
const palette: readonly ColorPair[] = [
  ["#2563eb", "#60a5fa"],
  ["#ea580c", "#fb923c"],
  ["#059669", "#34d399"],
  ["#db2777", "#f472b6"],
  ["#7c3aed", "#a78bfa"],
  ["#a16207", "#facc15"],
  ["#0e7490", "#22d3ee"],
  ["#4b5563", "#d1d5db"],
];

/** The colours of the curve that is the `index`th of several of a kind. */
export function colorsOf(index: number): ColorPair {
  return palette[index % palette.length]!;
}

/** The panels of one training: the first is as wide as the page, the others stand below it in columns. */
export function panelsOf(series: TrainingSeries): Panel[] {
  const named = [loss, bleu, ...progress];
  const known = new Set(named.flatMap(({ curves }) => curves.map(({ field }) => field)));
  const metrics = Object.keys(series)
    .filter((field) => !known.has(field))
    .map((field, index) => metricPanel(field, colorsOf(index + 3)));
  return [loss, bleu, ...metrics, ...progress]
    .map((panel) => ({ ...panel, curves: panel.curves.filter(({ field }) => isDrawn(series, field)) }))
    .filter(({ curves }) => curves.length > 0);
}

/** A metric by its name: the better the greater, but for what is a kind of loss. */
function metricPanel(field: string, colors: ColorPair): Panel {
  return {
    title: nameOfMetric(field),
    unit: "validation",
    range: "tight",
    format: (value) => value.toPrecision(4),
    curves: [
      { field, name: "", colors, kind: "evaluated", best: field === "bits_per_byte" ? "lowest" : "highest" },
    ],
  };
}

/** A run among several. */
export interface ComparedRun {
  readonly name: string;
  readonly series: TrainingSeries;
}

/** The panels of several trainings: one for each thing that any of them measures, with a curve for each of them. */
export function comparisonPanels(runs: readonly ComparedRun[]): Panel[] {
  const all = panelsOf(Object.assign({}, ...runs.map(({ series }) => series)) as TrainingSeries);
  const panels = all.flatMap((panel) =>
    panel.curves.map(
      ({ field, name, kind }): Panel => ({
        ...panel,
        title:
          name === ""
            ? panel.title
            : `${name[0]!.toUpperCase()}${name.slice(1)} ${panel.title.toLowerCase()}`,
        curves: runs.flatMap(({ name: runName, series }, run) =>
          isDrawn(series, field)
            ? [
                {
                  field: fieldOfRun(field, run),
                  name: runName,
                  colors: colorsOf(run),
                  kind: kind === "measured" ? "course" : kind,
                },
              ]
            : [],
        ),
      }),
    ),
  );
  // What was validated tells more of a run than what it was trained on.
  return panels.sort((left, right) => Number(isTraining(left)) - Number(isTraining(right)));
}

const isTraining = ({ title }: Panel): boolean =>
  title === "Training loss" || progress.some((panel) => panel.title === title);

/** The name of a series among those of several runs. */
export function fieldOfRun(field: string, run: number): string {
  return `${field} ${run}`;
}

function isDrawn(series: TrainingSeries, field: string): boolean {
  return (series[field]?.length ?? 0) > 0;
}

/**
 * The style sheet of a picture, for light pages and dark ones. All of it is about what lies in `svg.curves`, so that
 * the picture can stand in a page with a style of its own.
 * @param colors - of the classes `s0`, `s1` ...
 */
export function styleSheet(colors: readonly ColorPair[]): string {
  const colored = (which: 0 | 1) => colors.map((pair, index) => `.s${index}{color:${pair[which]}}`).join("");
  const light = [
    `text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:#1f2937}`,
    ".title{font-size:19px;font-weight:600}.heading{font-size:13px;font-weight:600}.unit{font-weight:400}",
    ".label{font-size:11px}.label,.muted{fill:#6b7280}.end{text-anchor:end}.middle{text-anchor:middle}",
    ".page{fill:#fff}.grid{stroke:#eceff3}.axis{stroke:#c3c9d2}.grid,.axis{fill:none;stroke-width:1}",
    ".line{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}",
    ".pale{stroke-width:1;stroke-opacity:.28}.dot,.swatch{fill:currentColor}",
    ".best{fill:#fff;stroke:currentColor;stroke-width:2}",
    colored(0),
  ];
  const dark = [
    "text{fill:#e5e7eb}.label,.muted{fill:#9ca3af}",
    ".page,.best{fill:#0f1420}.grid{stroke:#1e2635}.axis{stroke:#3b4557}.pale{stroke-opacity:.35}",
    colored(1),
  ];
  return [...light.map(within), "@media(prefers-color-scheme:dark){", ...dark.map(within), "}"].join("\n");
}

/** The rules of a line, each about what lies in the picture. */
function within(rules: string): string {
  return rules.replace(/([^{}]+)\{([^{}]*)\}/g, (_, selectors: string, body: string) => {
    const scoped = selectors.split(",").map((selector) => `.curves ${selector}`);
    return `${scoped.join(",")}{${body}}`;
  });
}
