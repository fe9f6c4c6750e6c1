import { readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { QkvError } from "../../util/errors.ts";
import { isRunning } from "../../util/node/atomic-file.ts";
import { errorCode, fileError } from "../../util/node/file-error.ts";

const ownerSchema = z.object({
  process: z.int().positive(),
  host: z.string(),
  /** When the lock was taken, in milliseconds since 1970. */
  since: z.number(),
});
type Owner = z.infer<typeof ownerSchema>;

/**
 * Takes a run's folder for this process, so that no other trains into it at the same time: `run.lock` names the
 * process. What a process has left that is no more is taken over.
 * @param directory - there already
 * @returns gives the folder back
 * @throws QkvError "file" where another process has it
 */
export async function lockRunFolder(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, "run.lock");
  const own: Owner = { process: process.pid, host: hostname(), since: Date.now() };
  for (;;) {
    try {
      await writeFile(path, `${JSON.stringify(own)}\n`, { flag: "wx" });
      return () => rm(path, { force: true });
    } catch (cause) {
      if (errorCode(cause) !== "EEXIST") throw fileError(path, "cannot write", cause);
    }
    const owner = await readOwner(path);
    if (owner !== undefined && isAlive(owner)) {
      const where = owner.host === own.host ? "" : ` on ${owner.host}`;
      throw new QkvError(
        "file",
        `${directory}: one training at a time works in a folder; got process ${owner.process}${where}, which does so ` +
          `already; wait for its end, or remove ${path} if it is no training`,
      );
    }
    await rm(path, { force: true });
  }
}

/** Who has the lock; nobody where it is gone, or was not written to its end. */
async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const parsed = ownerSchema.safeParse(JSON.parse(await readFile(path, "utf8")));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Numbers of processes are used again: one with ours may be an earlier one, of before a restart. */
function isAlive({ process: id, host, since }: Owner): boolean {
  if (host !== hostname()) return true;
  if (id === process.pid) return since > Date.now() - 1000 * process.uptime();
  return isRunning(id);
}
