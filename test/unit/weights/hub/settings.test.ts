import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { hubSettings } from "../../../../src/weights/node/hub/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "qkv-hub-settings-"));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "token"), "hf_saved\n");
writeFileSync(join(folder, "other"), "  hf_other  ");

describe("settings of the hub", () => {
  test.each([
    [{}, join(homedir(), ".cache/huggingface/hub")],
    [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub"],
    [{ XDG_CACHE_HOME: "/x", HF_HOME: "/h" }, "/h/hub"],
    [{ HF_HOME: "~/h" }, join(homedir(), "h/hub")],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" }, "/new"],
    [{ HF_HUB_CACHE: "" }, join(homedir(), ".cache/huggingface/hub")],
  ])("cache with %j", async (environment, expected) => {
    expect((await hubSettings({}, environment)).cacheFolder).toBe(expected);
  });

  test.each([
    [{}, "hf_saved"],
    [{ HF_TOKEN_PATH: join(folder, "other") }, "hf_other"],
    [{ HF_TOKEN: "hf_mine\n" }, "hf_mine"],
    [{ HUGGING_FACE_HUB_TOKEN: "hf_old" }, "hf_old"],
    [{ HF_TOKEN: "hf_mine", HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }, undefined],
    [{ HF_TOKEN_PATH: join(folder, "none") }, undefined],
  ])("token with %j", async (environment, expected) => {
    expect((await hubSettings({}, { HF_HOME: folder, ...environment })).token).toBe(expected);
  });

  test("options come before the environment", async () => {
    const environment = { HF_HUB_CACHE: "/c", HF_TOKEN: "hf_mine", HF_HUB_OFFLINE: "1" };
    const options = { cacheDir: "/d", token: "hf_given", localFilesOnly: false };
    const settings = await hubSettings(options, environment);
    expect(settings).toMatchObject({ cacheFolder: "/d", token: "hf_given", isOffline: false });
  });

  test.each(["1", "on", "YES", "True"])("offline: %s", async (value) => {
    expect((await hubSettings({}, { HF_HUB_OFFLINE: value })).isOffline).toBe(true);
    expect((await hubSettings({}, { TRANSFORMERS_OFFLINE: value })).isOffline).toBe(true);
  });

  test("what cannot be used is refused", async () => {
    expect((await hubSettings({}, { HF_HUB_OFFLINE: "0" })).isOffline).toBe(false);
    expect((await hubSettings({}, { HF_ENDPOINT: "https://mirror.example/" })).endpoint).toBe(
      "https://mirror.example",
    );
    await expect(hubSettings({}, { HF_ENDPOINT: "mirror.example" })).rejects.toThrow(
      'HF_ENDPOINT: must be the address of a hub, https://...; got "mirror.example"',
    );
    await expect(hubSettings({}, { HF_HUB_DOWNLOAD_TIMEOUT: "soon" })).rejects.toThrow(
      'HF_HUB_DOWNLOAD_TIMEOUT: must be a number of seconds above 0; got "soon"',
    );
  });
});
