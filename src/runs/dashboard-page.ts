/** The live page about a run, and its parts, which the server sends anew when they change. */
import { type AxisKind, drawCurves, seriesOfLog } from "../training/curves.ts";
import { formatCount, formatDuration, formatWhole } from "../util/format.ts";
import { escapeHtml, type Html, page } from "./html.ts";
import {
  journalPart,
  measuredTable,
  problemsPart,
  recipePart,
  samplesPart,
  sizesTable,
  statusPill,
  summaryTiles,
} from "./parts.ts";
import {
  type RunStatus,
  type RunSummary,
  type StoredRun,
  samplesOf,
  stepsOf,
  summarize,
} from "./stored-run.ts";

/** What is under way before the first step. */
export interface Preparing {
  readonly what: string;
  readonly done: number;
  readonly total?: number;
}

/** How a run stands, for the page and for programs. */
export interface DashboardState extends RunSummary {
  readonly preparing: Preparing | undefined;
  readonly secondsLeft: number | undefined;
  /** What can be asked of it. */
  readonly actions: readonly DashboardAction[];
}

export type DashboardAction = "pause" | "resume" | "stop";

/** What somebody who started the training knows beyond its folder. */
export interface Held {
  readonly preparing: Preparing | undefined;
  readonly isPaused: boolean;
  readonly isStopping: boolean;
}

/** @param held - undefined where the run is another process's and can only be watched */
export function dashboardState(run: StoredRun, held: Held | undefined): DashboardState {
  const summary = summarize(run);
  const isUnderWay = held !== undefined && (isOpen(summary.status) || run.journal.length === 0);
  const status: RunStatus = run.journal.length === 0 && held !== undefined ? "preparing" : summary.status;
  return {
    ...summary,
    status,
    preparing: isUnderWay ? held.preparing : undefined,
    secondsLeft: isOpen(status) ? secondsLeft(run, summary) : undefined,
    actions: !isUnderWay || held.isStopping ? [] : [held.isPaused ? "resume" : "pause", "stop"],
  };
}

const isOpen = (status: RunStatus): boolean => ["preparing", "running", "paused"].includes(status);

/** Seconds to the last step at the speed of the last steps, validations left out. */
function secondsLeft(run: StoredRun, { step, maxSteps }: RunSummary): number | undefined {
  const steps = stepsOf(run).slice(-20);
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined || maxSteps === undefined) return undefined;
  const perStep =
    first === last ? last.seconds / last.step : (last.seconds - first.seconds) / (last.step - first.step);
  return perStep * Math.max(0, maxSteps - step);
}

/** The parts of the page that change, by the ids of their places; `curves` apart, since there are three kinds. */
export function dashboardParts(run: StoredRun, state: DashboardState): Readonly<Record<string, Html>> {
  return {
    head: `<h1>${escapeHtml(run.name)}</h1>${statusPill(state.status)}${state.description === "" ? "" : `<p>${escapeHtml(state.description)}</p>`}`,
    controls: controls(state),
    progress: progressPart(state),
    numbers: summaryTiles(state),
    validation: titled("Validation", measuredTable(state)),
    samples: titled("Samples", samplesPart(samplesOf(run))),
    messages: titled("What happened", journalPart(run) + problemsPart(run.problems)),
    sizes: titled("Data, model, engine", sizesTable(run, state)),
    recipe: titled("Recipe", recipePart(run.recipe)),
  };
}

export function dashboardCurves(run: StoredRun, axis: AxisKind): Html {
  return drawCurves(seriesOfLog(run.records), { axis, hasValues: true });
}

function titled(heading: string, content: Html): Html {
  return content === "" ? "" : `<h2>${escapeHtml(heading)}</h2>${content}`;
}

const actionNames: Readonly<Record<DashboardAction, string>> = {
  pause: "Pause",
  resume: "Resume",
  stop: "Stop",
};

function controls({ actions }: DashboardState): Html {
  return actions
    .map(
      (action) =>
        `<button type="button" class="${action}" data-do="${action}">${actionNames[action]}</button>`,
    )
    .join("");
}

function progressPart({ preparing, step, maxSteps, secondsLeft, status }: DashboardState): Html {
  const [done, total, what] =
    preparing === undefined
      ? [step, maxSteps, stepText(step, maxSteps, isOpen(status) ? secondsLeft : undefined)]
      : [
          preparing.done,
          preparing.total,
          `${preparing.what}: ${formatCount(preparing.done)}${preparing.total === undefined ? "" : ` of ${formatCount(preparing.total)}`}`,
        ];
  if (total === undefined) return preparing === undefined ? "" : `<p class="muted">${escapeHtml(what)}</p>`;
  if (total === 0) return "";
  const percent = Math.min(100, (100 * done) / total).toFixed(1);
  return `<p class="muted">${escapeHtml(what)}</p><div class="bar"><i style="width:${percent}%"></i></div>`;
}

function stepText(step: number, maxSteps: number | undefined, left: number | undefined): string {
  const steps = `step ${formatWhole(step)}${maxSteps === undefined ? "" : ` of ${formatWhole(maxSteps)}`}`;
  return left === undefined ? steps : `${steps}, ${formatDuration(left)} left`;
}

/** The page before its parts have come. */
export function dashboardPage(name: string): Html {
  const place = (id: string) => `<section id="${id}"></section>`;
  const body = `<main>
<header><div id="head"><h1>${escapeHtml(name)}</h1></div><div class="controls">
<label class="muted">axis <select id="axis"><option value="auto">auto</option><option value="log">log</option>
<option value="linear">linear</option></select></label><span id="controls"></span></div></header>
<p id="note" class="problems" role="status" hidden></p>
<div id="progress"></div>
<div id="numbers"></div>
<section class="chart"><div id="curves"></div></section>
${["validation", "samples", "messages", "sizes", "recipe"].map(place).join("\n")}
</main>`;
  return page({ title: `${name}: training`, body, modules: ["/hover.js", "/dashboard.js"] });
}
