import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { datasets } from "../../../../src/data/node/datasets.ts";
import { type FetchOptions, fetchDataset } from "../../../../src/data/node/fetch-data.ts";
import { hasShared, needsShared, sharedPath } from "../../../shared.ts";

const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) % 251));
const sha256 = createHash("sha256").update(content).digest("hex");

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that understands ranges, as the ones where corpora lie do. */
const wholeOrRest: Answer = (request, response) => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (start > 0) {
    response.writeHead(206, { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` });
  }
  response.end(content.subarray(start));
};

const breakOff: Answer = (_, response) => {
  response.writeHead(200, { "content-length": content.length });
  response.write(content.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 20));
};

let folder: string;
let server: Server;
let answers: Answer[];
let ranges: (string | undefined)[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "qkv-fetch-"));
  answers = [];
  ranges = [];
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    (answers.shift() ?? wholeOrRest)(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function options(more: Partial<FetchOptions> = {}): FetchOptions {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/corpus`;
  const files = [{ name: "corpus.txt", url, bytes: content.length, sha256 }];
  return { folder, datasets: { corpus: { description: "numbers", licence: "none", files } }, ...more };
}

/** The message of the error that fetching ends with. */
async function failure(name: string, given: FetchOptions): Promise<string> {
  const error = await fetchDataset(name, given).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "QkvError" });
  return (error as Error).message.replaceAll(`${folder}/`, "").replace(/:\d+\//, ":PORT/");
}

describe("fetchDataset", () => {
  test("fetches, checks, and does not fetch again", async () => {
    const progress: number[] = [];
    const onProgress: FetchOptions["onProgress"] = ({ bytes }) => progress.push(bytes);
    const fetched = await fetchDataset("corpus", options({ folder: join(folder, "new/folder"), onProgress }));
    const path = join(folder, "new/folder/corpus.txt");
    expect(fetched).toEqual({ name: "corpus", licence: "none", files: [path], downloadedBytes: 300_000 });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(readdirSync(join(folder, "new/folder"))).toEqual(["corpus.txt"]);
    expect(progress.at(-1)).toBe(300_000);
    const again = await fetchDataset("corpus", options({ folder: join(folder, "new/folder") }));
    expect(again.downloadedBytes).toBe(0);
    expect(ranges).toEqual([undefined]);
  });

  test("goes on where a broken connection left off", async () => {
    answers = [breakOff];
    expect(await failure("corpus", options())).toMatchInlineSnapshot(
      `"http://127.0.0.1:PORT/corpus: the connection broke off after 100000 of 300000 bytes; run it again to go on from there"`,
    );
    expect(readdirSync(folder)).toEqual(["corpus.txt.download"]);
    expect((await fetchDataset("corpus", options())).downloadedBytes).toBe(200_000);
    expect(ranges).toEqual([undefined, "bytes=100000-"]);
    expect(readFileSync(join(folder, "corpus.txt")).equals(content)).toBe(true);
    expect(existsSync(join(folder, "corpus.txt.download"))).toBe(false);
  });

  test.each<[string, Answer]>([
    ["sends the whole file", (_, response) => response.end(content)],
    ["refuses the range", (_, response) => response.writeHead(416).end()],
    [
      "sends another range",
      (_, response) => response.writeHead(206, { "content-range": "bytes 5-9/300000" }).end("12345"),
    ],
  ])("starts over where the server %s", async (_, answer) => {
    writeFileSync(join(folder, "corpus.txt.download"), content.subarray(0, 1000));
    answers = [answer];
    await fetchDataset("corpus", options());
    expect(readFileSync(join(folder, "corpus.txt")).equals(content)).toBe(true);
  });

  test("a wrong beginning is found by the checksum and thrown away", async () => {
    writeFileSync(join(folder, "corpus.txt.download"), "wrong");
    expect(await failure("corpus", options())).toMatch(
      /the content must have the SHA-256 .*; got .*; run it again/,
    );
    expect(readdirSync(folder)).toEqual([]);
    await fetchDataset("corpus", options());
  });

  test("a complete download that was not renamed yet", async () => {
    writeFileSync(join(folder, "corpus.txt.download"), content);
    expect((await fetchDataset("corpus", options())).downloadedBytes).toBe(0);
    expect(ranges).toEqual([]);
  });

  test("other content, longer content", async () => {
    answers = [(_, response) => response.end(Buffer.alloc(300_000))];
    expect(await failure("corpus", options())).toMatch(/^http.*: the content must have the SHA-256/);
    answers = [(_, response) => response.end(Buffer.alloc(300_001))];
    expect(await failure("corpus", options())).toMatch(/must have 300000 bytes; got more/);
    await fetchDataset("corpus", options());
  });

  test("an unknown name, a refusal, no server, a file in the way", async () => {
    expect(await failure("corpsu", options())).toMatchInlineSnapshot(
      `"data get: the corpus must be one of corpus; got "corpsu" (did you mean "corpus"?)"`,
    );
    expect(await failure("toString", options())).toMatch(/must be one of corpus/);
    answers = [(_, response) => response.writeHead(404).end()];
    expect(await failure("corpus", options())).toMatchInlineSnapshot(
      `"http://127.0.0.1:PORT/corpus: the server must send the file; got 404 Not Found; try again later"`,
    );
    writeFileSync(join(folder, "corpus.txt"), "mine");
    expect(await failure("corpus", options())).toMatch(/^corpus.txt: another file is in the way/);
    expect(readFileSync(join(folder, "corpus.txt"), "utf8")).toBe("mine");
    rmSync(join(folder, "corpus.txt"));
    const given = options();
    await new Promise((resolve) => server.close(resolve));
    expect(await failure("corpus", given)).toMatchInlineSnapshot(
      `"http://127.0.0.1:PORT/corpus: the server cannot be reached (ECONNREFUSED); check the connection and run it again"`,
    );
    server.listen(0);
  });

  test("stops when asked to, and keeps what has arrived", async () => {
    const stop = new AbortController();
    answers = [(_, response) => void response.write(content.subarray(0, 1000))];
    const given = options({ signal: stop.signal, onProgress: () => stop.abort() });
    expect(await failure("corpus", given)).toBe(
      "corpus.txt: the download was stopped; run it again to go on",
    );
    expect((await fetchDataset("corpus", options())).downloadedBytes).toBe(299_000);
  });
});

describe("a compressed file", () => {
  const compressed = gzipSync(content);
  const gzipped = (): FetchOptions => {
    const { datasets: known, ...rest } = options();
    const [file] = known!.corpus!.files;
    const files = [{ ...file!, compression: "gzip" as const }];
    return { ...rest, datasets: { corpus: { description: "numbers", licence: "none", files } } };
  };

  test("is stored and checked decompressed", async () => {
    answers = [(_, response) => response.end(compressed)];
    expect((await fetchDataset("corpus", gzipped())).downloadedBytes).toBe(300_000);
    expect(readFileSync(join(folder, "corpus.txt")).equals(content)).toBe(true);
    expect((await fetchDataset("corpus", gzipped())).downloadedBytes).toBe(0);
  });

  test("starts over where it was cut off, since its rest cannot be asked for", async () => {
    const half = compressed.subarray(0, compressed.length / 2);
    answers = [(_, response) => response.end(half), (_, response) => response.end(compressed)];
    expect(await failure("corpus", gzipped())).toMatch(
      /: the connection broke off after \d+ of 300000 bytes; run it again$/,
    );
    await fetchDataset("corpus", gzipped());
    expect(ranges).toEqual([undefined, undefined]);
    expect(readFileSync(join(folder, "corpus.txt")).equals(content)).toBe(true);
  });

  test("other content, more content, no gzip", async () => {
    answers = [(_, response) => response.end(gzipSync(Buffer.alloc(300_000)))];
    expect(await failure("corpus", gzipped())).toMatch(/: the content must have the SHA-256/);
    answers = [(_, response) => response.end(gzipSync(Buffer.alloc(300_001)))];
    expect(await failure("corpus", gzipped())).toMatch(/must have 300000 bytes; got more/);
    answers = [(_, response) => response.end("<html>")];
    expect(await failure("corpus", gzipped())).toMatch(/broke off after 0 of 300000 bytes/);
    expect(existsSync(join(folder, "corpus.txt"))).toBe(false);
  });
});

test("a file that may not be passed on is checked, not fetched", async () => {
  const files = [{ name: "corpus.txt", bytes: content.length, sha256 }];
  const corpus = { description: "numbers", licence: "secret", files, elsewhere: "write to its owners" };
  const given = { folder, datasets: { corpus } };
  expect(await failure("corpus", given)).toBe(
    "corpus.txt: is not there, and its licence does not allow to fetch it from just anywhere; " +
      "write to its owners, and put it there",
  );
  writeFileSync(join(folder, "corpus.txt"), content);
  expect((await fetchDataset("corpus", given)).downloadedBytes).toBe(0);
  writeFileSync(join(folder, "corpus.txt"), "other");
  expect(await failure("corpus", given)).toMatch(/another file is in the way/);
});

describe("pairs that change at their source", () => {
  const pairs = "Hi.\tHallo!\nRun!\tLauf!\n";
  const published = "Hi.\tHallo!\tCC-BY 2.0\r\nRun!\tLauf!\tCC-BY 2.0\r\n";
  const changing = (): FetchOptions => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/deu-eng.zip`;
    const digest = createHash("sha256").update(pairs).digest("hex");
    const source = { name: "pairs.tsv", url, member: "deu.txt", sha256: digest };
    const corpus = {
      description: "pairs",
      licence: "none",
      files: [],
      changing: { ...source, bytes: pairs.length, lines: 2, date: "2018-05-13" },
    };
    return { folder, datasets: { corpus } };
  };
  const send = (...archives: Buffer[]) => {
    answers = archives.map((archive) => (_, response) => response.end(archive));
  };

  test("are known by their digest, whatever else the archive holds", async () => {
    for (const [index, method] of ([0, 8] as const).entries()) {
      send(zip({ "_about.txt": `today ${index}`, "deu.txt": published }, method));
      expect(await fetchDataset("corpus", changing())).toMatchObject({ files: [join(folder, "pairs.tsv")] });
      expect(readFileSync(join(folder, "pairs.tsv"), "utf8")).toBe(pairs);
      expect((await fetchDataset("corpus", changing())).downloadedBytes).toBe(0);
      rmSync(join(folder, "pairs.tsv"));
    }
  });

  test("are refused where they have changed, and taken where that is accepted", async () => {
    const later = zip({ "deu.txt": `${published}Go.\tGeh.\tCC-BY 2.0\r\n` }, 8);
    send(later, later);
    expect(await failure("corpus", changing())).toMatch(
      /the pairs must be those of 2018-05-13 \(2 lines, SHA-256 .*got 3 lines, SHA-256 .*run it again with --accept-changed/,
    );
    expect(readdirSync(folder)).toEqual([]);
    await fetchDataset("corpus", { ...changing(), acceptChanged: true });
    expect(readFileSync(join(folder, "pairs.tsv"), "utf8")).toBe(`${pairs}Go.\tGeh.\n`);
    expect(await failure("corpus", changing())).toMatch(/^pairs.tsv: another file is in the way/);
    expect((await fetchDataset("corpus", { ...changing(), acceptChanged: true })).downloadedBytes).toBe(0);
  });

  test("no archive, a damaged one, one without the file, a refusal", async () => {
    const whole = zip({ "deu.txt": published }, 8);
    const damaged = Buffer.from(whole);
    damaged.fill(0xff, 40, 60);
    send(Buffer.from("<html>"), damaged, zip({ "fra.txt": published }, 8));
    expect(await failure("corpus", changing())).toMatch(/must be a zip archive with deu.txt; got none/);
    expect(await failure("corpus", changing())).toMatch(/must be a zip archive with deu.txt; it is damaged/);
    expect(await failure("corpus", changing())).toMatch(/must be a zip archive with deu.txt; got none/);
    answers = [(_, response) => response.writeHead(406).end()];
    expect(await failure("corpus", changing())).toMatch(/got 406 Not Acceptable; try again later/);
    answers = [breakOff];
    expect(await failure("corpus", changing())).toMatch(
      /the connection broke off after \d+ bytes; run it again/,
    );
  });

  test("acceptChanged is for them alone", async () => {
    expect(await failure("corpus", options({ acceptChanged: true }))).toBe(
      "data get: corpus does not change at its source; leave --accept-changed out",
    );
  });
});

/** A zip archive; method 0 stores, 8 deflates. */
function zip(members: Readonly<Record<string, string>>, method: 0 | 8): Buffer {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  for (const [name, text] of Object.entries(members)) {
    const plain = Buffer.from(text);
    const stored = method === 8 ? deflateRawSync(plain) : plain;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(name.length, 26);
    local.writeUInt16LE(4, 28);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(stored.length, 20);
    entry.writeUInt32LE(plain.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(
      locals.reduce((sum, part) => sum + part.length, 0),
      42,
    );
    locals.push(local, Buffer.from(name), Buffer.alloc(4), stored);
    entries.push(entry, Buffer.from(name));
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(members).length, 10);
  end.writeUInt32LE(
    locals.reduce((sum, part) => sum + part.length, 0),
    16,
  );
  return Buffer.concat([...locals, directory, end]);
}

test("the table's addresses are pinned, or the file is only checked", () => {
  for (const [name, { files, elsewhere }] of Object.entries(datasets)) {
    for (const { url, sha256 } of files) {
      if (url === undefined) expect(elsewhere, name).toBeDefined();
      else expect(url).toMatch(/^https:.*\/[0-9a-f]{40}\//);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  }
});

test.skipIf(!hasShared).each(Object.entries(datasets))(
  `the checksums of %s are those of a copy in use${needsShared}`,
  (name, { files, changing }) => {
    for (const file of [...files, ...(changing === undefined ? [] : [changing])]) {
      const copy = readFileSync(sharedPath(`data/${name}/${file.name}`));
      const { bytes, sha256: digest } = file;
      const actual = { bytes: copy.length, digest: createHash("sha256").update(copy).digest("hex") };
      expect({ bytes, digest }, file.name).toEqual(actual);
    }
  },
);
