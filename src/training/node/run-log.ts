import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import type { LogRecord } from "../run-events.ts";

/** The file in a run's folder. */
export const logName = "log.jsonl";

/** `log.jsonl` of a run: one record a line. */
export class RunLog {
  readonly #path: string;
  readonly records: LogRecord[] = [];

  private constructor(path: string) {
    this.#path = path;
  }

  /** Opens the log and cuts off what was written after the step that training goes on from. */
  static async open(directory: string, step: number): Promise<RunLog> {
    const log = new RunLog(join(directory, logName));
    for (const record of await readLog(directory)) if (record.step <= step) log.records.push(record);
    await writeFileAtomically(log.#path, log.records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    return log;
  }

  async add(record: LogRecord): Promise<void> {
    this.records.push(record);
    await appendFile(this.#path, `${JSON.stringify(record)}\n`);
  }
}

/** The records of a run's log; none where there is none. */
export async function readLog(directory: string): Promise<LogRecord[]> {
  const text = await readFile(join(directory, logName), "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => parseRecord(line) ?? []);
}

/** A record, or nothing for the half line that a killed run may leave. */
function parseRecord(line: string): LogRecord | undefined {
  try {
    const record = JSON.parse(line) as LogRecord;
    return typeof record.step === "number" ? record : undefined;
  } catch {
    return undefined;
  }
}
