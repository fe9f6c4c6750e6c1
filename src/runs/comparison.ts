/** Several runs beside each other: what sets them apart, and what they came to. */
import { type ComparedRun, drawComparison, seriesOfLog } from "../training/curves.ts";
import { formatCount, formatDuration, formatWhole, nameOfMetric } from "../util/format.ts";
import { escapeHtml, type Html, page, section, table } from "./html.ts";
import { metricText, problemsPart, statusPill, valueText } from "./parts.ts";
import { differingKeys } from "./recipe-rows.ts";
import { metricOf, type RunSummary, type StoredRun, summarize } from "./stored-run.ts";

export interface Comparison {
  /** Under names that tell them apart. */
  readonly runs: readonly RunSummary[];
  /** The keys of the recipes in which they differ, with a value for each run. */
  readonly differing: readonly { readonly key: string; readonly values: readonly unknown[] }[];
}

export type ComparedOver = "step" | "time";

export function compareRuns(runs: readonly StoredRun[]): Comparison {
  const names = distinctNames(runs.map(({ folder }) => folder));
  return {
    runs: runs.map((run, index) => ({ ...summarize(run), name: names[index]! })),
    differing: differingKeys(runs.map(({ recipe }) => recipe)),
  };
}

/** The ends of paths, as long as they must be to differ; where two are the same, the whole. */
export function distinctNames(folders: readonly string[]): string[] {
  const parts = folders.map((folder) => folder.split(/[\\/]+/).filter((part) => part !== "" && part !== "."));
  const deepest = Math.max(...parts.map(({ length }) => length));
  for (let depth = 1; depth <= deepest; depth++) {
    const names = parts.map((path) => path.slice(-depth).join("/"));
    if (new Set(names).size === names.length) return names;
  }
  return folders.map((folder, index) => `${folder} (${index + 1})`);
}

/** One line of a comparison: what it is of, and a text for each run. */
export interface ComparisonRow {
  readonly name: string;
  readonly values: readonly string[];
}

/** What the runs came to, line by line; what none of them has is left out. */
export function resultRows({ runs }: Comparison): ComparisonRow[] {
  const metrics = [...new Set(runs.flatMap((run) => run.metrics))];
  const row = (name: string, value: (run: RunSummary) => string | undefined): ComparisonRow => ({
    name,
    values: runs.map((run) => value(run) ?? ""),
  });
  const atStep = (text: string, step: number) => `${text} at ${formatWhole(step)}`;
  const rows = [
    row("status", ({ status }) => status),
    row("steps", ({ step, maxSteps }) =>
      maxSteps === undefined ? formatWhole(step) : `${formatWhole(step)} of ${formatWhole(maxSteps)}`,
    ),
    row("time", ({ seconds }) => (seconds > 0 ? formatDuration(seconds) : undefined)),
    row("tokens per second", ({ tokensPerSecond }) =>
      tokensPerSecond === undefined ? undefined : formatWhole(tokensPerSecond),
    ),
    row("parameters", ({ parameters }) => (parameters === undefined ? undefined : formatCount(parameters))),
    row("best validation loss", ({ best }) => best && atStep(best.loss.toFixed(4), best.step)),
    row("last validation loss", ({ last }) => last && atStep(last.loss.toFixed(4), last.step)),
    row("mean's validation loss", ({ average }) => average?.loss.toFixed(4)),
    ...metrics.flatMap((metric) => [
      row(`best ${nameOfMetric(metric)}`, ({ best }) => metricText(metricOf(best, metric))),
      row(`last ${nameOfMetric(metric)}`, ({ last }) => metricText(metricOf(last, metric))),
      row(`mean's ${nameOfMetric(metric)}`, ({ average }) => metricText(metricOf(average, metric))),
    ]),
  ];
  return rows.filter(({ values }) => values.some((value) => value !== ""));
}

/** The curves of all runs over each other as SVG text. */
export function comparisonPicture(
  runs: readonly StoredRun[],
  over: ComparedOver,
  options: { readonly title?: string; readonly hasValues?: boolean } = {},
): string {
  const by = over === "time" ? "seconds" : "step";
  const names = compareRuns(runs).runs.map(({ name }) => name);
  const compared = runs.map(
    ({ records }, index): ComparedRun => ({ name: names[index]!, series: seriesOfLog(records, by) }),
  );
  return drawComparison(compared, by, options);
}

/** The comparison as one HTML file that loads nothing from elsewhere. */
export function comparisonPage(runs: readonly StoredRun[], over: ComparedOver, hoverScript: string): Html {
  const comparison = compareRuns(runs);
  const names = comparison.runs.map(({ name }) => escapeHtml(name));
  const results = resultRows(comparison).map(({ name, values }) => [
    escapeHtml(name),
    ...values.map((value, index) =>
      name === "status" ? statusPill(comparison.runs[index]!.status) : escapeHtml(value),
    ),
  ]);
  const differing = comparison.differing.map(({ key, values }) => [
    escapeHtml(key),
    ...values.map(valueText),
  ]);
  const same = '<p class="muted">The recipes are the same.</p>';
  const title = comparison.runs.map(({ name }) => name).join(", ");
  const body = [
    `<header><h1>${escapeHtml(title)}</h1></header>`,
    `<section class="chart">${comparisonPicture(runs, over, { hasValues: true })}</section>`,
    section("Results", table(["", ...names], results, "numbers")),
    section(
      "Where the recipes differ",
      differing.length === 0 ? same : table(["", ...names], differing, "numbers"),
    ),
    section("Could not be read", problemsPart(runs.flatMap(({ problems }) => problems))),
  ];
  return page({
    title: `${title}: comparison`,
    body: `<main>\n${body.filter((part) => part !== "").join("\n")}\n</main>`,
    scripts: [hoverScript],
  });
}
