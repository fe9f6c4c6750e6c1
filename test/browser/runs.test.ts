/** The live page and the report as a person sees them. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumFlags, chromiumPath, needsChromium } from "../browser.ts";
import { makeFolder, start, tiny, writeCorpus } from "../cli/qkv.ts";

const folder = makeFolder();
const { en, de } = writeCorpus(folder, "train", 200);
const out = join(folder, "run");

describe.skipIf(chromiumPath === undefined)(`in Chromium${needsChromium}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath!, args: [...chromiumFlags] });
  });
  afterAll(async () => {
    await browser?.close();
  });

  /** A page of which every problem and every request to elsewhere is a failure. */
  async function openPage(url: string): Promise<{ page: Page; problems: string[] }> {
    const page = await browser.newPage({ viewport: { width: 1080, height: 1000 } });
    const problems: string[] = [];
    page.on("pageerror", ({ message }) => problems.push(message));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    page.on("request", (request) => {
      if (!/^(file:|data:|http:\/\/127\.0\.0\.1:)/.test(request.url())) problems.push(request.url());
    });
    await page.goto(url);
    return { page, problems };
  }

  async function hover(page: Page): Promise<string> {
    const box = (await page.locator("svg.curves").boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 150);
    return await page.locator(".tip").innerText();
  }

  test("the page lives, shows values where the pointer is, and steers the run; then the report", async () => {
    const files = ["--source", en, "--target", de, "--out", out, "--max-steps", "100000", "--threads", "1"];
    const { child, result } = start(["train", ...files, ...tiny, "--dashboard", "0"]);
    const address = await new Promise<string>((resolve) => {
      let text = "";
      child.stderr!.on("data", (piece: string) => {
        text += piece;
        const found = /http:\/\/127\.0\.0\.1:\d+\//.exec(text);
        if (found !== null) resolve(found[0]);
      });
    });
    const { page, problems } = await openPage(address);
    await page.locator("#samples .sample").first().waitFor();
    expect(await page.locator(".status").innerText()).toBe("running");
    expect(await page.locator("#curves g.panel").count()).toBe(5);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.locator(".status.paused").waitFor();
    expect(await hover(page)).toMatch(/training \d\S* at step \d+\n● validation \d\S* at step \d+/);
    const automatic = await page.locator("svg.curves").innerHTML();
    await page.locator("#axis").selectOption("log");
    await expect.poll(() => page.locator("svg.curves").innerHTML()).not.toBe(automatic);
    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator(".status.running").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("The training has ended").waitFor();
    expect(await page.locator(".status").innerText()).toBe("interrupted");
    expect(await page.locator("#controls button").count()).toBe(0);
    expect((await result).code).toBe(130);
    expect(problems).toEqual([]);

    const report = await openPage(pathToFileURL(join(out, "report.html")).href);
    expect(await hover(report.page)).toMatch(/training \d/);
    for (const colorScheme of ["light", "dark"] as const) {
      await report.page.emulateMedia({ colorScheme });
      const background = await report.page.evaluate<string>(
        "getComputedStyle(document.body).backgroundColor",
      );
      expect(background).toBe(colorScheme === "light" ? "rgb(246, 247, 249)" : "rgb(9, 13, 22)");
    }
    const isTooWide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    await report.page.setViewportSize({ width: 400, height: 800 });
    expect(await report.page.evaluate(isTooWide)).toBe(false);
    expect(report.problems).toEqual([]);
  });
});
