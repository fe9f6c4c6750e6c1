import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type HubOptions, loadTranslator, pipeline } from "../../src/node.ts";
import { type Files, HubServer, sendRange, sendSome, sha256 } from "../hub-server.ts";
import { hasShared, needsShared, sharedPath } from "../shared.ts";
import { makeFolder, output, qkv, start } from "./qkv.ts";

const folder = makeFolder();
const server = new HubServer();
const shipped = fileURLToPath(new URL("../../models/tatoeba-en-de/", import.meta.url));
const weights = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) % 251));
const files: Files = { "config.json": "{}", "tokenizer.json": "[]", "model.safetensors": weights };

beforeAll(async () => {
  await server.start();
});
afterAll(async () => {
  await server.stop();
});
beforeEach(() => {
  server.hubRequests = [];
  server.cdnRequests = [];
  server.onHub = server.onCdn = () => false;
});

function environment(cache: string): Record<string, string> {
  const place = join(folder, cache);
  return {
    HF_HOME: place,
    HF_HUB_CACHE: place,
    HF_ENDPOINT: server.endpoint,
    HF_HUB_OFFLINE: "",
    HF_TOKEN: "",
  };
}

function filesIn(path: string): Files {
  return Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name))]));
}

/** Waits until a download of org/model has so many bytes of its weights on the disk. */
async function untilKept(cache: string, bytes: number): Promise<void> {
  const blobs = join(folder, cache, "models--org--model/blobs");
  const isKept = () =>
    readdirSync(blobs).some((name) => {
      const path = join(blobs, name);
      return name.startsWith(sha256(weights)) && existsSync(path) && statSync(path).size === bytes;
    });
  while (!isKept()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe("qkv download", () => {
  test("prints the folder, and the progress elsewhere", async () => {
    const commit = server.add("org/model", files);
    const env = environment("plain");
    const { code, stdout, stderr } = await qkv(["download", "org/model"], { env });
    expect([code, stdout]).toEqual([0, `${join(folder, "plain/models--org--model/snapshots", commit)}\n`]);
    expect(stderr).toMatch(/^org\/model [\d,]+\/300,004 \(\d+%\).*\norg\/model 300,004\/300,004 \(100%\)/);
    const again = await qkv(["download", "org/model", "--offline"], { env });
    expect([again.code, again.stdout, again.stderr]).toEqual([0, stdout, ""]);
  });

  test("knows revisions", async () => {
    const env = environment("revisions");
    const commit = server.add("org/model", { ...files, "config.json": "[]" }, "v2");
    expect(await output(["download", "org/model", "--revision", "v2"], { env })).toContain(commit);
    const { code, stderr } = await qkv(["download", "org/model@v2", "--revision", "v3"], { env });
    expect([code, stderr]).toEqual([2, expect.stringContaining("one revision can be asked for")]);
    const unknown = await qkv(["download", "org/model", "--revision", "v3"], { env });
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('no revision "v3"')]);
  });

  test("fails with 1 where the hub does, with 2 where the name does", async () => {
    const env = environment("failing");
    const broken = await qkv(["download", "org/model"], {
      env: { ...env, HF_ENDPOINT: "http://127.0.0.1:1" },
    });
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining("cannot be reached")]);
    const unknown = await qkv(["download", "org/nomodel"], { env });
    expect([unknown.code, unknown.stderr]).toEqual([
      2,
      expect.stringContaining("no public model of this name"),
    ]);
    const path = await qkv(["download", "./model"], { env });
    expect([path.code, path.stderr]).toEqual([2, expect.stringContaining("ORGANISATION/NAME")]);
  });

  test("goes on after Ctrl-C where it was", async () => {
    server.add("org/model", files);
    const env = environment("stopped");
    server.onCdn = (request, response) => {
      sendSome(request, response, weights, 100_000, true);
      void untilKept("stopped", 100_000).then(() => child.kill("SIGINT"));
      return true;
    };
    const { child, result } = start(["download", "org/model"], { env });
    const { code, stderr } = await result;
    expect([code, stderr]).toEqual([
      130,
      expect.stringContaining("what has arrived is kept for the next time"),
    ]);
    server.onCdn = () => false;
    await output(["download", "org/model"], { env });
    expect(server.cdnRequests.map(({ range }) => range)).toEqual([undefined, "bytes=100000-"]);
  });

  test("goes on after it was killed, without waiting", async () => {
    server.add("org/model", files);
    const env = environment("killed");
    server.onCdn = (request, response) => {
      sendSome(request, response, weights, 100_000, true);
      void untilKept("killed", 100_000).then(() => child.kill("SIGKILL"));
      return true;
    };
    const { child, result } = start(["download", "org/model"], { env });
    expect((await result).signal).toBe("SIGKILL");
    server.onCdn = () => false;
    const path = (await output(["download", "org/model"], { env })).trim();
    expect(server.cdnRequests.map(({ range }) => range)).toEqual([undefined, "bytes=100000-"]);
    expect(readFileSync(join(path, "model.safetensors")).equals(weights)).toBe(true);
    expect(readdirSync(join(folder, "killed/models--org--model/blobs"))).toHaveLength(3);
  });

  test("of several processes at once is one download", async () => {
    server.add("org/model", files);
    const env = environment("together");
    server.onCdn = async (request, response) => {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      sendRange(request, response, weights);
      return true;
    };
    const results = await Promise.all([1, 2, 3].map(() => qkv(["download", "org/model"], { env })));
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(new Set(results.map(({ stdout }) => stdout)).size).toBe(1);
    expect(server.cdnRequests).toHaveLength(1);
    const content = readFileSync(join(results[0]!.stdout.trim(), "model.safetensors"));
    expect(sha256(content)).toBe(sha256(weights));
  });
});

describe("qkv hub", () => {
  test("lists and removes what is in the cache", async () => {
    const env = environment("list");
    const empty = await qkv(["hub", "list"], { env });
    expect([empty.code, empty.stdout, empty.stderr]).toEqual([
      0,
      "",
      `${env.HF_HUB_CACHE}: holds no models\n`,
    ]);
    const commit = server.add("org/model", files);
    server.add("alone", files);
    await output(["download", "org/model"], { env });
    await output(["download", "alone"], { env });
    const lines = (await output(["hub", "list"], { env })).split("\n");
    expect(lines).toEqual([
      expect.stringMatching(/^alone {2}/),
      expect.stringMatching(new RegExp(`^org/model {2}300.kB {2}${commit.slice(0, 7)} main$`)),
      "",
    ]);
    const [, described] = (await output(["hub", "list", "--json"], { env })).split("\n");
    const path = join(folder, "list/models--org--model");
    expect(JSON.parse(described!)).toEqual({
      name: "org/model",
      folder: path,
      bytes: expect.any(Number),
      snapshots: [{ commit, revisions: ["main"], folder: join(path, "snapshots", commit) }],
    });
    expect((await qkv(["hub", "remove", "org/model"], { env })).stderr).toMatch(
      /^org\/model: removed, 300.kB\n$/,
    );
    expect(existsSync(path)).toBe(false);
    const again = await qkv(["hub", "remove", "org/model"], { env });
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("is not in the cache")]);
    const revision = await qkv(["hub", "remove", "alone@main"], { env });
    expect([revision.code, revision.stderr]).toEqual([2, expect.stringContaining('name "alone"')]);
  });
});

describe("a name on the hub where a folder may stand", () => {
  test("translates, describes, tokenizes", async () => {
    server.add("org/translator", filesIn(shipped));
    const env = environment("translator");
    const named = await output(["translate", "--model", "org/translator", "The cat sleeps."], { env });
    expect(named).toBe(await output(["translate", "The cat sleeps."]));
    expect(await output(["info", "org/translator@main", "--offline"], { env })).toContain("parameters");
    const text = ["--text", "The cat sleeps.", "--ids"];
    expect(await output(["tokenize", "org/translator", ...text], { env: environment("tokenizer") })).toBe(
      await output(["tokenize", shipped, ...text]),
    );
    const blobs = readdirSync(join(folder, "tokenizer/models--org--translator/blobs"));
    expect(blobs).not.toContain(sha256(readFileSync(join(shipped, "model.safetensors"))));
  });

  test("in TypeScript, with options of its own", async () => {
    server.add("org/translator", filesIn(shipped));
    const told: number[] = [];
    const previous = { ...process.env };
    Object.assign(process.env, environment("typescript"));
    try {
      const cacheDir = join(folder, "typescript-cache");
      const onProgress: HubOptions["onProgress"] = ({ bytes }) => told.push(bytes);
      const translator = await loadTranslator("org/translator", { cacheDir, onProgress });
      const [translation] = await translator.translate(["The cat sleeps."]);
      await translator.dispose();
      expect(translation!.text).not.toBe("");
      expect(told.at(-1)).toBeGreaterThan(1e6);
      expect(readdirSync(cacheDir)).toEqual(["models--org--translator"]);
      const translate = await pipeline("translation", "org/translator", { cacheDir, localFilesOnly: true });
      expect(await translate("The cat sleeps.")).toEqual([{ translation_text: translation!.text }]);
      await translate.dispose();
      await expect(pipeline("translation", "org/translator", { localFilesOnly: true })).rejects.toThrow(
        'there is no folder "org/translator"; check the path (as a name on the hub: org/translator: is not in the cache',
      );
    } finally {
      process.env = previous;
    }
  });

  test("that is no model either is told as both", async () => {
    const { code, stderr } = await qkv(["classify", "--model", "org/none", "x"], {
      env: environment("none"),
    });
    expect([code, stderr]).toEqual([
      2,
      `qkv: model: there is no folder "org/none"; check the path (as a name on the hub: org/none: there is no public model of this name at ${server.endpoint}; check the name, or give a token (HF_TOKEN))\n`,
    ]);
    const unreachable = { ...environment("unreachable"), HF_ENDPOINT: "http://127.0.0.1:9" };
    const mistyped = await qkv(["classify", "--model", "runs/nope", "x"], { env: unreachable });
    expect([mistyped.code, mistyped.stderr]).toEqual([
      2,
      expect.stringContaining(
        'qkv: model: there is no folder "runs/nope"; check the path (as a name on the hub it could not be looked up: ',
      ),
    ]);
    const deep = await qkv(["classify", "--model", "a/b/c", "x"], { env: environment("none") });
    expect([deep.code, deep.stderr]).toEqual([2, 'qkv: model: there is no folder "a/b/c"; check the path\n']);
  });

  test.skipIf(!hasShared)(
    `maps weights through the cache's links, also of several files${needsShared}`,
    async () => {
      const env = environment("mapped");
      const inputs = join(folder, "inputs.json");
      writeFileSync(inputs, JSON.stringify({ input_ids: [[1, 2, 3]] }));
      for (const golden of ["bert/maskedlm", "gpt2/f16_sharded"]) {
        const local = sharedPath(`goldens/${golden}`);
        server.add(`org/${golden.replace("/", "-")}`, filesIn(local));
        const name = `org/${golden.replace("/", "-")}`;
        const given = ["--inputs", inputs, "--json"];
        expect(await output(["trace", name, ...given], { env })).toBe(
          await output(["trace", local, ...given]),
        );
        await output(["trace", name, "--inputs", inputs, "--out", join(folder, "hub.safetensors")], { env });
        await output(["trace", local, "--inputs", inputs, "--out", join(folder, "local.safetensors")]);
        expect(sha256(readFileSync(join(folder, "hub.safetensors")))).toBe(
          sha256(readFileSync(join(folder, "local.safetensors"))),
        );
      }
    },
  );
});
