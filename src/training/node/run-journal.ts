import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileError } from "../../util/node/file-error.ts";
import type { JournalEntry, RunEvent, ToldEvent } from "../run-events.ts";

/** The file in a run's folder. */
export const journalName = "events.jsonl";

/**
 * `events.jsonl` of a run: one event a line, each with the time of day. It is written for people who look at the run;
 * training never reads it.
 */
export class RunJournal {
  readonly #path: string;

  /** @param continues - keeps what earlier sessions wrote */
  constructor(directory: string, continues: boolean) {
    this.#path = join(directory, journalName);
    try {
      mkdirSync(directory, { recursive: true });
      if (!continues) rmSync(this.#path, { force: true });
    } catch (error) {
      throw fileError(directory, "cannot make the run's folder", error);
    }
  }

  /** Writes an event of the training down, where it is one for the journal. */
  hear(event: RunEvent): void {
    if (isTold(event)) this.add(event);
  }

  add(entry: JournalEntry): void {
    try {
      appendFileSync(this.#path, `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
    } catch (error) {
      throw fileError(this.#path, "cannot write", error);
    }
  }
}

function isTold(event: RunEvent): event is ToldEvent {
  return ["message", "start", "paused", "resumed"].includes(event.type);
}
