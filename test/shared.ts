import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../../shared/", import.meta.url);

/** Whether the folder of reference data lies beside the repository. Tests that need it are skipped where not. */
export const hasShared = existsSync(fileURLToPath(root));

/** Why a test was skipped, for its title. */
export const needsShared = hasShared ? "" : " (skipped: needs the reference data in ../shared)";

/** The path of a file of the reference data. */
export function sharedPath(path: string): string {
  return fileURLToPath(new URL(path, root));
}

/** A JSON file of the reference data. */
export function readSharedJson<Value>(path: string): Value {
  return JSON.parse(readFileSync(sharedPath(path), "utf8")) as Value;
}
