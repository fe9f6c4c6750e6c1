import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { QkvError } from "../../util/errors.ts";
import { errorCode } from "../../util/node/file-error.ts";

/**
 * Asks a server for a file, from a byte on.
 * @throws QkvError "file" where it cannot be reached
 */
export async function request(
  url: string,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<Response> {
  try {
    return await fetch(url, {
      // Byte ranges count the bytes that are sent, so the server must not compress them.
      headers: { "accept-encoding": "identity", ...(offset > 0 ? { range: `bytes=${offset}-` } : {}) },
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = errorCode(cause) ?? (cause instanceof Error ? cause.message : String(cause));
    throw new QkvError(
      "file",
      `${url}: the server cannot be reached (${reason}); check the connection and run it again`,
      { cause: error },
    );
  }
}

/** The size of a file in bytes, if it is there. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The SHA-256 of a file in hexadecimal digits. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest("hex");
}
