/** The parts that pages about a run are made of. */
import { formatCount, formatDuration, formatWhole, nameOfMetric } from "../util/format.ts";
import { escapeHtml, type Html, table, tiles } from "./html.ts";
import { recipeRows } from "./recipe-rows.ts";
import {
  metricOf,
  type RunStatus,
  type RunSummary,
  type SampleCourse,
  type StoredRun,
} from "./stored-run.ts";

export function statusPill(status: RunStatus): Html {
  return `<span class="status ${status.split(" ")[0]}">${escapeHtml(status)}</span>`;
}

/** A metric's value: to two places where it counts in hundreds, else to four digits. */
export function metricText(value: number | undefined): string {
  if (value === undefined) return "";
  return Math.abs(value) >= 10 ? value.toFixed(2) : value.toPrecision(4);
}

/** What is seen first. */
export function summaryTiles(summary: RunSummary): Html {
  const { step, maxSteps, seconds, tokens, tokensPerSecond, parameters, best, last, metrics } = summary;
  const shown = best ?? last;
  const numbers: [name: string, value: string][] = [
    [maxSteps === undefined ? "steps" : `of ${formatWhole(maxSteps)} steps`, formatWhole(step)],
  ];
  if (shown !== undefined) numbers.push(["best validation loss", shown.loss.toPrecision(4)]);
  for (const name of metrics) {
    const value = metricOf(shown, name);
    if (value !== undefined) numbers.push([`${nameOfMetric(name)} there`, metricText(value)]);
  }
  if (seconds > 0) numbers.push(["of training", formatDuration(seconds)]);
  if (tokens > 0) numbers.push(["tokens learned from", formatCount(tokens)]);
  if (tokensPerSecond !== undefined) numbers.push(["tokens per second", formatWhole(tokensPerSecond)]);
  if (parameters !== undefined) numbers.push(["parameters", formatCount(parameters)]);
  return tiles(numbers);
}

/** What was measured at the best validation, the last, and for the mean of the last checkpoints. */
export function measuredTable({ best, last, average, metrics }: RunSummary): Html {
  const rows = (
    [
      ["best", best],
      ["last", last],
      ["mean of the last checkpoints", average],
    ] as const
  ).flatMap(([name, record]) => {
    if (record === undefined) return [];
    const values = metrics.map((metric) => metricText(metricOf(record, metric)));
    return [[name, formatWhole(record.step), record.loss.toFixed(4), ...values]];
  });
  return table(["", "step", "loss", ...metrics.map(nameOfMetric).map(escapeHtml)], rows, "numbers");
}

const shownSteps = 4;

/** Each text with what would be right, and what the model made of it over the steps. */
export function samplesPart(samples: readonly SampleCourse[]): Html {
  return samples
    .map(({ source, target, course }) => {
      const changes = course.filter(({ got }, index) => index === 0 || got !== course[index - 1]!.got);
      const line = ({ step, got }: SampleCourse["course"][number]) =>
        `<li${got === target ? ' class="right"' : ""}><span>${formatWhole(step)}</span>` +
        `<span>${got === "" ? '<i class="muted">nothing</i>' : escapeHtml(got)}${got === target ? " ✓" : ""}</span></li>`;
      const shown = spread(changes, shownSteps).map(line).join("");
      const rest =
        changes.length <= shownSteps
          ? ""
          : `<details><summary>all ${changes.length} versions</summary><ol>${changes.map(line).join("")}</ol></details>`;
      return (
        `<div class="sample"><p>${escapeHtml(source)}</p>` +
        `<p class="reference">${escapeHtml(target)}</p><ol>${shown}</ol>${rest}</div>`
      );
    })
    .join("\n");
}

/** Some of a list, the first and the last among them. */
function spread<Value>(values: readonly Value[], count: number): Value[] {
  if (values.length <= count) return [...values];
  return Array.from(
    { length: count },
    (_, index) => values[Math.round((index * (values.length - 1)) / (count - 1))]!,
  );
}

/** The recipe by sections; what differs from the defaults stands out and says what the default is. */
export function recipePart(recipe: unknown): Html {
  const sections = new Map<string, Html[]>();
  for (const { key, value, defaultValue, isDefault } of recipeRows(recipe)) {
    if (key === "description") continue;
    const dot = key.indexOf(".");
    const heading = dot < 0 ? "" : key.slice(0, dot);
    const was =
      isDefault || defaultValue === undefined
        ? ""
        : ` <span class="was">default ${valueText(defaultValue)}</span>`;
    const row = `<tr${isDefault ? "" : ' class="set"'}><th scope="row">${escapeHtml(key.slice(dot + 1))}</th><td>${valueText(value)}${was}</td></tr>`;
    const rows = sections.get(heading) ?? [];
    rows.push(row);
    sections.set(heading, rows);
  }
  if (sections.size === 0) return "";
  const part = ([heading, rows]: [string, Html[]]) =>
    `<div>${heading === "" ? "" : `<h3>${escapeHtml(heading)}</h3>`}<table><tbody>${rows.join("\n")}</tbody></table></div>`;
  return `<div class="recipe">${[...sections].map(part).join("\n")}</div>`;
}

export function valueText(value: unknown): Html {
  if (value === undefined) return '<span class="muted">–</span>';
  return escapeHtml(typeof value === "string" ? value : JSON.stringify(value));
}

/** What it was trained from and with. */
export function sizesTable({ data, model }: StoredRun, { engine, threads }: RunSummary): Html {
  const rows: [Html, Html][] = data.map(({ name, counts }) => [
    escapeHtml(name),
    counts.map(([what, count]) => `${formatWhole(count)} ${escapeHtml(words(what))}`).join(", "),
  ]);
  if (model !== undefined) {
    const { numbers, tensors, bytes, dtypes } = model;
    const size = `${formatCount(numbers)} numbers in ${tensors} tensors, ${formatCount(bytes)}B (${dtypes.join(", ")})`;
    rows.push(["model.safetensors", escapeHtml(size)]);
  }
  if (engine !== undefined) rows.push(["engine", escapeHtml(engine)]);
  if (threads !== undefined) rows.push(["threads", String(threads)]);
  return table([], rows);
}

/** "sourceTokens" as "source tokens". */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** What happened, the latest last. */
export function journalPart({ journal }: Pick<StoredRun, "journal">): Html {
  const lines = journal.map((record) => {
    const time = escapeHtml(record.time.slice(0, 19).replace("T", " "));
    return `<p><time datetime="${escapeHtml(record.time)}">${time}</time>${escapeHtml(sayEntry(record))}</p>`;
  });
  return lines.length === 0 ? "" : `<div class="messages">${lines.join("\n")}</div>`;
}

function sayEntry(record: StoredRun["journal"][number]): string {
  switch (record.type) {
    case "message":
      return record.text;
    case "session":
      return `${record.continues ? "Goes on" : "Begins"} with ${record.engine}.`;
    case "start":
      return `${formatCount(record.parameters)} parameters; from step ${record.step} to ${record.maxSteps}.`;
    case "paused":
      return `Paused at step ${record.step}.`;
    case "resumed":
      return `Goes on at step ${record.step}.`;
    case "end":
      return `${record.outcome[0]!.toUpperCase()}${record.outcome.slice(1)}.`;
    case "failure":
      return `Failed: ${record.text}`;
    default:
      return JSON.stringify(record);
  }
}

export function problemsPart(problems: readonly string[]): Html {
  if (problems.length === 0) return "";
  return `<ul class="problems">${problems.map((problem) => `<li>${escapeHtml(problem)}</li>`).join("")}</ul>`;
}
