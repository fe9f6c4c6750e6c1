import { createHash } from "node:crypto";
import { QkvError } from "../../util/errors.ts";
import { writeFileAtomically } from "../../util/node/atomic-file.ts";
import type { ChangingPairs } from "./datasets.ts";
import { hashFile, request, sizeOf } from "./download.ts";
import type { FetchOptions } from "./fetch-data.ts";
import { readZipMember } from "./zip-member.ts";

/** An archive beyond this is not what was asked for. */
const mostBytes = 256 * 1024 * 1024;

/**
 * Fetches sentence pairs whose archive changes at its source, unless they are there. They are known by the digest of
 * the pairs, not of the archive, which also holds dates and attributions.
 * @returns the bytes of the archive that came over the network
 * @throws QkvError "file" where the pairs are not those that are known, unless changed ones are accepted
 */
export async function fetchChangingPairs(
  source: ChangingPairs,
  path: string,
  options: FetchOptions,
): Promise<number> {
  if ((await sizeOf(path)) !== undefined) {
    const sha256 = await hashFile(path);
    if (sha256 === source.sha256 || options.acceptChanged) return 0;
    throw new QkvError(
      "file",
      `${path}: another file is in the way; got SHA-256 ${sha256} instead of ${source.sha256}; move it away, or ` +
        "run it with --accept-changed if it is a later version",
    );
  }
  const archive = await download(source, options);
  const content = readZipMember(source.url, archive, source.member, mostBytes).toString("utf8");
  const lines = content.replace(/\n$/, "").split("\n");
  const pairs = lines.map((line) => `${line.replace(/\r$/, "").split("\t", 2).join("\t")}\n`).join("");
  const sha256 = createHash("sha256").update(pairs).digest("hex");
  if (sha256 !== source.sha256 && !options.acceptChanged) {
    throw new QkvError(
      "file",
      `${source.url}: the pairs must be those of ${source.date} (${source.lines} lines, SHA-256 ${source.sha256}); ` +
        `got ${lines.length} lines, SHA-256 ${sha256}; to train on what there is now run it again with ` +
        "--accept-changed (the split and all figures will then differ from those in the docs)",
    );
  }
  await writeFileAtomically(path, pairs);
  return archive.length;
}

async function download(source: ChangingPairs, options: FetchOptions): Promise<Buffer> {
  const response = await request(source.url, 0, options.signal);
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    const got = `${response.status} ${response.statusText}`;
    throw new QkvError("file", `${source.url}: the server must send the file; got ${got}; try again later`);
  }
  const totalBytes = Number(response.headers.get("content-length") ?? 0);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of response.body as AsyncIterable<Uint8Array>) {
      bytes += piece.length;
      if (bytes > mostBytes) {
        throw new QkvError("file", `${source.url}: may have ${mostBytes} bytes; got more; has it changed?`);
      }
      pieces.push(piece);
      options.onProgress?.({ file: source.name, bytes, totalBytes: Math.max(totalBytes, bytes) });
    }
  } catch (cause) {
    if (cause instanceof QkvError || options.signal?.aborted) throw cause;
    const rule = `${source.url}: the connection broke off after ${bytes} bytes; run it again`;
    throw new QkvError("file", rule, { cause });
  }
  return Buffer.concat(pieces);
}
