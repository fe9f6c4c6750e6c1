import { inflateRawSync } from "node:zlib";
import { QkvError } from "../../util/errors.ts";

const endOfDirectory = 0x06054b50;
const directoryEntry = 0x02014b50;
const endBytes = 22;
const entryBytes = 46;
const localBytes = 30;

/**
 * One file of a zip archive.
 * @param where - the archive, for errors
 * @param largest - the most bytes that the file may have
 * @throws QkvError "file" where it is no zip archive, is damaged, or lacks the file
 *
 * Source: PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16; neither ZIP64 nor encryption.
 */
export function readZipMember(where: string, archive: Buffer, name: string, largest: number): Buffer {
  try {
    for (const entry of listEntries(archive)) {
      if (entry.name !== name) continue;
      if (entry.bytes > largest) {
        throw new QkvError("file", `${where}: ${name} may have ${largest} bytes; got ${entry.bytes}`);
      }
      const start = entry.local + localBytes + archive.readUInt16LE(entry.local + 26);
      const from = start + archive.readUInt16LE(entry.local + 28);
      const stored = archive.subarray(from, from + entry.storedBytes);
      const content = entry.method === 8 ? inflateRawSync(stored, { maxOutputLength: largest }) : stored;
      if (entry.method > 8 || content.length !== entry.bytes) break;
      return content;
    }
  } catch (cause) {
    if (cause instanceof QkvError) throw cause;
    throw new QkvError("file", `${where}: must be a zip archive with ${name}; it is damaged; run it again`, {
      cause,
    });
  }
  throw new QkvError("file", `${where}: must be a zip archive with ${name}; got none; has it changed?`);
}

interface Entry {
  readonly name: string;
  /** 0 = as it is, 8 = deflate. */
  readonly method: number;
  readonly storedBytes: number;
  readonly bytes: number;
  /** Where its own header lies. */
  readonly local: number;
}

function* listEntries(archive: Buffer): Generator<Entry, void, undefined> {
  let end = archive.length - endBytes;
  while (end >= 0 && archive.readUInt32LE(end) !== endOfDirectory) end--;
  if (end < 0) return;
  let at = archive.readUInt32LE(end + 16);
  for (let count = archive.readUInt16LE(end + 10); count > 0; count--) {
    if (archive.readUInt32LE(at) !== directoryEntry) return;
    const nameBytes = archive.readUInt16LE(at + 28);
    yield {
      name: archive.toString("utf8", at + entryBytes, at + entryBytes + nameBytes),
      method: archive.readUInt16LE(at + 10),
      storedBytes: archive.readUInt32LE(at + 20),
      bytes: archive.readUInt32LE(at + 24),
      local: archive.readUInt32LE(at + 42),
    };
    at += entryBytes + nameBytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
}
