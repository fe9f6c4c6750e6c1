/** The live page as a program sees it. */

import { cpSync, existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeFolder, qkv, start, tiny, writeCorpus } from "./qkv.ts";

const folder = makeFolder();
const { en, de } = writeCorpus(folder, "train", 200);
const train = (name: string, steps: number) => [
  ...["train", "--source", en, "--target", de, "--out", join(folder, name), "--threads", "1"],
  ...["--max-steps", String(steps), ...tiny],
];

interface Started extends ReturnType<typeof start> {
  readonly address: string;
}

/** Starts a command and waits until it has told the address of its page. */
async function open(args: readonly string[]): Promise<Started> {
  const started = start(args);
  const address = await new Promise<string>((resolve, reject) => {
    let text = "";
    const hear = (piece: string) => {
      text += piece;
      const found = /http:\/\/127\.0\.0\.1:\d+\//.exec(text);
      if (found !== null) resolve(found[0]);
    };
    started.child.stdout!.on("data", hear);
    started.child.stderr!.on("data", hear);
    started.result.then(({ stderr }) => reject(new Error(`ended without an address: ${stderr}`)), reject);
  });
  return { ...started, address };
}

interface State {
  readonly status: string;
  readonly step: number;
  readonly actions: readonly string[];
}

async function stateOf(address: string): Promise<State> {
  return (await (await fetch(`${address}state`)).json()) as State;
}

/** Asks until the state is as wanted. */
async function until(address: string, wanted: (state: State) => boolean): Promise<State> {
  for (;;) {
    const state = await stateOf(address);
    if (wanted(state)) return state;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const post = async (url: string, headers: Record<string, string> = {}) =>
  await fetch(url, { method: "POST", headers });

/** The parts that the page is sent, until all of `ids` have come, or the end. */
async function partsOf(address: string, ids: readonly string[]): Promise<Map<string, string>> {
  const response = await fetch(`${address}events`);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const parts = new Map<string, string>();
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body!) {
    text += decoder.decode(bytes, { stream: true });
    const messages = text.split("\n\n");
    text = messages.pop()!;
    for (const message of messages) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(message)!;
      if (name === "end") return parts.set("end", JSON.parse(data!) as string);
      const { id, html } = JSON.parse(data!) as { id: string; html: string };
      parts.set(id, html);
    }
    if (ids.every((id) => (parts.get(id) ?? "") !== "")) break;
  }
  return parts;
}

/** The status of a request with a Host of one's choice, which fetch does not allow. */
async function statusWithHost(address: string, host: string): Promise<number> {
  return await new Promise((resolve, reject) => {
    request(address, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on("error", reject)
      .end();
  });
}

describe("qkv train --dashboard", () => {
  test("shows the run live, and pauses, resumes and stops it", async () => {
    const { address, result } = await open([...train("live", 100_000), "--dashboard", "0"]);
    const page = await fetch(address);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    const html = await page.text();
    expect(html).toContain('<script type="module" src="/dashboard.js">');
    expect(html).not.toMatch(/https?:/);
    for (const script of ["hover.js", "dashboard.js"]) {
      const answer = await fetch(address + script);
      expect(answer.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    }
    await until(address, ({ step }) => step >= 10);
    const parts = await partsOf(address, ["curves", "samples", "recipe", "messages", "numbers", "controls"]);
    expect(parts.get("curves")).toContain(">Gradient norm<");
    expect(parts.get("curves")).toContain("data-values=");
    expect(parts.get("controls")).toContain('data-do="pause"');
    expect(parts.get("progress")).toMatch(/step [\d,]+ of 100,000, \d+.* left/);
    expect(parts.get("head")).toContain(">running<");
    const logarithmic = await fetch(`${address}events?axis=log`);
    await logarithmic.body!.cancel();

    expect((await post(`${address}pause`)).status).toBe(202);
    const { step, actions } = await until(address, ({ status }) => status === "paused");
    expect(actions).toEqual(["resume", "stop"]);
    const again = await post(`${address}pause`);
    expect(again.status).toBe(409);
    expect(await again.json()).toEqual({ error: "cannot pause: the run is paused" });
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect((await stateOf(address)).step).toBe(step);
    expect((await post(`${address}resume`)).status).toBe(202);
    await until(address, (state) => state.step > step);

    expect(await (await fetch(`${address}report`)).text()).toContain("<h2>Recipe</h2>");
    const ended = partsOf(address, ["nothing"]);
    expect((await post(`${address}stop`)).status).toBe(202);
    const { code, stderr } = await result;
    expect(code, stderr).toBe(130);
    expect(stderr).toContain("Interrupted: saved at step");
    expect((await ended).get("end")).toContain("The training has ended");
    expect((await ended).get("head")).toContain(">interrupted<");
    expect(existsSync(join(folder, "live", "report.html"))).toBe(true);
  });

  test("is closed to other sites, other names and other ways", async () => {
    const { address, result, child } = await open([...train("closed", 100_000), "--dashboard", "0"]);
    const { port } = new URL(address);
    await until(address, ({ actions }) => actions.length > 0);
    expect((await post(`${address}stop`, { origin: "https://elsewhere.example" })).status).toBe(403);
    expect(await statusWithHost(address, "elsewhere.example")).toBe(403);
    expect(await statusWithHost(address, `localhost:${port}`)).toBe(200);
    expect((await fetch(`${address}stop`)).status).toBe(405);
    expect((await post(address)).status).toBe(405);
    expect((await fetch(`${address}../recipe.json`)).status).toBe(404);
    expect((await fetch(`${address}constructor`)).status).toBe(404);
    expect((await stateOf(address)).actions).toContain("stop");
    child.kill("SIGINT");
    expect((await result).code).toBe(130);
  });

  test("changes nothing about what is learned", async () => {
    const [plain, shown] = [train("plain", 20), [...train("shown", 20), "--dashboard", "0"]];
    expect((await qkv(plain)).code).toBe(0);
    const { address, result } = await open(shown);
    await partsOf(address, ["nothing"]);
    expect((await result).code).toBe(0);
    const model = (name: string) => readFileSync(join(folder, name, "model.safetensors"));
    expect(model("shown").equals(model("plain"))).toBe(true);
  });

  test("a port that is taken, or none, is refused before anything is written", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const { code, stderr } = await qkv([...train("taken", 5), "--dashboard", String(port)]);
    await new Promise((resolve) => other.close(resolve));
    expect(stderr).toBe(
      `qkv: dashboard: cannot listen at 127.0.0.1:${port}; the port is taken; name another, or 0 for any that is free\n`,
    );
    expect(code).toBe(2);
    expect(existsSync(join(folder, "taken"))).toBe(false);
    expect((await qkv([...train("taken", 5), "--dashboard", "toy"])).stderr).toContain(
      "A port is a whole number",
    );
    const failing = train("taken", 5).map((argument) => (argument === de ? "nowhere" : argument));
    expect(await qkv([...failing, "--dashboard", "0"])).toMatchObject({ code: 2 });
  });
});

describe("qkv dashboard", () => {
  test("follows a run of another process, which it cannot steer, and ends with Ctrl-C", async () => {
    const training = start([...train("foreign", 100_000), "--json"]);
    await new Promise<void>((resolve) => {
      training.child.stdout!.on("data", (text: string) => text.includes('"type":"step"') && resolve());
    });
    const { address, child, result } = await open(["dashboard", join(folder, "foreign"), "--port", "0"]);
    const { step, actions } = await until(address, ({ status }) => status === "running");
    expect(actions).toEqual([]);
    await until(address, (state) => state.step > step);
    const refused = await post(`${address}stop`);
    expect(refused.status).toBe(409);
    expect(await refused.json()).toEqual({ error: "cannot stop: the run is another process's" });
    training.child.kill("SIGINT");
    await training.result;
    await until(address, ({ status }) => status === "interrupted");
    child.kill("SIGINT");
    expect((await result).code).toBe(0);
  });

  test("shows a run that ended, and one that was killed", async () => {
    cpSync(join(folder, "foreign"), join(folder, "copy"), { recursive: true });
    const training = start([...train("copy", 100_000), "--resume", "--json"]);
    await new Promise<void>((resolve) => {
      training.child.stdout!.on("data", (text: string) => text.includes('"type":"step"') && resolve());
    });
    training.child.kill("SIGKILL");
    await training.result;
    const { address, child, result } = await open(["dashboard", join(folder, "copy")]);
    expect((await stateOf(address)).status).toBe("killed");
    child.kill("SIGTERM");
    expect((await result).code).toBe(0);
  });
});
