/** The report of a run: one HTML file with everything that a reader wants to know of it. */
import { drawCurves, seriesOfLog } from "../training/curves.ts";
import { commandsOfTask, quotedFolder } from "./commands.ts";
import { escapeHtml, type Html, page, section } from "./html.ts";
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
import { type RunSummary, type StoredRun, samplesOf, summarize } from "./stored-run.ts";

/**
 * The report as HTML text that loads nothing from elsewhere.
 * @param hoverScript - shows values where the pointer is
 */
export function reportPage(run: StoredRun, hoverScript: string): Html {
  const summary = summarize(run);
  const svg = drawCurves(seriesOfLog(run.records), { hasValues: true });
  const body = [
    `<header><h1>${escapeHtml(run.name)}</h1>${statusPill(summary.status)}` +
      `<p>${escapeHtml(summary.description)}</p></header>`,
    summaryTiles(summary),
    `<section class="chart">${svg}</section>`,
    section("Validation", measuredTable(summary)),
    section("Samples", samplesPart(samplesOf(run))),
    section("How to use it", commandsPart(run, summary)),
    section("Data, model, engine", sizesTable(run, summary)),
    section("Recipe", recipePart(run.recipe)),
    section("What happened", journalPart(run)),
    section("Could not be read", problemsPart(run.problems)),
  ];
  return page({
    title: `${run.name}: report`,
    body: `<main>\n${body.filter((part) => part !== "").join("\n")}\n</main>`,
    scripts: [hoverScript],
  });
}

function commandsPart({ folder, model }: StoredRun, { task, status }: RunSummary): Html {
  const quoted = quotedFolder(folder);
  const commands = model === undefined ? [] : [...commandsOfTask(task, folder)];
  if (model !== undefined) commands.push(`qkv info ${quoted}`);
  if (status !== "finished" && status !== "running") commands.push(`qkv train --out ${quoted} --resume`);
  return commands.length === 0 ? "" : `<pre>${commands.map(escapeHtml).join("\n")}</pre>`;
}
