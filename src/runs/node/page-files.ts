import { readFile } from "node:fs/promises";
import { fileError } from "../../util/node/file-error.ts";

export type PageScript = "hover.js" | "dashboard.js";

/** A script for the browser, as it is built; where this runs as TypeScript (in tests), from the build's folder. */
export async function readPageScript(name: PageScript): Promise<string> {
  const here = import.meta.url.replace(/\/src\/runs\/node\/([^/]*)\.ts$/, "/dist/runs/node/$1.js");
  const file = new URL(`../page/${name}`, here);
  try {
    return (await readFile(file, "utf8")).replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
  } catch (error) {
    throw fileError(file.pathname, "cannot read a part of qkv itself", error);
  }
}
