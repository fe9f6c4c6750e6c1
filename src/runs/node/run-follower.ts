import { basename, join, resolve } from "node:path";
import { journalName } from "../../training/node/run-journal.ts";
import { logName } from "../../training/node/run-log.ts";
import { parseJournal, parseLog } from "../records.ts";
import type { StoredRun } from "../stored-run.ts";
import { FollowedFile } from "./followed-file.ts";
import { isAlive, readUnmeasured } from "./read-run.ts";

/** A run's folder as it grows; it need not be there yet. */
export class RunFollower {
  readonly #folder: string;
  readonly #log: FollowedFile<StoredRun["records"][number]>;
  readonly #journal: FollowedFile<StoredRun["journal"][number]>;
  #run: StoredRun;

  constructor(folder: string) {
    this.#folder = folder;
    this.#log = new FollowedFile(join(folder, logName), parseLog);
    this.#journal = new FollowedFile(join(folder, journalName), parseJournal);
    this.#run = {
      folder,
      name: basename(resolve(folder)),
      recipe: undefined,
      records: [],
      journal: [],
      problems: [],
      isAlive: false,
      state: undefined,
      data: [],
      model: undefined,
    };
  }

  /** The run as it was at the last `poll`. */
  get run(): StoredRun {
    return this.#run;
  }

  /**
   * Reads what is new.
   * @returns whether anything has changed
   */
  async poll(): Promise<boolean> {
    const isLogNew = await this.#log.poll();
    const isJournalNew = await this.#journal.poll();
    const alive = isAlive(this.#journal.records);
    if (!isLogNew && !isJournalNew && alive === this.#run.isAlive && this.#run.recipe !== undefined)
      return false;
    this.#run = {
      ...this.#run,
      ...(await readUnmeasured(this.#folder)),
      records: this.#log.records,
      journal: this.#journal.records,
      problems: [...this.#log.problems, ...this.#journal.problems],
      isAlive: alive,
    };
    return true;
  }
}
