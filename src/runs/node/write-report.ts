import { join } from "node:path";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import { reportPage } from "../report.ts";
import { readPageScript } from "./page-files.ts";
import { readMeasuredRun } from "./read-run.ts";

/** The report's file in a run's folder. */
export const reportName = "report.html";

export interface WrittenReport {
  readonly path: string;
  /** What could not be read. */
  readonly problems: readonly string[];
}

/**
 * Writes the report of a run.
 * @param path - default: `report.html` in its folder
 * @throws QkvError where the folder is no run's, or nothing has been measured
 */
export async function writeReport(folder: string, path = join(folder, reportName)): Promise<WrittenReport> {
  const run = await readMeasuredRun(folder);
  await writeFileAtomically(path, reportPage(run, await readPageScript("hover.js")));
  return { path, problems: run.problems };
}
