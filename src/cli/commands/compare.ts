import { type Command, Option } from "commander";
import type { ComparedOver, Comparison, ComparisonRow } from "../../runs/comparison.ts";
import type { StoredRun } from "../../runs/stored-run.ts";
import { QkvError } from "../../util/errors.ts";
import { displayWidth, sparkline } from "../../util/format.ts";
import { examples } from "../arguments.ts";
import { print } from "../text-files.ts";
import { warn } from "./report.ts";

interface CompareFlags {
  by: ComparedOver;
  out?: string;
  json?: boolean;
}

export function defineCompare(program: Command): void {
  program
    .command("compare")
    .description("set runs beside each other: where their recipes differ, and what they came to")
    .argument("<runs...>", "two or more runs' folders")
    .addOption(
      new Option("--by <what>", "what the curves stand over").choices(["step", "time"]).default("step"),
    )
    .option(
      "--out <file>",
      "write the curves of all runs over each other: FILE.svg, or FILE.html with tables",
    )
    .option("--json", "print it as JSON")
    .addHelpText(
      "after",
      examples("qkv compare runs/one runs/two", "qkv compare runs/* --by time --out runs.html"),
    )
    .action(async (folders: string[], { by, out, json }: CompareFlags) => {
      if (folders.length < 2) {
        throw new QkvError("option", `compare: takes two or more runs; got ${folders.length}; name another`);
      }
      const kind = /\.(html|svg)$/i.exec(out ?? "")?.[1]?.toLowerCase();
      if (out !== undefined && kind === undefined) {
        throw new QkvError("option", `--out: must end in .html or .svg; got "${out}"`);
      }
      const { readMeasuredRun } = await import("../../runs/node/read-run.ts");
      const { compareRuns, comparisonPage, comparisonPicture } = await import("../../runs/comparison.ts");
      const runs = await Promise.all(folders.map((folder) => readMeasuredRun(folder)));
      warn(runs.flatMap(({ problems }) => problems));
      const comparison = compareRuns(runs);
      if (out !== undefined) {
        const { writeFileAtomically } = await import("../../util/node/atomic-file.ts");
        const { readPageScript } = await import("../../runs/node/page-files.ts");
        const content =
          kind === "svg"
            ? comparisonPicture(runs, by)
            : comparisonPage(runs, by, await readPageScript("hover.js"));
        await writeFileAtomically(out, content);
      }
      await print(json ? `${JSON.stringify(comparison)}\n` : await asText(comparison, runs));
    });
}

const sparklineColumns = 24;

async function asText(comparison: Comparison, runs: readonly StoredRun[]): Promise<string> {
  const { resultRows } = await import("../../runs/comparison.ts");
  const { stepsOf, validationsOf } = await import("../../runs/stored-run.ts");
  const course = (name: string, lossesOf: (run: StoredRun) => readonly { readonly loss: number }[]) => ({
    name,
    values: runs.map((run) => {
      const losses = lossesOf(run).map(({ loss }) => Math.log(loss));
      return losses.length < 2 ? "" : sparkline(losses, Math.min(sparklineColumns, losses.length));
    }),
  });
  const results = [
    ...resultRows(comparison),
    course("training loss (log)", stepsOf),
    course("validation loss (log)", (run) => validationsOf(run).filter(({ of }) => of === undefined)),
  ].filter(({ values }) => values.some((value) => value !== ""));
  const differing = comparison.differing.map(({ key, values }) => ({
    name: key,
    values: values.map((value) => (typeof value === "string" ? value : (JSON.stringify(value) ?? "–"))),
  }));
  const rows: ComparisonRow[] = [
    { name: "", values: comparison.runs.map(({ name }) => name) },
    ...results,
    { name: "", values: [] },
    ...(differing.length > 0 ? differing : [{ name: "The recipes are the same.", values: [] }]),
  ];
  return `${columns(rows).join("\n")}\n`;
}

/** Rows as lines, each column as wide as its widest text. */
function columns(rows: readonly ComparisonRow[]): string[] {
  const cells = rows.map(({ name, values }) => [name, ...values]);
  const widths: number[] = [];
  for (const row of cells.filter(({ length }) => length > 1)) {
    for (const [index, cell] of row.entries())
      widths[index] = Math.max(widths[index] ?? 0, displayWidth(cell));
  }
  return cells.map((row) =>
    row
      .map((cell, index) => cell + " ".repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(cell)) + 2))
      .join("")
      .trimEnd(),
  );
}
