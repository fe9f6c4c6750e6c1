/**
 * The conformance list on WebGPU. The Vulkan loader is found through the environment in which a process starts, so
 * this file, run as usual, starts a second process that runs it again, and says there what it is to do.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../src/runtime/device.ts";
import { openCpu } from "../../src/runtime/node/engine.ts";
import { runOnDevice } from "./check.ts";
import { checks } from "./checks.ts";
import { needsSwiftShader, swiftShaderEnvironment, swiftShaderFolder } from "./swiftshader.ts";

const marker = "QKV_CONFORMANCE_ON_WEBGPU";
/** Functions such as exp are less exact in shaders than on a CPU. */
const tolerance = 2e-5;
/** SwiftShader is slow, and threads are none of its concern. */
const smallChecks = checks.filter(({ size }) => size === "small");

interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly status: string;
      readonly title: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

async function runInSwiftShadersProcess(folder: string): Promise<{ passed: number; failures: string[] }> {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const reports = await mkdtemp(join(tmpdir(), "qkv-webgpu-"));
  const file = join(reports, "report.json");
  const program = join(root, "node_modules/vitest/vitest.mjs");
  const options = ["run", fileURLToPath(import.meta.url), "--reporter=json", `--outputFile=${file}`];
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST"));
  const env = { ...Object.fromEntries(inherited), ...swiftShaderEnvironment(folder), [marker]: "1" };
  try {
    const child = spawn(process.execPath, [program, ...options], { cwd: root, env, stdio: "ignore" });
    await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    const report = JSON.parse(await readFile(file, "utf8")) as Report;
    const failures = report.testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status === "failed")
      .map(({ title, failureMessages }) => `${title}: ${failureMessages.join(" ").split("\n")[0]}`);
    return { passed: report.numPassedTests, failures };
  } finally {
    await rm(reports, { recursive: true });
  }
}

describe.skipIf(swiftShaderFolder === undefined)(`WebGPU on SwiftShader${needsSwiftShader}`, () => {
  if (process.env[marker] === undefined) {
    test("does as the interpreter does, in a process of its own", { timeout: 900_000 }, async () => {
      const { passed, failures } = await runInSwiftShadersProcess(swiftShaderFolder!);
      expect(failures).toEqual([]);
      expect(passed).toBe(smallChecks.length);
    });
    return;
  }

  let device: Device;
  beforeAll(async () => {
    device = await openCpu({ session: { executionProviders: ["webgpu"] } });
  });
  afterAll(() => device.dispose());

  test.each(smallChecks)("$name", async ({ prepare }) => {
    const { problem, expected } = prepare();
    const outcome = await runOnDevice(device, problem, expected);
    if (outcome.status === "refused") expect.fail(outcome.reason);
    expect(outcome.error, outcome.where).toBeLessThan(tolerance);
  });
});
