import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

test("the table's addresses are pinned", () => {
  for (const { files } of Object.values(datasets)) {
    for (const { url, sha256 } of files) {
      expect(url).toMatch(/^https:.*\/[0-9a-f]{40}\//);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  }
});

test.skipIf(!hasShared)(`the table's checksum is that of a copy in use${needsShared}`, () => {
  const copy = readFileSync(sharedPath("data/tinyshakespeare/input.txt"));
  const [file] = datasets.tinyshakespeare!.files;
  expect(file).toMatchObject({ bytes: copy.length, sha256: createHash("sha256").update(copy).digest("hex") });
});
