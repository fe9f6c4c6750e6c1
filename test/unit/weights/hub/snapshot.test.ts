import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scanCacheDir, snapshotDownload } from "@huggingface/hub";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readHubName } from "../../../../src/weights/hub-name.ts";
import { type HubOptions, type HubSettings, hubSettings } from "../../../../src/weights/node/hub/settings.ts";
import { locateSnapshot } from "../../../../src/weights/node/hub/snapshot.ts";
import {
  blobName,
  commitOf,
  type Files,
  gitHash,
  HubServer,
  type Interception,
  refuse,
  sendSome,
  sha256,
} from "../../../hub-server.ts";

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return { ...real, symlink: vi.fn(real.symlink) };
});

const weights = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) % 251));
const files: Files = {
  "README.md": "# a model",
  "config.json": '{"model_type": "bert"}',
  "tokenizer.json": "{}",
  "model.safetensors": weights,
  "pytorch_model.bin": "a pickle",
  "flax_model.msgpack": "another",
};
const wanted = { files: ["config.json", "tokenizer.json", "vocab.txt"], weights: true };
const token = "hf_secret";

let server: HubServer;
let cache: string;
beforeEach(async () => {
  server = await new HubServer().start();
  cache = mkdtempSync(join(tmpdir(), "qkv-hub-"));
});
afterEach(async () => {
  await server.stop();
  rmSync(cache, { recursive: true });
});

type Given = Omit<HubOptions, "token"> & Partial<HubSettings>;

async function download(name: string, given: Given = {}, files = wanted): Promise<string> {
  const { revision, signal, onProgress, onNotice = () => {}, ...settings } = given;
  const environment = { HF_HOME: cache, HF_HUB_CACHE: cache, HF_ENDPOINT: server.endpoint };
  const all = { ...(await hubSettings({}, environment)), retryDelay: 1, ...settings };
  const options = { onNotice, ...(signal && { signal }), ...(onProgress && { onProgress }) };
  return await (await locateSnapshot(readHubName(name, revision), files, all, options)).fetch();
}

/** The error that a download ends with, the addresses made the same for each run. */
async function failure(name: string, given: Given = {}): Promise<{ code: string; message: string }> {
  const error = await download(name, given).then(
    () => new Error("it was downloaded"),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "QkvError" });
  const { code, message } = error as Error & { code: string };
  const clean = message
    .replaceAll(server.endpoint, "HUB")
    .replaceAll(cache, "CACHE")
    .replace(/127[\d.:]+/g, "HOST");
  return { code, message: clean };
}

const model = (path: string): string => join(cache, "models--org--model", path);
const partials = (): string[] => readdirSync(model("blobs")).filter((name) => name.endsWith(".incomplete"));

describe("a model of the hub", () => {
  test("lies in the cache as other tools expect it", async () => {
    const commit = server.add("org/model", files);
    const folder = await download("org/model");
    expect(folder).toBe(model(`snapshots/${commit}`));
    expect(readdirSync(folder).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
    for (const name of readdirSync(folder)) {
      const blob = blobName(name, files[name]!);
      expect(readlinkSync(join(folder, name))).toBe(join("..", "..", "blobs", blob));
      expect(readFileSync(join(folder, name)).equals(Buffer.from(files[name]!))).toBe(true);
    }
    expect(readdirSync(model("blobs"))).toHaveLength(3);
    expect(readFileSync(model("refs/main"), "utf8")).toBe(commit);
    expect(readdirSync(model(`.no_exist/${commit}`))).toEqual(["vocab.txt"]);
  });

  test("is not fetched again; a commit asks no server at all", async () => {
    const commit = server.add("org/model", files);
    await download("org/model");
    server.hubRequests = [];
    await download("org/model");
    expect(server.hubRequests.map(({ path }) => path.replace(/\?.*/, ""))).toEqual([
      "/api/models/org/model/revision/main",
    ]);
    server.hubRequests = [];
    await download(`org/model@${commit}`);
    expect(server.hubRequests).toEqual([]);
  });

  test("of a new commit only what has changed is fetched", async () => {
    server.add("org/model", files);
    await download("org/model");
    const commit = server.add("org/model", { ...files, "config.json": '{"model_type": "gpt2"}' });
    server.cdnRequests = [];
    const folder = await download("org/model");
    expect(readFileSync(join(folder, "config.json"), "utf8")).toContain("gpt2");
    expect(server.cdnRequests).toEqual([]);
    expect(readFileSync(model("refs/main"), "utf8")).toBe(commit);
    expect(readdirSync(model("snapshots"))).toHaveLength(2);
  });

  test.each(["v1.0", "refs/pr/1", "branch"])("at revision %s", async (revision) => {
    server.add("org/model", files);
    const commit = server.add("org/model", { ...files, "config.json": "{}" }, revision);
    for (const [name, given] of [
      [`org/model@${revision}`, {}],
      ["org/model", { revision }],
    ] as const) {
      expect(await download(name, given)).toBe(model(`snapshots/${commit}`));
    }
    expect(readFileSync(model(`refs/${revision}`), "utf8")).toBe(commit);
    expect(await download("org/model", { revision, isOffline: true })).toBe(model(`snapshots/${commit}`));
  });

  test("may have moved", async () => {
    server.add("org/model", files);
    server.move("gpt2", "org/model");
    const folder = await download("gpt2", { token });
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("may have a list of files that takes several pages", async () => {
    server.add("org/model", files);
    server.pageSize = 2;
    expect(readdirSync(await download("org/model"))).toHaveLength(3);
  });

  test("may have its weights in several files", async () => {
    const index = { weight_map: { a: "model-1-of-2.safetensors", b: "model-2-of-2.safetensors" } };
    const shards = { "model-1-of-2.safetensors": "one", "model-2-of-2.safetensors": "two" };
    const named = { "config.json": "{}", "model.safetensors.index.json": JSON.stringify(index) };
    server.add("org/model", { ...named, ...shards, "model-9-of-9.safetensors": "not in the index" });
    expect(readdirSync(await download("org/model")).sort()).toEqual(
      [...Object.keys(named), ...Object.keys(shards)].sort(),
    );
    server.hubRequests = [];
    await download("org/model");
    expect(server.hubRequests).toHaveLength(1);
    server.add("org/lost", { ...named, "model-1-of-2.safetensors": "one" });
    expect(await failure("org/lost")).toMatchInlineSnapshot(`
      {
        "code": "file",
        "message": "org/lost: the files that model.safetensors.index.json names must be there; got none named model-2-of-2.safetensors; tell its authors, or take another revision",
      }
    `);
    const evil = { weight_map: { a: "../../evil.safetensors" } };
    server.add("org/evil", { ...named, "model.safetensors.index.json": JSON.stringify(evil) });
    expect((await failure("org/evil")).message).toContain("must name a .safetensors file beside the index");
  });

  test("without weights that can be read is refused before anything comes", async () => {
    const { "model.safetensors": _, ...pickled } = files;
    server.add("org/model", pickled);
    const { code, message } = await failure("org/model");
    expect(code).toBe("file");
    expect(message).toContain("weights must be in safetensors format; got another");
    expect(existsSync(model("blobs"))).toBe(false);
    const { "config.json": __, ...bare } = files;
    server.add("org/bare", bare);
    expect(await failure("org/bare")).toMatchInlineSnapshot(`
      {
        "code": "file",
        "message": "org/bare: is no model that qkv can open, since it holds no config.json",
      }
    `);
  });

  test("for its tokenizer alone needs no weights", async () => {
    server.add("org/model", files);
    const folder = await download("org/model", {}, { files: ["tokenizer.json"], weights: false });
    expect(readdirSync(folder)).toEqual(["tokenizer.json"]);
  });

  test("may have the same content under several names", async () => {
    const same = { "config.json": "{}", "tokenizer.json": "{}", "model.safetensors": weights };
    server.add("org/model", same);
    const notices: string[] = [];
    const folder = await download("org/model", { onNotice: (notice) => notices.push(notice) });
    expect(readdirSync(folder)).toHaveLength(3);
    expect(readdirSync(model("blobs"))).toHaveLength(2);
    expect(notices).toEqual([]);
  });

  test("tells how far it is", async () => {
    server.add("org/model", files);
    const told: number[] = [];
    const total = weights.length + files["config.json"]!.length + files["tokenizer.json"]!.length;
    await download("org/model", {
      onProgress: ({ model: name, bytes, totalBytes }) => {
        expect([name, totalBytes]).toEqual(["org/model", total]);
        told.push(bytes);
      },
    });
    expect(told.at(-1)).toBe(total);
    expect(Math.max(...told)).toBe(total);
  });

  test("is copied where the system has no links", async () => {
    server.add("org/model", files);
    const refused = Object.assign(new Error("no links"), { code: "EPERM" });
    vi.mocked(symlink).mockRejectedValue(refused);
    try {
      const folder = await download("org/model");
      expect(lstatSync(join(folder, "model.safetensors")).isSymbolicLink()).toBe(false);
      expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
      expect(readdirSync(folder)).toHaveLength(3);
    } finally {
      vi.mocked(symlink).mockReset();
    }
  });
});

describe("the cache is shared with @huggingface/hub", () => {
  test("which lists what qkv has fetched", async () => {
    const commit = server.add("org/model", files);
    await download("org/model");
    await download(`org/model@${commit}`);
    const { repos, warnings } = await scanCacheDir(cache);
    expect(warnings).toEqual([]);
    expect(repos).toHaveLength(1);
    const size = weights.length + files["config.json"]!.length + files["tokenizer.json"]!.length;
    expect(repos[0]).toMatchObject({ id: { name: "org/model", type: "model" }, filesCount: 3, size });
    expect(repos[0]!.revisions).toMatchObject([{ commitOid: commit, refs: ["main"] }]);
  });

  test("and whose downloads qkv opens", async () => {
    server.add("org/model", files);
    vi.spyOn(console, "debug").mockImplementation(() => {});
    const given = { repo: "org/model", hubUrl: server.endpoint, cacheDir: cache };
    const folder = await snapshotDownload(given);
    vi.restoreAllMocks();
    expect(await download("org/model", { isOffline: true })).toBe(folder);
    server.cdnRequests = [];
    expect(await download("org/model")).toBe(folder);
    expect(server.cdnRequests).toEqual([]);
  });
});

describe("the token", () => {
  test("goes to the hub, and not to where it redirects", async () => {
    server.add("org/model", files);
    await download("org/model", { token });
    expect(new Set(server.hubRequests.map(({ authorization }) => authorization))).toEqual(
      new Set([`Bearer ${token}`]),
    );
    expect(server.cdnRequests.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test("is not sent where there is none", async () => {
    server.add("org/model", files);
    await download("org/model");
    expect(new Set(server.hubRequests.map(({ authorization }) => authorization))).toEqual(
      new Set([undefined]),
    );
  });
});

describe("a download goes on", () => {
  test("where the connection broke, by itself", async () => {
    server.add("org/model", files);
    let times = 0;
    server.onCdn = (request, response) => {
      if (times++ === 2) return false;
      sendSome(request, response, weights, 100_000);
      return true;
    };
    const folder = await download("org/model");
    // What was on its way when the connection broke may be lost.
    const starts = server.cdnRequests.map(({ range = "bytes=0-" }) => Number(/\d+/.exec(range)![0]));
    expect(starts).toHaveLength(3);
    expect(starts[0]).toBe(0);
    expect(starts[1]).toBeLessThanOrEqual(100_000);
    expect(starts[2]).toBeLessThanOrEqual(200_000);
    expect(starts[2]).toBeGreaterThan(0);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
    expect(partials()).toEqual([]);
  });

  test("where the server fell silent", async () => {
    server.add("org/model", files);
    server.onCdn = (request, response) => {
      if (request.headers.range) return false;
      sendSome(request, response, weights, 100_000, true);
      return true;
    };
    const folder = await download("org/model", { timeout: 2000 });
    expect(server.cdnRequests.map(({ range }) => range)).toEqual([undefined, "bytes=100000-"]);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("where an earlier one ended, also if that was killed", async () => {
    server.add("org/model", files);
    server.onCdn = (request, response) => {
      if (server.cdnRequests.length > 1) return refuse(response, 500);
      sendSome(request, response, weights, 100_000);
      return true;
    };
    expect(await failure("org/model")).toEqual({
      code: "network",
      message: "org/model: HOST, which keeps the file, answers 500 Internal Server Error; try again",
    });
    const blob = sha256(weights);
    expect(partials()).toEqual([`${blob}.free.incomplete`]);
    // A process of this number will not be there.
    const killed = model(`blobs/${blob}.4194999-0-0.incomplete`);
    writeFileSync(killed, weights.subarray(0, 150_000));
    server.onCdn = () => false;
    server.cdnRequests = [];
    const folder = await download("org/model");
    expect(server.cdnRequests.map(({ range }) => range)).toEqual(["bytes=150000-"]);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
    expect(partials()).toEqual([]);
  });

  test("from the start where the server knows no ranges", async () => {
    server.add("org/model", files);
    server.onCdn = (request, response) => {
      if (server.cdnRequests.length === 1) sendSome(request, response, weights, 100_000);
      else response.writeHead(200).end(weights);
      return true;
    };
    const folder = await download("org/model");
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("from the start where what was left is damaged or too long", async () => {
    server.add("org/model", files);
    mkdirSync(model("blobs"), { recursive: true });
    for (const left of [Buffer.alloc(100_000, 7), Buffer.alloc(300_000, 7), Buffer.alloc(300_001)]) {
      writeFileSync(model(`blobs/${sha256(weights)}.free.incomplete`), left);
      const folder = await download("org/model");
      expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
      expect(partials()).toEqual([]);
      rmSync(model("snapshots"), { recursive: true });
      rmSync(model(`blobs/${sha256(weights)}`));
    }
  });

  test("and what other tools have begun stays theirs", async () => {
    server.add("org/model", files);
    mkdirSync(model("blobs"), { recursive: true });
    const theirs = model(`blobs/${sha256(weights)}.incomplete`);
    writeFileSync(theirs, "theirs");
    await download("org/model");
    expect(readFileSync(theirs, "utf8")).toBe("theirs");
    expect(server.cdnRequests.map(({ range }) => range)).toEqual([undefined]);
  });

  test("after it was stopped", async () => {
    server.add("org/model", files);
    const controller = new AbortController();
    server.onCdn = (request, response) => {
      if (request.headers.range) return false;
      sendSome(request, response, weights, 100_000, true);
      return true;
    };
    const onProgress: HubOptions["onProgress"] = ({ bytes }) => {
      if (bytes > 100_000) controller.abort();
    };
    expect(await failure("org/model", { signal: controller.signal, onProgress })).toMatchInlineSnapshot(`
      {
        "code": "interrupted",
        "message": "org/model: the download was stopped; what has arrived is kept for the next time",
      }
    `);
    await download("org/model");
    expect(server.cdnRequests.map(({ range }) => range)).toEqual([undefined, "bytes=100000-"]);
  });

  test("not for ever where nothing comes", async () => {
    server.add("org/model", files);
    server.onCdn = (request, response) => {
      sendSome(request, response, weights, server.cdnRequests.length === 1 ? 100_000 : 0);
      return true;
    };
    expect(await failure("org/model")).toEqual({
      code: "network",
      message:
        "org/model: model.safetensors: the connection broke off again and again; try again, it goes on from there",
    });
    // Once with success, and then the repetitions.
    expect(server.cdnRequests).toHaveLength(5);
  });

  test("once for all who ask at the same time", async () => {
    server.add("org/model", files);
    const notices: string[] = [];
    server.onCdn = async () => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      return false;
    };
    const onNotice = (notice: string) => notices.push(notice);
    const folders = await Promise.all([1, 2, 3].map(() => download("org/model", { onNotice })));
    expect(new Set(folders).size).toBe(1);
    expect(server.cdnRequests).toHaveLength(1);
    expect(notices).toContain("model.safetensors is being downloaded by another process; waiting for it");
    expect(readFileSync(join(folders[0]!, "model.safetensors")).equals(weights)).toBe(true);
  });
});

describe("what comes wrong is not kept", () => {
  test("weights with another checksum", async () => {
    server.add("org/model", files);
    server.onCdn = (_, response) => {
      response.end(Buffer.alloc(weights.length));
      return true;
    };
    const { code, message } = await failure("org/model");
    expect(code).toBe("network");
    expect(message).toContain(`model.safetensors: what came must have the SHA-256 ${sha256(weights)}; got `);
    expect(server.cdnRequests).toHaveLength(1);
    expect(partials()).toEqual([]);
    expect(existsSync(model(`blobs/${sha256(weights)}`))).toBe(false);
    expect(existsSync(model("refs/main"))).toBe(false);
    server.onCdn = () => false;
    await download("org/model");
  });

  test("a small file with another checksum", async () => {
    server.add("org/model", files);
    server.onHub = (request, response) => {
      if (!request.url!.endsWith("config.json")) return false;
      response.end('{"model_type": "evil"}');
      return true;
    };
    expect((await failure("org/model")).message).toContain(
      `config.json: what came must have the git SHA-1 ${gitHash(files["config.json"]!)}; got `,
    );
  });

  test("more than there is", async () => {
    server.add("org/model", files);
    server.onCdn = (_, response) => {
      response.end(Buffer.concat([weights, weights]));
      return true;
    };
    expect((await failure("org/model")).message).toBe(
      "org/model: model.safetensors: must have 300000 bytes; got more; try again later",
    );
    expect(partials()).toEqual([]);
  });

  test("another part than was asked for", async () => {
    server.add("org/model", files);
    server.onCdn = (request, response) => {
      if (server.cdnRequests.length === 1) sendSome(request, response, weights, 100_000);
      else if (server.cdnRequests.length > 2) return false;
      else response.writeHead(206, { "content-range": "bytes 5-299999/300000" }).end(weights.subarray(5));
      return true;
    };
    const folder = await download("org/model");
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test.each([
    ["a commit", /revision/, { sha: "../../evil" }],
    ["a list", /tree/, [{ type: "file", path: "config.json", size: 2, oid: "../../../evil" }]],
    ["a size", /tree/, [{ type: "file", path: "config.json", size: -2, oid: commitOf("x") }]],
    ["a page", /tree/, "<html>"],
    ["nothing", /revision/, ""],
  ])("%s that is none", async (_, path, answer) => {
    server.add("org/model", files);
    server.onHub = (request, response) => {
      if (!path.test(request.url!)) return false;
      response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
      return true;
    };
    expect(await failure("org/model")).toEqual({
      code: "network",
      message: "HUB: must answer as a hub does; got something else for org/model; check HF_ENDPOINT",
    });
  });

  test("a path in the list that leads elsewhere is never written", async () => {
    server.add("org/model", { ...files, "../../../evil.json": "{}", "/etc/evil": "x" });
    expect(readdirSync(await download("org/model"))).toHaveLength(3);
    expect(existsSync(join(cache, "evil.json"))).toBe(false);
  });
});

describe("a hub that refuses", () => {
  const everything = /./;
  const contents = /resolve/;
  const said = "in its own words";
  type Case = [
    what: string,
    where: RegExp,
    status: number,
    reason: string | undefined,
    given: string | undefined,
  ];
  const cases: [...Case, message: string][] = [
    [
      "an unknown model",
      everything,
      401,
      "RepoNotFound",
      undefined,
      "org/model: there is no public model of this name at HUB; check the name, or give a token (HF_TOKEN)",
    ],
    [
      "an unknown model, with a token",
      everything,
      404,
      "RepoNotFound",
      token,
      "org/model: there is no model of this name at HUB that your token may read; check the name and the token",
    ],
    [
      "a model that needs a token",
      everything,
      401,
      undefined,
      undefined,
      "org/model: there is no public model of this name at HUB; check the name, or give a token (HF_TOKEN)",
    ],
    [
      "a token that is not valid",
      everything,
      401,
      undefined,
      token,
      `HUB: does not accept the token (401 ${said}); make a new one at HUB/settings/tokens`,
    ],
    [
      "a token that may not",
      everything,
      403,
      undefined,
      token,
      `org/model: may not be read (403 ${said}); check what the token permits`,
    ],
    [
      "a gated model without a token",
      contents,
      401,
      "GatedRepo",
      undefined,
      "org/model: its authors want to be asked first; ask for access at HUB/org/model, then give a token of your account (HF_TOKEN)",
    ],
    [
      "a gated model with a token",
      contents,
      403,
      "GatedRepo",
      token,
      "org/model: its authors want to be asked first; the account of your token has no access; ask for it at HUB/org/model",
    ],
    [
      "a file that is gone",
      contents,
      404,
      "EntryNotFound",
      undefined,
      `org/model: HUB must send it; got 404 ${said}; try again later`,
    ],
    [
      "too many requests",
      everything,
      429,
      undefined,
      undefined,
      "HUB: takes no more requests now (429); try again later, or give a token (HF_TOKEN), which permits more",
    ],
    [
      "too many requests, with a token",
      contents,
      429,
      undefined,
      token,
      "HUB: takes no more requests now (429); try again later",
    ],
    [
      "a hub out of order",
      everything,
      503,
      undefined,
      undefined,
      `HUB: is out of order (503 ${said}); try again later`,
    ],
    [
      "something else",
      everything,
      418,
      undefined,
      undefined,
      `org/model: HUB must send it; got 418 ${said}; try again later`,
    ],
  ];
  test.each(cases)("%s", async (_, where, status, reason, given, message) => {
    server.add("org/model", files);
    server.onHub = (request, response) => where.test(request.url!) && refuse(response, status, reason, said);
    const isTemporary = status === 429 || status >= 500 || reason === "EntryNotFound" || status === 418;
    expect(await failure("org/model", { ...(given && { token: given }) })).toEqual({
      code: isTemporary ? "network" : "file",
      message,
    });
  });

  test("an unknown revision", async () => {
    server.add("org/model", files);
    expect(await failure("org/model@v9")).toMatchInlineSnapshot(`
      {
        "code": "file",
        "message": "org/model: there is no revision "v9" at HUB; name a branch, a tag or a whole commit",
      }
    `);
  });

  test("for a moment is asked again", async () => {
    server.add("org/model", files);
    const failed = new Set<string>();
    const once =
      (status: number): Interception =>
      ({ url = "" }, response) => {
        if (failed.has(url)) return false;
        failed.add(url);
        response.setHeader("retry-after", "0");
        return refuse(response, status);
      };
    server.onHub = once(429);
    server.onCdn = once(502);
    await download("org/model");
    expect(server.cdnRequests).toHaveLength(2);
    // The commit, the list, two small files and one large, which is asked for again when the other server fails.
    expect(server.hubRequests).toHaveLength(11);
  });

  test("for long is not waited for", async () => {
    server.add("org/model", files);
    server.onHub = (_, response) => {
      response.setHeader("ratelimit", '"api";r=0;t=250');
      return refuse(response, 429);
    };
    expect((await failure("org/model")).message).toContain("try again in 250 s");
    expect(server.hubRequests).toHaveLength(1);
  });

  test("by the servers behind it says which", async () => {
    server.add("org/model", files);
    server.onCdn = (_, response) => refuse(response, 403);
    expect(await failure("org/model")).toMatchInlineSnapshot(`
      {
        "code": "network",
        "message": "org/model: HOST, which keeps the file, answers 403 Forbidden; try again",
      }
    `);
  });

  test("does not stop what is under way in the middle of nowhere", async () => {
    server.add("org/model", files);
    server.onHub = (request, response) => request.url!.includes("tokenizer.json") && refuse(response, 403);
    server.onCdn = (request, response) => {
      sendSome(request, response, weights, 1000, true);
      return true;
    };
    expect((await failure("org/model")).message).toContain("may not be read");
  });
});

describe("without a hub", () => {
  let elsewhere: { endpoint: string };
  beforeEach(async () => {
    const closed = await new HubServer().start();
    elsewhere = { endpoint: closed.endpoint };
    await closed.stop();
  });

  test("the cache is used, and that is told", async () => {
    server.add("org/model", files);
    const folder = await download("org/model");
    const notices: string[] = [];
    const onNotice = (notice: string) => notices.push(notice);
    expect(await download("org/model", { ...elsewhere, onNotice })).toBe(folder);
    expect(notices).toEqual([expect.stringContaining("; org/model comes from the cache")]);
  });

  test("and without the model in the cache it fails", async () => {
    expect(await failure("org/model", elsewhere)).toMatchInlineSnapshot(`
      {
        "code": "network",
        "message": "HOST cannot be reached (ECONNREFUSED); check the connection, or use what is in the cache (HF_HUB_OFFLINE=1)",
      }
    `);
  });

  test("offline nothing is asked", async () => {
    const commit = server.add("org/model", files);
    expect(await failure("org/model", { isOffline: true })).toMatchInlineSnapshot(`
      {
        "code": "file",
        "message": "org/model: is not in the cache CACHE with all files at "main", and work is offline; download it first (qkv download), or leave HF_HUB_OFFLINE and --offline out",
      }
    `);
    await download("org/model");
    server.hubRequests = [];
    expect(await download("org/model", { isOffline: true })).toBe(model(`snapshots/${commit}`));
    expect((await failure("org/model@v9", { isOffline: true })).code).toBe("file");
    expect(server.hubRequests).toEqual([]);
  });

  test("offline what other tools have fetched will do, unless it is not whole", async () => {
    const commit = commitOf("theirs");
    mkdirSync(model(`snapshots/${commit}`), { recursive: true });
    mkdirSync(model("refs"));
    writeFileSync(model("refs/main"), commit);
    const put = (name: string) => writeFileSync(model(`snapshots/${commit}/${name}`), files[name]!);
    put("config.json");
    expect((await failure("org/model", { isOffline: true })).code).toBe("file");
    put("model.safetensors");
    expect(await download("org/model", { isOffline: true })).toBe(model(`snapshots/${commit}`));
  });
});
