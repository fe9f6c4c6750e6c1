/** JSON files of model folders. */
import { readFile } from "node:fs/promises";
import { QkvError } from "../../util/errors.ts";
import { errorCode, fileError } from "../../util/node/file-error.ts";

/** The contents of a JSON object as files spell it. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * The object that a file holds, or nothing where there is no such file.
 * @throws QkvError "file" for anything else
 */
export async function readJsonObject(path: string): Promise<JsonObject | undefined> {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QkvError("file", `${path}: must be JSON; got ${reason}; fetch the file again`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new QkvError("file", `${path}: must be a JSON object; fetch the file again`);
  }
  return value as JsonObject;
}

/** The bytes of a file, or nothing where there is none. */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  return await readFile(path).catch((cause: unknown) => {
    if (errorCode(cause) === "ENOENT") return undefined;
    throw fileError(path, "cannot read", cause);
  });
}
