import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { fileError } from "./file-error.ts";

/** The SHA-256 of a file's bytes, in hexadecimal digits. */
export async function digestOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  } catch (error) {
    throw fileError(path, "cannot read", error);
  }
  return hash.digest("hex");
}
